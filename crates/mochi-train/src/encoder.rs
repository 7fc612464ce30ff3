//! A trained encoder from a run folder, for evaluation and export.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mochi_config::{Device, Precision, Resolved};
use mochi_nets::Encoder;
use mochi_run::{Checkpoint, RunFolder};
use mochi_tensor::{Engine, Group, TensorError};

use crate::tasks::contrastive::KEY_PREFIX;
use crate::wiring::use_own_gpu;
use crate::{TrainError, compute, encoder_spec};

/// f_q of one of a run's checkpoints, frozen.
#[derive(Debug)]
pub struct LoadedEncoder {
    /// The encoder.
    pub encoder: Encoder,
    /// The run's settings; device and precision are those in which the encoder computes here.
    pub settings: Resolved,
    /// Step of the checkpoint.
    pub step: u64,
    /// The checkpoint's folder.
    pub checkpoint: PathBuf,
}

/// Loads f_q from `run`'s newest checkpoint, on the run's device and in its precision if this machine supports them; otherwise on the CPU, in
/// float32 if its bf16 is emulated. Where there are several GPUs, each rank of a `group` has its own.
///
/// # Errors
/// A folder that is not a run, or one without a checkpoint.
pub fn load_encoder(run: &Path, engine: &Engine, group: Option<&Group>) -> Result<LoadedEncoder, TrainError> {
    load(run, engine, group, |encoder, folder| load_newest(encoder, folder, run))
}

/// Loads f_q from one checkpoint of `run`, as [`load_encoder`] does from the newest.
///
/// # Errors
/// A folder that is not a run, or a checkpoint whose model cannot be read.
pub fn load_encoder_at(
    run: &Path,
    checkpoint: &Checkpoint,
    engine: &Engine,
    group: Option<&Group>,
) -> Result<LoadedEncoder, TrainError> {
    load(run, engine, group, |encoder, _| {
        load_model(encoder, checkpoint)?;
        Ok(checkpoint.clone())
    })
}

/// An encoder by the run's settings with the weights that `read` gives it.
fn load(
    run: &Path,
    engine: &Engine,
    group: Option<&Group>,
    read: impl FnOnce(&Encoder, &RunFolder) -> Result<Checkpoint, TrainError>,
) -> Result<LoadedEncoder, TrainError> {
    let folder = RunFolder::read(run)?;
    let mut settings = Resolved::read(&folder.config_path())?;
    fit_machine(&mut settings, engine);
    if let Some(group) = group {
        use_own_gpu(&mut settings.compute, group);
    }
    let mut encoder = Encoder::new(&encoder_spec(&settings)?, compute(&settings, engine)?)?;
    let Checkpoint { step, path } = read(&encoder, &folder)?;
    encoder.freeze();
    Ok(LoadedEncoder { encoder, settings, step, checkpoint: path })
}

fn load_model(encoder: &Encoder, checkpoint: &Checkpoint) -> Result<(), TensorError> {
    encoder.store().load_file(&checkpoint.path.join("model.safetensors"), "", &[KEY_PREFIX])
}

/// Loads the newest checkpoint's model. A checkpoint that a run in progress removes between listing and reading has a successor, which is read instead.
fn load_newest(encoder: &Encoder, folder: &RunFolder, run: &Path) -> Result<Checkpoint, TrainError> {
    let missing = || TrainError::NoCheckpoint(run.to_owned());
    let mut newest = folder.checkpoints().latest()?.ok_or_else(missing)?;
    loop {
        match load_model(encoder, &newest) {
            Err(TensorError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let next = folder.checkpoints().latest()?.ok_or_else(missing)?;
                if next == newest {
                    let reason = "it has no model.safetensors".into();
                    return Err(TrainError::Checkpoint { path: next.path, reason });
                }
                newest = next;
            }
            loaded => return loaded.map(|()| newest).map_err(TrainError::from),
        }
    }
}

/// Device and precision for this machine: a GPU that it does not have becomes its first GPU, or the CPU; bf16 that it would emulate becomes float32.
fn fit_machine(settings: &mut Resolved, engine: &Engine) {
    let compute = &mut settings.compute;
    if let Device::Cuda(index) = compute.device
        && index >= engine.cuda_devices
    {
        compute.device = if engine.cuda_devices == 0 { Device::Cpu } else { Device::Cuda(0) };
    }
    if compute.device == Device::Cpu && !engine.fast_bf16 {
        compute.precision = Precision::Float32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{DeviceFacts, Facts, Settings};

    #[test]
    fn h9_a_bf16_run_of_a_gpu_is_evaluated_in_float32_on_a_cpu_that_would_emulate_bf16() {
        let gpu = DeviceFacts { memory_bytes: 0, fast_bf16: true };
        let facts = Facts { images: 10_000, gpus: vec![gpu], ..Facts::default() };
        let words = ["compute.device=cuda".to_owned(), "compute.precision=bf16".to_owned()];
        let (of_run, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
        let engine = mochi_tensor::start(Some(1)).unwrap();
        for (cuda_devices, fast_bf16, wanted) in [
            (0, false, (Device::Cpu, Precision::Float32)),
            (0, true, (Device::Cpu, Precision::Bf16)),
            (1, false, (Device::Cuda(0), Precision::Bf16)),
        ] {
            let mut settings = of_run.clone();
            fit_machine(&mut settings, &Engine { cuda_devices, fast_bf16, ..engine.clone() });
            assert_eq!((settings.compute.device, settings.compute.precision), wanted, "{cuda_devices} GPUs");
        }
    }
}
