//! What is left behind when a loss stops being a number: everything that the step saw, so that it can be looked at and replayed.
//!
//! `RUN/failed/step-N/` holds the weights, the optimizer and the queue as a checkpoint does, `views.safetensors` with both batches of
//! views and the indices of their images, and `state.json` with the reason. f_q, the optimizer and the queue are as they were before
//! the step; f_k has already followed f_q (the step's second act), so a replay leaves that out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_tensor::{Tensor, write_tensors};

use crate::checkpoint::{self, State};
use crate::{Learner, TrainError};

/// Writes the folder and returns its path.
pub(crate) fn save(
    run: &Path,
    learner: &Learner,
    state: &State,
    views: [&Tensor; 2],
    images: &[u32],
) -> Result<PathBuf, TrainError> {
    let folder = run.join("failed").join(format!("step-{}", state.step));
    let io = |source| mochi_tensor::TensorError::File { action: "write", path: folder.clone(), source };
    std::fs::create_dir_all(&folder).map_err(io)?;
    let images: Vec<i64> = images.iter().map(|&i| i64::from(i)).collect();
    let tensors = BTreeMap::from([
        ("view_1".to_owned(), views[0].shallow_clone()),
        ("view_2".to_owned(), views[1].shallow_clone()),
        ("images".to_owned(), Tensor::f_from_slice(&images)?),
    ]);
    write_tensors(&folder.join("views.safetensors"), &tensors, &BTreeMap::new())?;
    checkpoint::write(&folder, learner, state)?;
    Ok(folder)
}
