//! Where a run is written: its folder, by one process; the other ranks only know its path.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mochi_run::{Checkpoint, Checkpoints, RunFolder};
use mochi_tensor::Group;

use crate::TrainError;

/// A run's folder, or its path on ranks that do not write there.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    folder: Option<RunFolder>,
}

impl Destination {
    /// The folder that rank 0 writes, for the other ranks.
    pub fn of_rank_0(path: &Path) -> Self {
        Self { path: path.to_owned(), folder: None }
    }

    /// An existing run and its newest checkpoint, which rank 0 names to the others.
    pub(crate) fn resume(path: &Path, group: Option<&Arc<Group>>) -> Result<(Self, Checkpoint), TrainError> {
        let newest =
            |run: &RunFolder| run.checkpoints().latest()?.ok_or_else(|| TrainError::NoCheckpoint(path.to_owned()));
        let Some(group) = group else {
            let run = RunFolder::open(path)?;
            let newest = newest(&run)?;
            return Ok((run.into(), newest));
        };
        let mut destination = Self::of_rank_0(path);
        let step = group.broadcast_text(|| -> Result<String, TrainError> {
            let run = RunFolder::open(path)?;
            let step = newest(&run)?.step;
            destination = run.into();
            Ok(step.to_string())
        })?;
        let step = step.parse().map_err(|_| TrainError::Internal(format!("rank 0 resumes from step {step}")))?;
        let checkpoint = RunFolder::read(path)?.checkpoints().at(step)?;
        Ok((destination, checkpoint))
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's checkpoints.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path.join("checkpoints"))
    }

    /// What steps saw whose loss was not finite; of each rank apart, since several can fail at one step.
    pub(crate) fn failed_steps(&self, rank: Option<usize>) -> Checkpoints {
        Checkpoints::new(self.path.join(match rank {
            None | Some(0) => "failed".to_owned(),
            Some(rank) => format!("failed-rank-{rank}"),
        }))
    }

    /// The folder, where this process writes it.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }
}

impl From<RunFolder> for Destination {
    fn from(folder: RunFolder) -> Self {
        Self { path: folder.path().to_owned(), folder: Some(folder) }
    }
}
