//! Where images are: a folder, a list, or a file that holds many, behind one indexed view.

mod cifar;
mod idx;
mod list;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::decode::{self, DecodeOptions, Decoder, Pixels};
use crate::error::{BadReason, DataError, DecodeError};

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

/// Uncompressed images of one size.
#[derive(Debug)]
struct Raw {
    /// Name of each source file and the index of its first image.
    files: Vec<(String, usize)>,
    bytes: Vec<u8>,
    count: usize,
    width: u32,
    height: u32,
    /// 1 (grey) or 3 (planes R, G, B, as CIFAR stores them).
    channels: usize,
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
            Store::Raw(raw) if index < raw.count => {
                let after = raw.files.partition_point(|&(_, first)| first <= index);
                raw.files
                    .get(after.wrapping_sub(1))
                    .map_or_else(String::new, |(n, first)| format!("{n}#{}", index - first))
            }
            Store::Raw(_) => String::new(),
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
            Store::Raw(raw) => {
                for (name, first) in &raw.files {
                    hash.part(name.as_bytes());
                    hash.part(&(*first as u64).to_le_bytes());
                }
                hash.part(&[raw.channels as u8]);
                hash.part(&raw.width.to_le_bytes());
                hash.part(&raw.height.to_le_bytes());
            }
        }
        hash.0
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

impl Raw {
    fn copy(&self, index: usize, pixels: &mut Pixels) -> Result<(), DecodeError> {
        pixels.shape(self.width, self.height);
        let area = self.width as usize * self.height as usize;
        let size = area * self.channels;
        let Some(from) = self.bytes.get(index * size..(index + 1) * size) else {
            return Err(DecodeError::new(BadReason::Truncated, format!("there is no image {index}")));
        };
        // The one plane three times, or the three planes.
        let plane = |c: usize| if self.channels == 1 { from } else { &from[c * area..(c + 1) * area] };
        let planes = plane(0).iter().zip(plane(1)).zip(plane(2));
        for (to, ((r, g), b)) in pixels.rgb.chunks_exact_mut(3).zip(planes) {
            to.copy_from_slice(&[*r, *g, *b]);
        }
        Ok(())
    }
}

/// FNV-1a with 64 bits: small, stable, and nothing here is secret.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The length goes in as well, so that "ab", "c" and "a", "bc" differ.
    fn part(&mut self, bytes: &[u8]) {
        for &byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Reads a whole file, through gzip where its first bytes say so; at most `limit` bytes come out.
fn read_maybe_gzip(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    use std::io::Read;
    let fail = |source| DataError::Io { path: path.into(), source };
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    let mut magic = [0u8; 2];
    let got = file.read(&mut magic).map_err(fail)?;
    let whole = magic[..got].chain(file);
    if magic == [0x1F, 0x8B] {
        flate2::read::MultiGzDecoder::new(whole).take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    } else {
        whole.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    }
    if bytes.len() as u64 > limit {
        let detail = format!("it holds more than {limit} bytes");
        return Err(DataError::Format { path: path.into(), detail });
    }
    Ok(bytes)
}

/// The file's own name, for messages and [`Dataset::name_of`].
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
