//! Errors of opening and loading a dataset, and reasons why an image is bad.

use std::path::PathBuf;

use mochi_text::{counted, part_of};
use serde::{Deserialize, Serialize};

use mochi_views::{BadReason, RangeError};

use crate::skipped::Skipped;

/// Error that ends the opening of a dataset or the loading of its batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path given as data does not exist.
    #[error("there is no file or folder at {}", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system could not read a file that the dataset requires.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// What was being read.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A pattern is invalid.
    #[error("invalid pattern {}: {detail}", pattern.display())]
    Pattern {
        /// The pattern as given.
        pattern: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// No image matches a pattern.
    #[error("no image matches the pattern {}", pattern.display())]
    NoMatch {
        /// The pattern as given.
        pattern: PathBuf,
    },
    /// A file could not be written, for example because the disk is full or a permission is missing.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The output folder of `mochi pack` is not empty.
    #[error("output folder {} is not empty; existing files are not overwritten", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The output folder of `mochi pack` holds a complete dataset.
    #[error("output folder {} holds a packed dataset already", path.display())]
    Packed {
        /// The folder.
        path: PathBuf,
    },
    /// A remote file could not be read in any attempt.
    #[error("cannot read {url}: {detail} ({})", counted(tries, "attempt"))]
    Remote {
        /// The address without secrets.
        url: String,
        /// Number of attempts.
        tries: u32,
        /// Status or error of the last attempt.
        detail: String,
        /// Whether the server reports that the file does not exist.
        missing: bool,
    },
    /// An address is invalid or cannot be used.
    #[error("cannot use the address {address}: {detail}")]
    Address {
        /// The address without its secrets.
        address: String,
        /// What is wrong with it or with its environment.
        detail: String,
    },
    /// There is not enough memory for a batch.
    #[error("not enough memory for a batch: {detail}")]
    Memory {
        /// The reason.
        detail: String,
    },
    /// A thread that makes batches panicked: a bug.
    #[error("data loading panicked: {detail}")]
    Panicked {
        /// The message of the panic.
        detail: String,
    },
    /// A shard is shorter than its index expects.
    #[error("shard {} is incomplete: its index expects {}, the file has {bytes}", path.display(), counted(expected, "byte"))]
    CutShort {
        /// The shard.
        path: PathBuf,
        /// Length of the file.
        bytes: u64,
        /// Length that the index expects.
        expected: u64,
    },
    /// Tar shards contain no image.
    #[error("{} contains no images (.jpg, .jpeg, .png, .webp), but {}", path.display(), counted(others, "other file"))]
    NoImagesInShards {
        /// The shards as given.
        path: PathBuf,
        /// Number of other members.
        others: usize,
    },
    /// A folder contains tar files and no images.
    #[error("{} contains no images, but {}", folder.display(), counted(count, "tar file"))]
    TarFolder {
        /// The folder.
        folder: PathBuf,
        /// Number of tar files.
        count: usize,
    },
    /// The caller canceled the wait.
    #[error("stopped while waiting for data")]
    Canceled,
    /// No image in a supported format was found.
    #[error("no JPEG, PNG or WebP image was found in {}{}", path.display(), instead(skipped))]
    NoImages {
        /// The folder, list or file.
        path: PathBuf,
        /// Files of other formats.
        skipped: Skipped,
    },
    /// A file is not in a supported dataset format.
    #[error("{} is not in a supported dataset format: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        detail: String,
    },
    /// A line of a list is invalid, or its path does not exist.
    #[error("{}, line {line}: {detail}", path.display())]
    List {
        /// The list file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// A file is damaged or incomplete.
    #[error("{} is damaged or incomplete: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        detail: String,
    },
    /// A folder of IDX or CIFAR files does not contain the requested split.
    #[error("{} contains {kind} files, but not those of the {split} split", path.display())]
    SplitMissing {
        /// The folder.
        path: PathBuf,
        /// "IDX", "CIFAR-10" or "CIFAR-100".
        kind: &'static str,
        /// "train" or "test".
        split: &'static str,
    },
    /// There are more images than a 32-bit index can address.
    #[error("{} contains {count} images; at most {} are supported", path.display(), u32::MAX)]
    TooMany {
        /// The dataset.
        path: PathBuf,
        /// Number of images.
        count: usize,
    },
    /// A setting of the loader or of the augmentation pipeline is invalid.
    #[error("{what}: {detail}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What is wrong with its value.
        detail: String,
    },
    /// The fraction of bad images exceeds the limit.
    #[error(
        "{} ({:.1} %, limit {:.1} %); first: {first}",
        part_of(*bad, *read, "image", ["read so far is bad", "read so far are bad"]), fraction * 100.0, limit * 100.0
    )]
    TooManyBad {
        /// Distinct bad images so far.
        bad: usize,
        /// Distinct images read so far.
        read: usize,
        /// `bad / read`.
        fraction: f64,
        /// The limit as set (`data.max_bad_fraction`).
        limit: f64,
        /// The first few, with reasons.
        first: String,
    },
    /// No image can be read.
    #[error("{}; first: {first}", none_readable(*images))]
    NoneReadable {
        /// Number of images that were tried.
        images: usize,
        /// The first few, with reasons.
        first: String,
    },
    /// No image was completed for a long time; the storage does not respond.
    #[error("data loading stalled: no image was completed within {seconds} s while reading {what}")]
    Stalled {
        /// Duration without progress, in seconds.
        seconds: u64,
        /// The images being read.
        what: String,
    },
    /// The file system did not respond for a long time while folders were listed.
    #[error("the file system did not respond for {seconds} s while listing {}", path.display())]
    ListingStalled {
        /// The folder or file that was being listed.
        path: PathBuf,
        /// Duration without progress, in seconds.
        seconds: u64,
    },
    /// Data-loading threads could not be started or ended early.
    #[error("data-loading threads failed: {detail}")]
    Threads {
        /// The system's reason.
        detail: String,
    },
}

