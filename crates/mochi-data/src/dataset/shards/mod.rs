//! Tar shards: many images in few large files, on a disk or behind HTTP or S3.
//!
//! What `mochi pack` wrote (`dataset.json`, `000000.tar`, `000000.idx`, ...), a shard by itself, a list in WebDataset's notation. All of
//! them become one table of (shard, offset, length), so that any image can be read by itself and order, resume, fingerprint and the
//! rules for bad images are those of every other data set.
//!
//! Local shards are read by position straight into the reader's buffer, not through memory maps: a map needs `unsafe`, and ends the
//! program by SIGBUS when a file shrinks or its network file system goes away, where a read returns an error. The copy costs
//! about as much as the page faults that it saves.
//!
//! Remote shards are read in blocks that run ahead of the loader ([`stream`]); their epochs are shuffled so that few blocks are needed
//! at a time ([`blocks`]).

mod address;
mod blocks;
pub(crate) mod index;
mod local;
mod lost;
pub(crate) mod manifest;
mod pattern;
mod remote;
mod scan;
pub(crate) mod stream;

#[cfg(feature = "remote")]
mod client;
#[cfg(not(feature = "remote"))]
#[path = "no_client.rs"]
mod client;

use std::path::Path;
use std::sync::Arc;

use super::fingerprint::Hasher;
use super::{Dataset, OpenOptions, Opened, Store};
use crate::cancel::Cancel;
use crate::decode::MAX_FILE_BYTES;
use crate::error::{BadReason, DataError, DecodeError};
use crate::order::shuffled;
use crate::read_error::ReadError;
use crate::skipped::Skipped;
use index::Listing;

pub use address::{Address, MOCHI_URL_QUERY, display_source};
pub(super) use local::{is_pattern, open_file, open_folder, open_pattern, tar_folder};
pub use lost::RemoteOptions;

impl Dataset {
    /// Opens tar shards behind an address: a folder with `dataset.json`, that file, one `.tar`, or several in braces. Each shard needs
    /// its index next to it (`mochi pack` writes them). Keys and endpoint of S3 come from the environment (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_SKIP_SIGNATURE`). Needs the feature `remote`.
    ///
    /// # Errors
    /// [`DataError::Address`]; [`DataError::Remote`] if something does not arrive, [`DataError::Format`] if it is not what it should be.
    pub fn open_remote(url: &str, options: &RemoteOptions) -> Result<Self, DataError> {
        let address = Address::parse(url)?;
        Self::new(Path::new(&address.to_string()), remote::open(&address, options, &Cancel::default())?)
    }

    /// The order of an epoch: a permutation that follows from (seed, epoch), the data set and nothing else. Remote shards have one that
    /// needs few blocks of them at a time.
    pub(crate) fn order(&self, seed: u64, epoch: u64) -> Vec<u32> {
        if let Store::Shards(shards) = &self.inner.store
            && let Some(order) = shards.order(seed, epoch)
        {
            return order;
        }
        shuffled(self.len(), seed, epoch)
    }

    /// Reads ahead for the images of an epoch, in the order in which they will be read; `None` where reads need not be announced.
    pub(crate) fn stream(&self, images: impl Iterator<Item = u32>) -> Option<stream::Stream> {
        match &self.inner.store {
            Store::Shards(shards) => stream::Stream::new(shards, images),
            _ => None,
        }
    }
}

/// Opens the shards behind `source` if it is an address.
pub(super) fn open_address(source: &Path, options: &OpenOptions) -> Result<Option<Opened>, DataError> {
    match Address::read(source.to_str().unwrap_or_default())? {
        Some(address) => remote::open(&address, &RemoteOptions::default(), &options.cancel).map(Some),
        None => Ok(None),
    }
}

/// Whether `source` is an address rather than a path: `http://`, `https://` or `s3://`.
pub fn is_remote(source: &Path) -> bool {
    source.to_str().is_some_and(|s| ["http://", "https://", "s3://"].iter().any(|scheme| s.starts_with(scheme)))
}

/// All images of all shards.
#[derive(Debug)]
pub(crate) struct Shards {
    /// In the order of shards, within a shard by offset as listed.
    places: Vec<Place>,
    /// CRC-32C of each image's bytes; empty where some are unknown.
    crcs: Vec<u32>,
    /// All names one after the other, and where each ends.
    names: String,
    ends: Vec<usize>,
    reach: Reach,
}

/// Where an image lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: u32,
    shard: u32,
}

/// How its bytes are come by.
#[derive(Debug)]
enum Reach {
    Local(local::Files),
    Remote(Box<remote::Remote>),
}

