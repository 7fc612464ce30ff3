//! Datasets: images of a folder, a list, a pattern, tar shards, or IDX and CIFAR files, by index.

mod cifar;
mod counter;
mod file;
mod fingerprint;
mod folder;
mod foreign;
mod idx;
mod list;
mod listing;
mod opened;
mod paths;
mod pattern;
mod raw;
mod several;
pub(crate) mod shards;
mod text;
mod timeout;
mod unique;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::{BadReason, DecodeError};

use crate::cancel::Cancel;
use crate::error::DataError;
use crate::order::shuffled;
use crate::read_error::ReadError;
use crate::read_file::read_file;
use crate::skipped::Skipped;
use crate::targets::Targets;
use fingerprint::Hasher;
pub(crate) use listing::has_image_extension;
pub(in crate::dataset) use opened::{Opened, Store};
use paths::as_path;
use timeout::{TIMEOUT, with_timeout};

pub use counter::Counter;
pub use text::{path_from_text, path_to_text};

/// Train or test split of a folder of IDX or CIFAR files. Ignored for image folders and lists.
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

/// Options of opening a dataset.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Split of a folder of IDX or CIFAR files.
    pub split: Split,
    /// Counts images while folders are listed.
    pub counter: Counter,
    /// Cancels a wait for remote shards, which then returns [`DataError::Canceled`].
    pub cancel: Cancel,
}

impl From<Split> for OpenOptions {
    fn from(split: Split) -> Self {
        Self { split, ..Self::default() }
    }
}

/// An opened dataset. Cheap to clone.
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
    skipped: Skipped,
}

impl Dataset {
    /// Opens `source`, whose format is recognized by its content:
    ///
    /// * a folder with IDX or CIFAR files: the split `options.split`;
    /// * any other folder: every JPEG, PNG and WebP file below it, in the byte order of their paths. Links are followed, and a folder that
    ///   is the target of several links is read once; hidden files and the folders of storage systems (`@eaDir`, `#recycle`) are left out, and
    ///   files of other formats are counted ([`Dataset::skipped`]). If every image is in a subfolder, the first folder level is the class;
    /// * a `.txt` file: one image, folder or pattern per line, relative to the file's folder, with an optional class after a tab;
    /// * a file: IDX images (`.gz` or not), one CIFAR batch (`.bin`), or an image;
    /// * a pattern such as `photos/2019-*/**/*.jpg`, if no such file exists: the images that match and those below folders that do;
    /// * tar shards: a folder that `mochi pack` wrote, its `dataset.json`, one `.tar`, or many as in `shards-{000000..000146}.tar` or
    ///   `shards-*.tar`; WebDataset shards of any program are supported. For `http://`, `https://` and `s3://` addresses see
    ///   [`Dataset::open_remote`].
    ///
    /// # Errors
    /// A source that does not exist, cannot be read or contains no images; a file system that does not respond for ten minutes.
    pub fn open(source: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        Self::new(source, Self::find(source, options)?)
    }

    /// Opens several sources as one dataset, in their order. Image names are relative to the deepest common folder, classes with the same name are
    /// merged, and an image in two sources is used once.
    ///
    /// # Errors
    /// As [`Dataset::open`], and a source whose images are not files (IDX, CIFAR).
    pub fn open_all(sources: &[impl AsRef<Path>], options: &OpenOptions) -> Result<Self, DataError> {
        let first = sources.first().map(AsRef::as_ref).unwrap_or(Path::new(""));
        if sources.len() <= 1 {
            return Self::open(first, options);
        }
        let opened = sources.iter().map(|source| {
            let source = source.as_ref();
            Ok((source.to_owned(), Self::find(source, options)?))
        });
        Self::new(first, several::merge(opened.collect::<Result<_, DataError>>()?)?)
    }

    /// Opens tar shards at an address: a folder with `dataset.json`, that file, one `.tar`, or several in braces. Each shard needs
    /// its index next to it (`mochi pack` writes them). Keys and endpoint of S3 come from the environment (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_SKIP_SIGNATURE`). Requires the `remote` feature.
    ///
    /// # Errors
    /// [`DataError::Address`]; [`DataError::Remote`] if a file cannot be read, [`DataError::Format`] if its content is invalid.
    pub fn open_remote(url: &str, options: &shards::RemoteOptions) -> Result<Self, DataError> {
        let address = shards::Address::parse(url)?;
        Self::new(Path::new(&address.to_string()), shards::open_remote(&address, options, &Cancel::default())?)
    }

