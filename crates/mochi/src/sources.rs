//! Arguments that name images, shared by `pretrain`, `check` and `augment`.

use std::path::{Path, PathBuf};

use clap::Args;
use mochi_config::Settings;
use mochi_data::dataset::path_from_text;
use mochi_data::{Cancel, Split, is_remote};

use crate::discovery::{Discovery, begin};

/// Whether a path, which need not exist, is a local source folder or lies below it. Links are followed.
pub fn is_inside(path: &Path, source: &Path) -> bool {
    if is_remote(source) || !source.is_dir() {
        return false;
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The part that exists; the rest of the path lies below it.
    let existing = whole.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    match (existing, source.canonicalize()) {
        (Some(existing), Ok(source)) => existing.starts_with(source),
        _ => false,
    }
}

/// DATA and additional sources.
#[derive(Args)]
pub struct Sources {
    /// Images: a folder (searched recursively), a quoted glob ('photos/2019-*/**/*.jpg'), a .txt list of folders, globs and images,
    /// IDX (MNIST) or CIFAR binary files, or tar shards (local, http(s):// or s3://)
    data: PathBuf,
    /// Another source of images (folder, glob or list); can be repeated
    #[arg(long, value_name = "DATA")]
    also: Vec<PathBuf>,
}

impl Sources {
    /// Whether the command line names further sources.
    pub fn has_more(&self) -> bool {
        !self.also.is_empty()
    }

    /// DATA as given.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// DATA, then the sources of `--also`, or of the settings without it.
    pub fn paths(&self, settings: &Settings) -> Vec<PathBuf> {
        let mut paths = vec![self.data.clone()];
        if self.also.is_empty() {
            paths.extend(settings.data.also.iter().map(|text| path_from_text(text)));
        } else {
            paths.extend(self.also.iter().cloned());
        }
        paths
    }

    /// Starts opening all sources as one dataset.
    pub fn begin(&self, settings: &Settings, cancel: Cancel) -> Discovery {
        begin(self.paths(settings), Split::Train, cancel)
    }
}
