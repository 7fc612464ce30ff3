//! All images of all shards as one table.

use mochi_views::decode::MAX_FILE_BYTES;
use mochi_views::{BadReason, DecodeError};

use super::files::Files;
use super::index::Listing;
use super::place::Place;
use super::remote_files::Remote;
use crate::cancel::Cancel;
use crate::dataset::fingerprint::Hasher;
use crate::read_error::ReadError;

/// All images of all shards.
#[derive(Debug)]
pub(crate) struct Shards {
    /// In the order of the shards, and within a shard in the order of the listing.
    places: Vec<Place>,
    /// CRC-32C of each image's bytes; empty if some are unknown.
    crcs: Vec<u32>,
    /// All names, concatenated, and the end of each.
    names: String,
    ends: Vec<usize>,
    pub(super) reach: Reach,
}

/// Access to the bytes.
#[derive(Debug)]
pub(super) enum Reach {
    Local(Files),
    Remote(Box<Remote>),
}

impl Shards {
    /// Joins the listings, shard by shard, with the labels if every image has one.
    pub(super) fn join(listings: Vec<Listing>, mut reach: Reach) -> (Self, Option<Vec<u32>>, usize) {
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

    /// Adds the images to a fingerprint: names and lengths, which are the same with and without an index.
    pub(in crate::dataset) fn hash(&self, hash: &mut Hasher) {
        (0..self.len()).for_each(|i| hash.part(self.name(i).as_bytes()));
        let lengths = self.places.iter().flat_map(|place| place.length.to_le_bytes());
        hash.part(&lengths.collect::<Vec<u8>>());
    }

    /// Reads a single image.
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

    pub(super) fn place(&self, index: usize) -> Result<Place, DecodeError> {
        match self.places.get(index) {
            Some(place) if u64::from(place.length) > MAX_FILE_BYTES => {
                let detail = format!("{} bytes exceed the limit of {MAX_FILE_BYTES}", place.length);
                Err(DecodeError::new(BadReason::Oversized, detail))
            }
            Some(place) => Ok(*place),
            None => Err(DecodeError::new(BadReason::Vanished, format!("image {index} does not exist"))),
        }
    }

    /// Compares an image's bytes with their checksum.
    pub(super) fn check(&self, index: usize, bytes: &[u8]) -> Result<(), DecodeError> {
        match self.crcs.get(index) {
            Some(&crc) if crc32c::crc32c(bytes) != crc => {
                Err(DecodeError::new(BadReason::Corrupt, "the bytes differ from those that were packed (CRC-32C)"))
            }
            _ => Ok(()),
        }
    }
}
