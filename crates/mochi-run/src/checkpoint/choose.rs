//! Which checkpoint a run resumes from.

use mochi_text::counted_with;

use super::manifest::Manifest;
use super::name::Name;
use super::stored::{Checkpoint, Damaged};
use super::{Checkpoints, step_folder};
use crate::error::RunError;

/// The checkpoint to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// A whole checkpoint.
    pub checkpoint: Checkpoint,
    /// Newer ones that are damaged, the newest first.
    pub damaged: Vec<Damaged>,
}

impl Chosen {
    /// A sentence for each damaged checkpoint, and what is used in its place.
    pub fn warnings(&self) -> Vec<String> {
        let Checkpoint { step, .. } = self.checkpoint;
        let lost = |damaged: &Damaged| {
            counted_with(damaged.checkpoint.step.saturating_sub(step), "step", ["is lost", "are lost"])
        };
        self.damaged
            .iter()
            .map(|damaged| format!("{damaged}; step-{step} is used instead, {}", lost(damaged)))
            .collect()
    }
}

impl Checkpoints {
    /// The newest whole checkpoint with the damaged ones after it; `None` where there is none at all.
    ///
    /// # Errors
    /// [`RunError::AllDamaged`] where there are some but none is whole.
    pub fn choose(&self) -> Result<Option<Chosen>, RunError> {
        let mut damaged = Vec::new();
        for checkpoint in self.list()?.into_iter().rev() {
            match self.check(checkpoint.step) {
                Ok(()) => return Ok(Some(Chosen { checkpoint, damaged })),
                Err(reason) => damaged.push(Damaged { checkpoint, reason }),
            }
        }
        if damaged.is_empty() { Ok(None) } else { Err(RunError::AllDamaged { path: self.run.clone(), damaged }) }
    }

    /// The newest whole checkpoint alone.
    ///
    /// # Errors
    /// As [`choose`](Checkpoints::choose).
    pub fn latest(&self) -> Result<Option<Checkpoint>, RunError> {
        Ok(self.choose()?.map(|chosen| chosen.checkpoint))
    }

    /// The whole checkpoint of a step.
    ///
    /// # Errors
    /// [`RunError::NoSuchCheckpoint`] with the steps that there are, [`RunError::Damaged`].
    pub fn at(&self, step: u64) -> Result<Checkpoint, RunError> {
        let all = self.list()?;
        let steps = all.iter().map(|checkpoint| checkpoint.step).collect();
        let Some(checkpoint) = all.into_iter().find(|checkpoint| checkpoint.step == step) else {
            return Err(RunError::NoSuchCheckpoint { path: self.run.clone(), step, steps });
        };
        match self.check(step) {
            Ok(()) => Ok(checkpoint),
            Err(reason) => Err(RunError::Damaged(Damaged { checkpoint, reason })),
        }
    }

    /// Renames what is newer than a step to `step-N.set-aside`, so that the next checkpoints follow that step. Returns the new paths.
    ///
    /// # Errors
    /// [`RunError::File`].
    pub fn set_aside_after(&self, step: u64) -> Result<Vec<std::path::PathBuf>, RunError> {
        let Some(folder) = self.folder()? else { return Ok(Vec::new()) };
        let mut moved = Vec::new();
        for newer in self.list()?.into_iter().filter(|checkpoint| checkpoint.step > step) {
            let name = Name::Step(newer.step).to_string();
            let free = |n: &u32| folder.file_type(aside(&name, *n)).is_ok_and(|found| found.is_none());
            let to = aside(&name, (1..).find(free).unwrap_or(u32::MAX));
            folder.rename(&name, &to)?;
            moved.push(folder.path().join(to));
        }
        folder.sync()?;
        Ok(moved)
    }

    fn check(&self, step: u64) -> Result<(), String> {
        let folder = self.folder().map_err(|error| error.to_string())?.ok_or("it does not exist")?;
        let folder = step_folder(&folder, step).map_err(|error| error.to_string())?;
        Manifest::check(&folder, step)
    }
}

/// `step-8.set-aside`, `step-8.set-aside-2`, ...
fn aside(name: &str, n: u32) -> String {
    if n == 1 { format!("{name}.set-aside") } else { format!("{name}.set-aside-{n}") }
}
