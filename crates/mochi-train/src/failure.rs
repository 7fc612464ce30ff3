//! The dump of a step that produced values that are not finite: `RUN/failed/step-N/`, written like a checkpoint (temporary folder, sync, rename), so
//! it is complete or absent. It holds the task's parts, the batch, and a `state.json` that says what failed and which state the
//! parts are in.

use std::path::PathBuf;

use mochi_run::Checkpoints;

use crate::TrainError;
use crate::checkpoint;
use crate::part::Part;
use crate::state::State;

/// Writes the dump and returns its folder.
pub(crate) fn save(failed: &Checkpoints, parts: &[Part], state: State) -> Result<PathBuf, TrainError> {
    let pending = failed.begin(state.step)?;
    checkpoint::write(pending.path(), parts, state)?;
    Ok(pending.commit()?.path)
}