    /// The order of an epoch: a permutation that depends on the seed, the epoch and the dataset. For remote shards, the order needs only a few blocks at
    /// a time.
    pub(crate) fn order(&self, seed: u64, epoch: u64) -> Vec<u32> {
        if let Store::Shards(shards) = &self.inner.store
            && let Some(order) = shards.order(seed, epoch)
        {
            return order;
        }
        shuffled(self.len(), seed, epoch)
    }

    /// Reads ahead for the images of an epoch, in the order in which they will be read; `None` if the storage needs no read-ahead.
    pub(crate) fn stream(&self, images: impl Iterator<Item = u32>) -> Option<shards::stream::Stream> {
        match &self.inner.store {
            Store::Shards(shards) => shards::stream::Stream::new(shards, images),
            _ => None,
        }
    }

    fn find(source: &Path, options: &OpenOptions) -> Result<Opened, DataError> {
        if let Some(opened) = shards::open_address(source, &options.cancel)? {
            return Ok(opened);
        }
        let owned = source.to_owned();
        let metadata = match with_timeout(source, TIMEOUT, move |_| std::fs::metadata(owned))? {
            Ok(metadata) => metadata,
            Err(error) => {
                return match error.kind() {
                    std::io::ErrorKind::NotFound if shards::is_pattern(source) => shards::open_pattern(source),
                    std::io::ErrorKind::NotFound if pattern::is_pattern(paths::as_bytes(source)) => {
                        pattern::open(source, &options.counter)
                    }
                    std::io::ErrorKind::NotFound => Err(DataError::NotFound { path: source.into() }),
                    _ => Err(DataError::Io { path: source.into(), source: error }),
                };
            }
        };
        if metadata.is_dir() {
            if let Some(opened) = shards::open_folder(source)? {
                return Ok(opened);
            }
            if let Some(opened) = idx::open_folder(source, options.split)? {
                return Ok(opened);
            }
            if let Some(opened) = cifar::open_folder(source, options.split)? {
                return Ok(opened);
            }
            return folder::open(source, &options.counter).map_err(|error| match error {
                DataError::NoImages { .. } => shards::tar_folder(source).unwrap_or(error),
                other => other,
            });
        }
        let refused = |detail: &str| DataError::Format { path: source.into(), detail: detail.into() };
        if !metadata.is_file() {
            return Err(refused("it is a pipe or a device"));
        }
        let has_extension = |wanted: &str| source.extension().is_some_and(|e| e.eq_ignore_ascii_case(wanted));
        if let Some(opened) = shards::open_file(source)? {
            return Ok(opened);
        }
        if has_extension("txt") {
            return list::open(source, &options.counter);
        }
        if let Some(opened) = idx::open_file(source)? {
            return Ok(opened);
        }
        if has_extension("bin") {
            return cifar::open_file(source);
        }
        folder::open_image(source).ok_or_else(|| {
            let head = file::head(source).unwrap_or_default();
            let known = foreign::describe_file(source, &head);
            refused(known.unwrap_or("it is not a .txt list, tar shard, IDX file, CIFAR file or image"))
        })
    }