impl From<RangeError> for DataError {
    fn from(error: RangeError) -> Self {
        Self::Setting { what: error.what, detail: error.detail }
    }
}

/// The message where not one of so many images can be read.
pub(crate) fn none_readable(images: usize) -> String {
    match images {
        1 => "the only image cannot be read".to_owned(),
        images => format!("none of the {images} images can be read"),
    }
}

fn instead(skipped: &Skipped) -> String {
    let files = match skipped.files() {
        0 => None,
        _ => Some(format!("other files: {skipped}")),
    };
    let hidden = (skipped.hidden > 0).then(|| format!("hidden: {}", skipped.hidden));
    let all: Vec<String> = files.into_iter().chain(hidden).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join("; ")) }
}

impl DataError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { path } if path.to_str().is_some_and(|path| path.contains('=')) => {
                "this looks like a setting: give DATA before the settings".into()
            }
            Self::NotFound { .. } => "check the spelling; relative paths start at the current folder".into(),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "check the permissions of the file and of the folders above it".into()
            }
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "free disk space, then run the same command again: it continues after the last complete shard".into()
            }
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                "it is not a folder: choose a new folder".into()
            }
            Self::Write { .. } => "check the permissions of the folder, then run the same command again".into(),
            Self::Packed { path } => {
                format!("train on it with `mochi pretrain {}`, or choose a new folder", path.display())
            }
            Self::Occupied { .. } => "choose a new folder, or remove this one first".into(),
            Self::Remote { missing: true, url, .. } if url.split('?').next().is_some_and(|url| url.ends_with(".idx")) => {
                "pack the images with `mochi pack`, which writes the index file that each remote shard needs".into()
            }
            Self::Remote { missing: true, .. } => {
                "check the address: give dataset.json, its folder, or shards that end in .tar".into()
            }
            Self::Remote { .. } => {
                "check the address, the network and the permissions (S3: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE), then run the command again or resume the run".into()
            }
            Self::Address { detail, .. } if detail.contains("AWS_") => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (`aws configure export-credentials --format env` prints them), or AWS_SKIP_SIGNATURE=true for a public bucket".into()
            }
            Self::Address { detail, .. } if detail.contains("password") => {
                "use a query token (?token=...), or S3 with keys in the environment; addresses are stored with the run".into()
            }
            Self::Address { detail, .. } if detail.contains("not stored") => {
                "set MOCHI_URL_QUERY='NAME=VALUE' in the environment; query values are not stored with the run".into()
            }
            Self::Address { .. } => "check the address".into(),
            Self::Canceled => "run the command again".into(),
            Self::Memory { .. } => "lower the batch size or data.prefetch".into(),
            Self::Panicked { .. } => "this is a bug in Mochi: report it with the full command line".into(),
            Self::CutShort { .. } => "copy the shard again".into(),
            Self::NoImagesInShards { .. } => {
                "unpack the archive and pack the images with `mochi pack`; the members of a shard are recognized by their extension".into()
            }
            Self::TarFolder { folder, .. } => format!("to use them as shards, give '{}/*.tar'", folder.display()),
            Self::NoImages { skipped, .. } if skipped.of("parquet") + skipped.of("arrow") > 0 => {
                "export the images as files or as tar shards (WebDataset); Parquet and Arrow are not supported".into()
            }
            Self::NoImages { skipped, .. } if skipped.unread_images().files() > 0 => {
                "convert these files to JPEG, PNG or WebP first".into()
            }
            Self::NoImages { skipped, .. } if skipped.hidden > 0 => {
                "rename hidden files and folders, or give the hidden folder itself; they are not read otherwise".into()
            }
            Self::NoImages { .. } => "check the path; all subfolders are searched, and images are recognized by content".into(),
            Self::Format { .. } => {
                "give a folder of images, a pattern such as 'photos/**/*.jpg', a .txt list with one path per line, tar shards, IDX files (MNIST, Fashion-MNIST) or CIFAR binary files".into()
            }
            Self::List { .. } => {
                "write one image, folder or pattern per line, relative to the list's folder, with an optional class after a tab; # starts a comment".into()
            }
            Self::Damaged { .. } => "download or copy the file again".into(),
            Self::SplitMissing { split, .. } => format!("download the {split} files into the same folder, or name one file instead of the folder"),
            Self::TooManyBad { .. } => {
                "repair or remove the bad files, or raise data.max_bad_fraction to tolerate them".into()
            }
            Self::NoneReadable { .. } => "run `mochi check DIR`, which lists each file with the reason".into(),
            Self::Pattern { .. } => "use * and ? within a name, ** for any folders, [a-z] and {jpg,png}".into(),
            Self::NoMatch { .. } => {
                "put the pattern in quotes so that the shell does not expand it; * matches within a folder, ** across folders".into()
            }
            Self::Io { .. } => {
                "check the disk, the network and the limit of open files (`ulimit -n`), then run the same command again".into()
            }
            Self::ListingStalled { .. } => "check the disk or the network file system".into(),
            Self::Stalled { .. } => "check the disk or the network file system; then resume the run".into(),
            Self::Setting { what: "short side", .. } => "leave it out to copy the images unchanged".into(),
            Self::Threads { .. } => "reduce the number of loader threads".into(),
            _ => return None,
        })
    }
}

/// A bad image: one that cannot be read or decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImage {
    /// Index in the dataset.
    pub index: usize,
    /// Path, or `file#17`.
    pub name: String,
    /// Why it is bad.
    pub reason: BadReason,
    /// Message of the decoder or of the operating system.
    pub detail: String,
}