impl Shards {
    /// Joins the listings, shard by shard, with the labels if every image has one.
    fn join(listings: Vec<Listing>, mut reach: Reach) -> (Self, Option<Vec<u32>>, usize) {
        let count = listings.iter().map(|l| l.images.len()).sum();
        let (mut places, mut crcs, mut labels) =
            (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
        let (mut names, mut ends) = (String::new(), Vec::with_capacity(count));
        for (shard, listing) in listings.into_iter().enumerate() {
            for image in listing.images {
                places.push(Place { offset: image.offset, length: image.length, shard: shard as u32 });
                crcs.extend(image.crc);
                labels.extend(image.class);
                names.push_str(&image.name);
                ends.push(names.len());
            }
        }
        if crcs.len() != count {
            crcs = Vec::new();
        }
        if let Reach::Remote(remote) = &mut reach {
            remote.cut(&places);
        }
        let labelled = labels.len();
        let labels = (labelled == count && count > 0).then_some(labels);
        (Self { places, crcs, names, ends, reach }, labels, labelled)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn name(&self, index: usize) -> &str {
        let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(index).and_then(|&end| self.names.get(begin..end)).unwrap_or_default()
    }

    /// What tells these images from others, into a fingerprint: names and lengths, which are the same with and without
    /// an index.
    pub(super) fn hash(&self, hash: &mut Hasher) {
        (0..self.len()).for_each(|i| hash.part(self.name(i).as_bytes()));
        let lengths = self.places.iter().flat_map(|place| place.length.to_le_bytes());
        hash.part(&lengths.collect::<Vec<u8>>());
    }

    /// Reads one image by itself.
    pub(crate) fn read(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        let place = self.place(index)?;
        match &self.reach {
            Reach::Local(files) => files.read(place, bytes)?,
            Reach::Remote(remote) => {
                *bytes = remote.read(place, &Cancel::default()).map_err(|lost| ReadError::Storage(lost.into()))?;
            }
        }
        Ok(self.check(index, bytes)?)
    }

    fn place(&self, index: usize) -> Result<Place, DecodeError> {
        match self.places.get(index) {
            Some(place) if u64::from(place.length) > MAX_FILE_BYTES => {
                let detail = format!("{} bytes; at most {MAX_FILE_BYTES} are read", place.length);
                Err(DecodeError::new(BadReason::Oversized, detail))
            }
            Some(place) => Ok(*place),
            None => Err(DecodeError::new(BadReason::Vanished, format!("there is no image {index}"))),
        }
    }

    /// Holds an image's bytes against the checksum that was written with them.
    fn check(&self, index: usize, bytes: &[u8]) -> Result<(), DecodeError> {
        match self.crcs.get(index) {
            Some(&crc) if crc32c::crc32c(bytes) != crc => {
                Err(DecodeError::new(BadReason::Corrupt, "its bytes are not those that were packed (CRC-32C differs)"))
            }
            _ => Ok(()),
        }
    }
}

/// Labels and class names as a data set has them, and a warning where only some images have a class.
fn classes(
    shards: &Shards,
    labels: Option<Vec<u32>>,
    labelled: usize,
    named: Vec<String>,
    warnings: &mut Vec<String>,
) -> (Option<Vec<u32>>, Vec<String>) {
    let Some(labels) = labels else {
        if labelled > 0 {
            warnings.push(format!("{labelled} of {} images have a class (.cls): classes are left out", shards.len()));
        }
        return (None, Vec::new());
    };
    let most = labels.iter().max().copied().unwrap_or(0) as usize;
    // A class beyond all reason would ask for as many names.
    if most > shards.len().max(1 << 20) {
        warnings.push(format!("the classes (.cls) go up to {most}: they are left out"));
        return (None, Vec::new());
    }
    let names = if named.len() > most { named } else { (0..=most).map(|class| class.to_string()).collect() };
    (Some(labels), names)
}

/// Puts the pieces together.
fn opened(
    kind: &'static str,
    source: &Path,
    listings: Vec<Listing>,
    reach: Reach,
    class_names: Vec<String>,
    mut warnings: Vec<String>,
    others: usize,
) -> Result<Opened, DataError> {
    let (shards, labels, labelled) = Shards::join(listings, reach);
    if shards.len() == 0 {
        return Err(DataError::NoImagesInShards { path: source.into(), others });
    }
    let (labels, class_names) = classes(&shards, labels, labelled, class_names, &mut warnings);
    let store = Store::Shards(Arc::new(shards));
    Ok(Opened { kind, store, labels, class_names, warnings, skipped: Skipped::default() })
}