    fn new(source: &Path, opened: Opened) -> Result<Self, DataError> {
        let Opened { kind, store, labels, class_names, mut warnings, skipped } = opened;
        warnings.extend(skipped.warning());
        let inner = Inner { kind, store, labels, class_names, warnings, skipped };
        let count = inner.len();
        if u32::try_from(count).is_err() {
            return Err(DataError::TooMany { path: source.into(), count });
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Number of images, including bad ones.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether there are no images. This is never the case: opening an empty dataset fails.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For each image an index into [`Dataset::class_names`]; `None` if the source has no labels.
    pub fn labels(&self) -> Option<&[u32]> {
        self.inner.labels.as_deref()
    }

    /// The targets of image `index`: its class, or none if the source has no labels.
    pub fn targets(&self, index: usize) -> Targets {
        self.labels().and_then(|labels| labels.get(index)).map_or(Targets::None, |&class| Targets::Class(class))
    }

    /// Names of the classes, sorted or in the order of the source; empty without labels.
    pub fn class_names(&self) -> &[String] {
        &self.inner.class_names
    }

    /// The image's path relative to the dataset's root, or `file#17` in a file of many images; empty if `index` is out of range.
    pub fn name_of(&self, index: usize) -> String {
        match &self.inner.store {
            Store::Files { relative, .. } => {
                relative.get(index).map(|p| String::from_utf8_lossy(p).into_owned()).unwrap_or_default()
            }
            Store::Raw(raw) => raw.name_of(index),
            Store::Shards(shards) => shards.name(index).to_owned(),
        }
    }

    /// The image's file; `None` for images in a file of many images.
    pub fn path_of(&self, index: usize) -> Option<PathBuf> {
        match &self.inner.store {
            Store::Files { root, relative } => Some(root.join(as_path(relative.get(index)?))),
            Store::Raw(_) | Store::Shards(_) => None,
        }
    }

    /// Hash of format, count, names, labels and contents, the same on every machine. A resumed run compares it.
    ///
    /// Names are relative to the root, so moving the folder does not change the fingerprint. It includes all pixels of IDX and CIFAR files, the
    /// lengths of the images in shards, and the size and first 4 KiB of 256 image files, which are selected by their names. The cost does not grow
    /// with the number of files.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Hasher::default();
        hash.part(self.inner.kind.as_bytes());
        hash.part(&(self.len() as u64).to_le_bytes());
        match &self.inner.store {
            Store::Files { root, relative } => {
                relative.iter().for_each(|path| hash.part(path));
                hash.contents(root, relative.iter());
            }
            Store::Raw(raw) => raw.hash(&mut hash),
            Store::Shards(shards) => shards.hash(&mut hash),
        }
        hash.labels(self.labels(), self.class_names());
        hash.finish()
    }

    /// "image folder", "image file", "list file", "pattern", "several sources", "IDX", "CIFAR-10", "CIFAR-100", "tar shards" or
    /// "remote tar shards".
    pub fn kind(&self) -> &'static str {
        self.inner.kind
    }

    /// The files that were skipped while opening, by extension.
    pub fn skipped(&self) -> &Skipped {
        &self.inner.skipped
    }

    /// Warnings from opening: folders that could not be read, links that were not followed, files in unsupported formats.
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// Width and height if all images have the same size by their format (IDX, CIFAR).
    pub fn uniform_size(&self) -> Option<(u32, u32)> {
        match &self.inner.store {
            Store::Files { .. } | Store::Shards(_) => None,
            Store::Raw(raw) => Some((raw.width, raw.height)),
        }
    }

    /// Whether reading an image needs no decoding (IDX, CIFAR).
    pub fn is_raw(&self) -> bool {
        matches!(self.inner.store, Store::Raw(_))
    }

    /// Reads the encoded bytes of an image into `bytes`, which is left empty for raw images.
    ///
    /// # Errors
    /// [`ReadError`] distinguishes a bad image from a storage failure.
    pub fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        bytes.clear();
        match &self.inner.store {
            Store::Files { root, relative } => match relative.get(index) {
                Some(path) => read_file(&root.join(as_path(path)), bytes),
                None => Err(DecodeError::new(BadReason::Vanished, format!("image {index} does not exist")).into()),
            },
            Store::Raw(_) => Ok(()),
            Store::Shards(shards) => shards.read(index, bytes),
        }
    }

    /// Decodes the bytes that [`Dataset::read`] returned for `index`.
    pub fn decode(
        &self,
        index: usize,
        bytes: &[u8],
        decoder: &mut Decoder,
        options: &DecodeOptions,
        pixels: &mut Pixels,
    ) -> Result<(), DecodeError> {
        match &self.inner.store {
            Store::Files { .. } | Store::Shards(_) => decoder.decode(bytes, options, pixels),
            Store::Raw(raw) => raw.copy(index, pixels),
        }
    }
}

impl Inner {
    fn len(&self) -> usize {
        match &self.store {
            Store::Files { relative, .. } => relative.len(),
            Store::Raw(raw) => raw.count,
            Store::Shards(shards) => shards.len(),
        }
    }
}
