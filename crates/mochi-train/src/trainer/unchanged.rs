//! What a resumed run has in common with its checkpoint: settings that may not change, the images, and those of its evaluations.

use std::path::Path;

use mochi_text::{counted, counted_with};

use crate::TrainError;
use crate::state::{Data, State};
use crate::task::{DataIdentity, OnChange, Task};

/// Refuses changed settings that may not change; notes about the others.
pub(super) fn changed_settings<T: Task>(task: &T, state: &State, config: &Path) -> Result<Vec<String>, TrainError> {
    let mut notes = Vec::new();
    for setting in task.settings() {
        let Some(before) = state.settings.get(setting.key).filter(|before| **before != setting.value) else { continue };
        let (key, now, step) = (setting.key, setting.value, state.step);
        match setting.on_change {
            OnChange::Refuse => {
                let (before, path) = (before.clone(), config.to_owned());
                return Err(TrainError::SettingChanged { key, now, before, step, path });
            }
            OnChange::Note => {
                let steps = counted_with(step, "step", ["was trained", "were trained"]);
                notes.push(format!("{key} is {now}; {steps} with {before}"));
            }
            OnChange::Accept => {}
        }
    }
    Ok(notes)
}

/// Refuses another dataset than that of the checkpoint.
pub(super) fn same_data(now: &DataIdentity, state: &State) -> Result<(), TrainError> {
    if Data::from(now).fingerprint == state.data.fingerprint {
        return Ok(());
    }
    Err(TrainError::DataChanged { dataset: now.source.clone(), now: now.images, before: state.data.images })
}

/// A warning if the run is evaluated on other images than before. What is learned does not depend on them, so that it may go on.
pub(super) fn other_evaluation_data(now: Option<&DataIdentity>, state: &State) -> Option<String> {
    let (now, before) = (now?, state.evaluation.as_ref()?);
    (Data::from(now) != *before).then(|| {
        format!(
            "evaluations use {} of {} from here on, and other images before ({}): their values up to step {} are not comparable with later ones",
            counted(now.images, "image"),
            now.source,
            before.images,
            state.step
        )
    })
}
