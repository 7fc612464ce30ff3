//! Where images are: a folder, a list, or a file that holds many, behind one indexed view.

mod cifar;
mod file;
mod fingerprint;
mod idx;
mod list;
mod raw;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::decode::{self, DecodeOptions, Decoder, Pixels};
use crate::error::{BadReason, DataError, DecodeError};
use fingerprint::Fnv;
use raw::Raw;

/// Which half of a folder of IDX or CIFAR files. Folders of images and lists have no halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// The training files.
    #[default]
    Train,
    /// The test files.
    Test,
}

impl Split {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// How to open a data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Which half of a folder of IDX or CIFAR files.
    pub split: Split,
}

/// An opened data set: names, labels where there are any, and the way to the pixels. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: &'static str,
    store: Store,
    labels: Option<Vec<u32>>,
    class_names: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug)]
enum Store {
    /// One file an image; paths relative to the root.
    Files { root: PathBuf, relative: Vec<Box<Path>> },
    /// Raw pixels of equal size in memory.
    Raw(Raw),
}

/// What a kind of data set hands to [`Dataset`].
struct Opened {
    kind: &'static str,
    store: Store,
    labels: Option<Vec<u32>>,
    class_names: Vec<String>,
    warnings: Vec<String>,
}

impl Dataset {
    /// Opens `source`, telling its kind by what is there:
    ///
    /// * a folder with IDX or CIFAR files: the half that `options.split` names;
    /// * any other folder: every JPEG, PNG and WebP file below it, in the order of their paths' bytes. Links are followed, loops of
    ///   links are not, hidden files are left out. If every image lies in a sub-folder, the first level is its class;
    /// * a `.txt` file: one path a line, relative to the file's folder, with an optional class after a tab;
    /// * a file: IDX images (`.gz` or not), or one CIFAR batch (`.bin`).
    pub fn open(source: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let metadata = std::fs::metadata(source).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => DataError::NotFound { path: source.into() },
            _ => DataError::Io { path: source.into(), source: error },
        })?;
        let opened = if metadata.is_dir() {
            if let Some(opened) = idx::open_folder(source, options.split)? {
                opened
            } else if let Some(opened) = cifar::open_folder(source, options.split)? {
                opened
            } else {
                walk::open(source)?
            }
        } else if source.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")) {
            list::open(source)?
        } else if let Some(opened) = idx::open_file(source)? {
            opened
        } else if source.extension().is_some_and(|e| e.eq_ignore_ascii_case("bin")) {
            cifar::open_file(source)?
        } else {
            let detail = "neither a .txt list, nor IDX, nor a CIFAR .bin file".to_owned();
            return Err(DataError::Format { path: source.into(), detail });
        };
        let Opened { kind, store, labels, class_names, warnings } = opened;
        let inner = Inner { kind, store, labels, class_names, warnings };
        let count = inner.len();
        if u32::try_from(count).is_err() {
            return Err(DataError::TooMany { path: source.into(), count });
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many images, good or bad.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there is none. Opening fails rather than yielding an empty set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For each image an index into [`Dataset::class_names`]; `None` where the source has no labels.
    pub fn labels(&self) -> Option<&[u32]> {
        self.inner.labels.as_deref()
    }

    /// Names of the classes, sorted, or as the source numbers them; empty without labels.
    pub fn class_names(&self) -> &[String] {
        &self.inner.class_names
    }

    /// The image's path relative to the data set's root, or `file#17` within a file of many; empty beyond the end.
    pub fn name_of(&self, index: usize) -> String {
        match &self.inner.store {
            Store::Files { relative, .. } => relative.get(index).map(|p| p.display().to_string()).unwrap_or_default(),
            Store::Raw(raw) => raw.name_of(index),
        }
    }

    /// The image's file; `None` for images inside a file of many.
    pub fn path_of(&self, index: usize) -> Option<PathBuf> {
        match &self.inner.store {
            Store::Files { root, relative } => Some(root.join(relative.get(index)?)),
            Store::Raw(_) => None,
        }
    }

    /// A hash of kind, count and names (relative to the root, so that moving the folder does not change it). The same on every
    /// machine; a resumed run compares it.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.part(self.inner.kind.as_bytes());
        hash.part(&(self.len() as u64).to_le_bytes());
        match &self.inner.store {
            Store::Files { relative, .. } => {
                relative.iter().for_each(|path| hash.part(path.as_os_str().as_encoded_bytes()));
            }
            Store::Raw(raw) => raw.hash(&mut hash),
        }
        hash.finish()
    }

    /// "image folder", "list file", "IDX", "CIFAR-10" or "CIFAR-100".
    pub fn kind(&self) -> &'static str {
        self.inner.kind
    }

    /// What went wrong in part while opening (folders that could not be read, loops of links), for the log.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Width and height where all images share them without having been decoded (IDX, CIFAR).
    pub fn uniform_size(&self) -> Option<(u32, u32)> {
        match &self.inner.store {
            Store::Files { .. } => None,
            Store::Raw(raw) => Some((raw.width, raw.height)),
        }
    }

    /// Whether reading an image needs no decoding (IDX, CIFAR).
    pub fn is_raw(&self) -> bool {
        matches!(self.inner.store, Store::Raw(_))
    }

    /// Reads the encoded bytes of an image into `bytes`; nothing for raw images.
    pub fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), DecodeError> {
        bytes.clear();
        match &self.inner.store {
            Store::Files { root, relative } => match relative.get(index) {
                Some(path) => decode::read_file(&root.join(path), bytes),
                None => Err(DecodeError::new(BadReason::Vanished, format!("there is no image {index}"))),
            },
            Store::Raw(_) => Ok(()),
        }
    }

    /// Turns what [`Dataset::read`] gave for `index` into pixels.
    pub fn decode(
        &self,
        index: usize,
        bytes: &[u8],
        decoder: &mut Decoder,
        options: &DecodeOptions,
        pixels: &mut Pixels,
    ) -> Result<(), DecodeError> {
        match &self.inner.store {
            Store::Files { .. } => decoder.decode(bytes, options, pixels),
            Store::Raw(raw) => raw.copy(index, pixels),
        }
    }
}

impl Inner {
    fn len(&self) -> usize {
        match &self.store {
            Store::Files { relative, .. } => relative.len(),
            Store::Raw(raw) => raw.count,
        }
    }
}
