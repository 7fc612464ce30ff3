//! A trained encoder out of a run folder, for judging and export.

use std::path::{Path, PathBuf};

use mochi_config::{Device, Resolved};
use mochi_nets::Encoder;
use mochi_run::RunFolder;
use mochi_tensor::Engine;

use crate::checkpoint::KEY_PREFIX;
use crate::{TrainError, compute, encoder_spec};

/// f_q of a run's newest checkpoint, frozen.
#[derive(Debug)]
pub struct LoadedEncoder {
    /// The encoder.
    pub encoder: Encoder,
    /// The run's settings.
    pub settings: Resolved,
    /// Step of the checkpoint.
    pub step: u64,
    /// The checkpoint's folder.
    pub checkpoint: PathBuf,
}

/// Loads f_q from `run`'s newest checkpoint, on the device and in the precision of the run where this machine has them.
///
/// # Errors
/// A folder that is no run, or one without a checkpoint.
pub fn load_encoder(run: &Path, engine: &Engine) -> Result<LoadedEncoder, TrainError> {
    let folder = RunFolder::read(run)?;
    let mut settings = Resolved::read(&folder.config_path())?;
    let Some(newest) = folder.checkpoints().latest()? else {
        return Err(TrainError::NoCheckpoint(run.to_owned()));
    };
    // A run from a GPU that this machine does not have is evaluated on its first GPU, or on the CPU.
    if let Device::Cuda(index) = settings.compute.device
        && index >= engine.cuda_devices
    {
        settings.compute.device = if engine.cuda_devices == 0 { Device::Cpu } else { Device::Cuda(0) };
    }
    let mut encoder = Encoder::new(&encoder_spec(&settings)?, compute(&settings, engine)?)?;
    encoder.store().load_file(&newest.path.join("model.safetensors"), "", &[KEY_PREFIX])?;
    encoder.freeze();
    Ok(LoadedEncoder { encoder, settings, step: newest.step, checkpoint: newest.path })
}
