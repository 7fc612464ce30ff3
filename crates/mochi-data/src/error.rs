//! What can go wrong on the way from a path to batches, and what can be wrong with one image.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::skipped::Skipped;

/// A failure that ends the opening of a data set or the reading of its batches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path given as data does not exist.
    #[error("there is no file or folder at {}", path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused to read something that the data set cannot do without.
    #[error("{} could not be read: {source}", path.display())]
    Io {
        /// What was being read.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A pattern that cannot be understood.
    #[error("the pattern {} cannot be understood: {detail}", pattern.display())]
    Pattern {
        /// The pattern as given.
        pattern: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A pattern that no image matches.
    #[error("no image matches the pattern {}", pattern.display())]
    NoMatch {
        /// The pattern as given.
        pattern: PathBuf,
    },
    /// Something could not be written: a full disk, no permission.
    #[error("{} could not be written: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder to be packed into holds something already.
    #[error("{} is not empty, and nothing there is overwritten", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A remote file did not arrive in spite of all attempts.
    #[error("cannot read {url}: {detail} ({tries} {})", if *tries == 1 { "attempt" } else { "attempts" })]
    Remote {
        /// Its address without secrets.
        url: String,
        /// Attempts made.
        tries: u32,
        /// Status or error of the last attempt.
        detail: String,
        /// The server says that there is no such file.
        missing: bool,
    },
    /// An address that cannot be used.
    #[error("{address} cannot be used: {detail}")]
    Address {
        /// The address without its secrets.
        address: String,
        /// What is wrong with it or with its environment.
        detail: String,
    },
    /// No memory for a batch.
    #[error("no memory for a batch: {detail}")]
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
    /// A shard is shorter than its index says.
    #[error("shard {} is cut short: it has {bytes} of the {expected} bytes that its index says", path.display())]
    CutShort {
        /// The shard.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The length that its index says.
        expected: u64,
    },
    /// Tar shards without an image.
    #[error("{} holds no member that is named as an image (.jpg, .jpeg, .png, .webp), and {others} others", path.display())]
    NoImagesInShards {
        /// The shards as given.
        path: PathBuf,
        /// Members that are no images.
        others: usize,
    },
    /// A folder that holds tar files and no images.
    #[error("{} holds no images, but {count} tar files", folder.display())]
    TarFolder {
        /// The folder.
        folder: PathBuf,
        /// Its tar files.
        count: usize,
    },
    /// The caller asked to stop waiting.
    #[error("stopped while waiting for data")]
    Canceled,
    /// Nothing that this crate can decode was found.
    #[error("no JPEG, PNG or WebP image was found in {}{}", path.display(), instead(skipped))]
    NoImages {
        /// The folder, list or file.
        path: PathBuf,
        /// What was found instead.
        skipped: Skipped,
    },
    /// A file is not in a format that can serve as a data set.
    #[error("{} is not a data set that can be read: {detail}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        detail: String,
    },
    /// A line of a list cannot be understood, or names nothing.
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
    /// A folder of IDX or CIFAR files lacks the half that was asked for.
    #[error("{} holds {kind} files, but not those of the {split} split", path.display())]
    SplitMissing {
        /// The folder.
        path: PathBuf,
        /// "IDX", "CIFAR-10" or "CIFAR-100".
        kind: &'static str,
        /// "train" or "test".
        split: &'static str,
    },
    /// More images than a 32-bit index can name.
    #[error("{} holds {count} images, and at most {} can be indexed", path.display(), u32::MAX)]
    TooMany {
        /// The data set.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A setting of the loader or of the augmentation makes no sense.
    #[error("{what}: {detail}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// What is wrong with its value.
        detail: String,
    },
    /// More images are bad than the limit allows.
    #[error(
        "{bad} of {read} images read so far are bad ({:.1} %, limit {:.1} %); first: {first}",
        fraction * 100.0, limit * 100.0
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
    /// Not one image can be read.
    #[error("none of the {images} images can be read; the first: {first}")]
    NoneReadable {
        /// How many were tried.
        images: usize,
        /// The first few, with reasons.
        first: String,
    },
    /// No image has been finished for a long time: the storage hangs.
    #[error("no image was finished for {seconds} s while reading {what}")]
    Stalled {
        /// How long nothing happened.
        seconds: u64,
        /// The images being read.
        what: String,
    },
    /// The file system has not answered for a long time while images were looked for.
    #[error("nothing was heard for {seconds} s from the file system of {}", path.display())]
    ListingStalled {
        /// The folder or file that was being looked at.
        path: PathBuf,
        /// How long nothing happened.
        seconds: u64,
    },
    /// Data-loading threads could not be started or ended early.
    #[error("data-loading threads failed: {detail}")]
    Threads {
        /// The system's reason.
        detail: String,
    },
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
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "check the spelling; a relative path counts from the current folder".into(),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                "check the permissions of the file and of the folders above it".into()
            }
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "make room on the disk, then run the same command again: it goes on behind the last whole shard".into()
            }
            Self::Write { .. } => "check the permissions of the folder, then run the same command again".into(),
            Self::Occupied { .. } => "name a new folder, or remove this one first".into(),
            Self::Remote { missing: true, url, .. } if url.split('?').next().is_some_and(|url| url.ends_with(".idx")) => {
                "remote shards need their index files next to them: pack the shards with `mochi pack`, which writes indexes".into()
            }
            Self::Remote { missing: true, .. } => {
                "check the address: give dataset.json, its folder, or shards that end in .tar".into()
            }
            Self::Remote { .. } => {
                "check address, network and access (S3: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE), then run the command again or resume the run".into()
            }
            Self::Address { detail, .. } if detail.contains("AWS_") => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (`aws configure export-credentials --format env` prints them), or AWS_SKIP_SIGNATURE=true for a public bucket".into()
            }
            Self::Address { detail, .. } if detail.contains("password") => {
                "give a query token (?token=...), or use S3 with keys in the environment: an address is stored with the run".into()
            }
            Self::Address { detail, .. } if detail.contains("not stored") => {
                "set MOCHI_URL_QUERY='NAME=VALUE' in the environment: query values are not stored with a run".into()
            }
            Self::Address { .. } => "check the address".into(),
            Self::Canceled => "run the command again".into(),
            Self::Memory { .. } => "lower the batch size or data.prefetch".into(),
            Self::Panicked { .. } => "this is a bug in Mochi: report it with the full command line".into(),
            Self::CutShort { .. } => "copy the shard again".into(),
            Self::NoImagesInShards { .. } => {
                "members of a shard are told by their names; unpack the archive and pack the images with `mochi pack`".into()
            }
            Self::TarFolder { folder, .. } => format!("name the shards: '{}/*.tar'", folder.display()),
            Self::NoImages { skipped, .. } if skipped.of("parquet") + skipped.of("arrow") > 0 => {
                "Parquet and Arrow are not read; export the images as files or as tar shards (WebDataset)".into()
            }
            Self::NoImages { skipped, .. } if skipped.unread_images().files() > 0 => {
                "convert these files to JPEG, PNG or WebP first".into()
            }
            Self::NoImages { skipped, .. } if skipped.hidden > 0 => {
                "hidden files and folders are not read; rename them or give the hidden folder itself".into()
            }
            Self::NoImages { .. } => "check the path; images are searched in all sub-folders and recognized by their content".into(),
            Self::Format { .. } => {
                "data can be a folder of images, a pattern such as 'photos/**/*.jpg', a .txt file with one path a line, tar shards, IDX files (MNIST, Fashion-MNIST) or CIFAR's binary batches".into()
            }
            Self::List { .. } => {
                "a line is an image, a folder or a pattern, relative to the list's folder; a class may follow after a tab; # begins a remark".into()
            }
            Self::Damaged { .. } => "download or copy the file again".into(),
            Self::SplitMissing { split, .. } => format!("download the {split} files into the same folder, or name one file instead of the folder"),
            Self::TooManyBad { .. } => {
                "mend or remove the files listed as bad, or raise data.max_bad_fraction if so many may be left out".into()
            }
            Self::NoneReadable { .. } => "`mochi check DIR` lists each file with the reason".into(),
            Self::Pattern { .. } => "a pattern knows * and ? in a name, ** for any folders, [a-z] and {jpg,png}".into(),
            Self::NoMatch { .. } => {
                "put it in quotes so that the shell leaves it alone; * stays within a folder, ** goes through folders".into()
            }
            Self::Io { .. } => {
                "check the disk, the network and the limit of open files (`ulimit -n`), then run the same command again".into()
            }
            Self::ListingStalled { .. } => "check the disk or the network file system".into(),
            Self::Stalled { .. } => "check the disk or the network file system; then resume the run".into(),
            Self::Threads { .. } => "set fewer loader threads".into(),
            _ => return None,
        })
    }
}

