//! A task's parts as a folder: `NAME.safetensors` for each part with tensors, then `state.json`, which makes the checkpoint complete. The folder
//! appears under its name only when everything in it is on the disk (`mochi_run::Checkpoints`).

use std::collections::BTreeMap;
use std::path::Path;

use mochi_run::Checkpoint;
use mochi_tensor::{first_not_finite, read_tensors, write_tensors};
use mochi_text::counted_with;

use crate::TrainError;
use crate::part::{Part, Parts};
use crate::state::State;
use crate::task::Timeline;

/// Writes parts and state into a folder.
pub(crate) fn write(folder: &Path, parts: &[Part], mut state: State) -> Result<(), TrainError> {
    for part in parts {
        if !part.tensors.is_empty() {
            write_tensors(&folder.join(file_name(part.name)), &part.tensors, &BTreeMap::new())?;
        }
        state.parts.insert(part.name.to_owned(), part.value.clone());
    }
    state.write(folder)
}

/// Checks a checkpoint's state against the run: task and step.
pub(crate) fn check_state(state: &State, at: &Checkpoint, task: &str, timeline: Timeline) -> Result<(), TrainError> {
    let bad = |reason: String| Err(TrainError::Checkpoint { path: at.path.join("state.json"), reason });
    if state.task != task {
        return bad(format!("its task is \"{}\", this run's is \"{task}\"", state.task));
    }
    if state.step != at.step {
        return bad(format!("it is of step {}, the folder of step {}", state.step, at.step));
    }
    if timeline.budget.is_none() && state.step > timeline.steps {
        return bad(format!(
            "{}, and the run has {}",
            counted_with(state.step, "step", ["was done", "were done"]),
            timeline.steps
        ));
    }
    if state.world_size == 0 {
        return bad("it was trained by 0 processes".to_owned());
    }
    Ok(())
}

/// Reads the parts of a checkpoint. Every floating-point tensor is checked to be finite.
pub(crate) fn read_parts(folder: &Path, state: &State) -> Result<Parts, TrainError> {
    let mut parts = BTreeMap::new();
    for (name, value) in &state.parts {
        let path = folder.join(file_name(name));
        // A part without tensors has no file; a lost file is reported when its tensors are read.
        let tensors = if path.exists() { read_tensors(&path)?.0 } else { BTreeMap::new() };
        if let Some(tensor) = first_not_finite(&tensors)? {
            let reason = format!("its tensor \"{tensor}\" holds values that are not finite");
            return Err(TrainError::Checkpoint { path, reason });
        }
        parts.insert(name.clone(), (tensors, value.clone()));
    }
    Ok(Parts::new(folder, parts))
}

fn file_name(part: &str) -> String {
    format!("{part}.safetensors")
}
