//! Removing checkpoints that are no longer wanted, and what killed processes left.

use mochi_files::FileType;

use super::manifest::MANIFEST;
use super::name::Name;
use super::{Checkpoint, Checkpoints, names, step_folder};
use crate::error::RunError;

impl Checkpoints {
    /// Removes all but the last `keep_last` (at least one) and those at multiples of `keep_every` steps (0: none). Returns what was removed.
    ///
    /// # Errors
    /// [`RunError::File`] for what cannot be removed.
    pub fn prune(&self, keep_last: usize, keep_every: u64) -> Result<Vec<Checkpoint>, RunError> {
        let Some(folder) = self.folder()? else { return Ok(Vec::new()) };
        // Without its manifest a checkpoint is damaged: it takes no other's place and stays for the user to look at.
        let complete = |checkpoint: &Checkpoint| {
            let inside = step_folder(&folder, checkpoint.step);
            inside.is_ok_and(|inside| matches!(inside.file_type(MANIFEST), Ok(Some(FileType::File))))
        };
        let mut old: Vec<Checkpoint> = self.list()?.into_iter().filter(complete).collect();
        old.truncate(old.len().saturating_sub(keep_last.max(1)));
        old.retain(|checkpoint| keep_every == 0 || checkpoint.step % keep_every != 0);
        for checkpoint in &old {
            // Renamed first: a removal that is cut short must not leave half a checkpoint under its name.
            let gone = Name::Temporary(checkpoint.step, mochi_files::random()).to_string();
            folder.rename(Name::Step(checkpoint.step).to_string(), &gone)?;
            folder.remove(&gone)?;
        }
        Ok(old)
    }

    /// Removes what killed writers left. Only for the process that holds the run's lock: no other process is writing then.
    pub(crate) fn clean(&self) -> Result<(), RunError> {
        let Some(folder) = self.folder()? else { return Ok(()) };
        for (name, file_type) in names(&folder)? {
            let step = match name {
                Name::Temporary(step, _) | Name::Old(step, _) if file_type == FileType::Folder => step,
                _ => continue,
            };
            let home = Name::Step(step).to_string();
            // Killed between moving the old checkpoint aside and putting the new one in its place.
            if matches!(name, Name::Old(..)) && folder.file_type(&home)?.is_none() {
                folder.rename(name.to_string(), &home)?;
            } else {
                folder.remove(name.to_string())?;
            }
        }
        Ok(())
    }
}
