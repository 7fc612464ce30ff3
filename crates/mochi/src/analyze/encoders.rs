//! The encoders of a run's checkpoints.

use mochi_run::{Checkpoint, RunError, RunFolder};
use mochi_tensor::Engine;
use mochi_term::Progress;
use mochi_train::{LoadedEncoder, load_encoder_at};

use crate::failure::Outcome;

/// The whole checkpoints by rising step. A damaged one is named and left out, and so is one that a run in progress has removed meanwhile.
pub fn whole(folder: &RunFolder, progress: &Progress) -> Outcome<Vec<Checkpoint>> {
    let checkpoints = folder.checkpoints();
    let mut whole = Vec::new();
    for listed in checkpoints.list()? {
        match checkpoints.at(listed.step) {
            Ok(checkpoint) => whole.push(checkpoint),
            Err(RunError::Damaged(damaged)) => progress.warning(&format!("{damaged}; it is left out")),
            Err(RunError::NoSuchCheckpoint { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if whole.is_empty() {
        return Err(RunError::NoCheckpoint { path: folder.path().to_owned() }.into());
    }
    Ok(whole)
}

/// Loads the encoders of some checkpoints. One that a run in progress has removed meanwhile is named and left out.
pub fn load(
    folder: &RunFolder,
    checkpoints: &[Checkpoint],
    engine: &Engine,
    progress: &Progress,
) -> Outcome<Vec<LoadedEncoder>> {
    let mut loaded = Vec::new();
    for checkpoint in checkpoints {
        match load_encoder_at(folder.path(), checkpoint, engine, None) {
            Ok(encoder) => loaded.push(encoder),
            Err(error) => match folder.checkpoints().at(checkpoint.step) {
                Err(RunError::NoSuchCheckpoint { step, .. }) => {
                    progress.warning(&format!("the checkpoint of step {step} was removed meanwhile; it is left out"));
                }
                _ => return Err(error.into()),
            },
        }
    }
    Ok(loaded)
}
