//! The words that name pictures: shared by `pretrain`, `check` and `augment`.

use std::path::{Path, PathBuf};

use clap::Args;
use mochi_config::Settings;
use mochi_data::dataset::path_from_text;
use mochi_data::{Cancel, Split};

use crate::finding::{Finding, begin};

/// DATA and what is added to it.
#[derive(Args)]
pub struct Sources {
    /// A folder of pictures (nested anyhow), a pattern in quotes ('photos/2019-*/**/*.jpg'), a .txt list of all these, IDX files (MNIST),
    /// CIFAR binary batches, or tar shards (here, http(s):// or s3://)
    data: PathBuf,
    /// One more folder, pattern or list; can be given several times
    #[arg(long, value_name = "DATA")]
    also: Vec<PathBuf>,
}

impl Sources {
    /// DATA, as it was given.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// DATA, then what `--also` adds, or, without it, what the settings add.
    pub fn paths(&self, settings: &Settings) -> Vec<PathBuf> {
        let mut paths = vec![self.data.clone()];
        if self.also.is_empty() {
            paths.extend(settings.data.also.iter().map(|text| path_from_text(text)));
        } else {
            paths.extend(self.also.iter().cloned());
        }
        paths
    }

    /// Begins to open all of it as one data set.
    pub fn begin(&self, settings: &Settings, cancel: Cancel) -> Finding {
        begin(self.paths(settings), Split::Train, cancel)
    }
}