/// Why an image was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadReason {
    /// The file has no bytes.
    Empty,
    /// The data ends before the image does.
    Truncated,
    /// The data contradicts its own format.
    Corrupt,
    /// More pixels or bytes than the limits allow (a decompression bomb, or a mistake).
    Oversized,
    /// The file was there when the data set was opened and is gone.
    Vanished,
    /// The system refused to read the file.
    Unreadable,
    /// Not one of the formats that can be decoded.
    Unsupported,
    /// The decoder panicked: a defect, caught and counted.
    Panicked,
}

impl BadReason {
    /// The reason as one lower-case word, as in `bad-images.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Oversized => "oversized",
            Self::Vanished => "vanished",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for BadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An image that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImage {
    /// Its index in the data set.
    pub index: usize,
    /// Its path, or `file#17`.
    pub name: String,
    /// Why it was left out.
    pub reason: BadReason,
    /// The decoder's or the system's words.
    pub detail: String,
}

/// Why bytes did not become pixels: a [`BadImage`] that has no name yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct DecodeError {
    /// The kind of failure.
    pub reason: BadReason,
    /// The decoder's or the system's words.
    pub detail: String,
}

impl DecodeError {
    pub(crate) fn new(reason: BadReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self.reason {
            BadReason::Unsupported => Some("convert the file to JPEG, PNG or WebP".into()),
            BadReason::Oversized => Some("shrink the image: decoding it would take too much memory".into()),
            _ => None,
        }
    }
}
