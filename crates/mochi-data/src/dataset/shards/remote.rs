//! Shards behind `http://`, `https://` or `s3://`: opening them, and the error when they do not come.

use std::path::Path;
use std::time::Duration;

use super::blocks::{self, BLOCK_BYTES, Block};
use super::client::{Answer, Client};
use super::index::{self, Listing};
use super::manifest::{self, Manifest};
use super::{Place, Reach, opened, pattern};
use crate::dataset::Opened;
use crate::error::DataError;

/// How much a remote place is put up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Times that a request is tried, at least 1.
    pub tries: u32,
    /// Pause after the first failure; it doubles each time, up to 15 s.
    pub first_pause: Duration,
    /// Longest time to make a connection.
    pub connect_timeout: Duration,
    /// Longest time of one try: at most 2 MiB are asked for, unless an image has more.
    pub timeout: Duration,
    /// No new try is begun when this has passed since the first.
    pub patience: Duration,
    /// Bytes asked for at once, unless an image has more. An epoch's order follows from it: a run must go on with what it began with.
    pub block_bytes: u64,
}

impl Default for RemoteOptions {
    /// Eight tries within three minutes, each at most a minute, ten seconds of it to connect.
    fn default() -> Self {
        Self {
            tries: 8,
            first_pause: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            patience: Duration::from_secs(180),
            block_bytes: BLOCK_BYTES,
        }
    }
}

/// Bytes that did not come.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{url} could not be read: {detail}")]
pub(crate) struct Lost {
    pub(super) url: String,
    pub(super) tries: u32,
    /// Status or system's words of the last try.
    pub(super) detail: String,
    /// The server says that there is no such file.
    pub(super) missing: bool,
}

impl From<Lost> for DataError {
    fn from(lost: Lost) -> Self {
        if lost.tries == 0 {
            return Self::Setting { what: "address", detail: format!("{}: {}", lost.url, lost.detail) };
        }
        Self::Remote { url: lost.url, tries: lost.tries, detail: lost.detail, missing: lost.missing }
    }
}

/// Shards of one folder.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) client: Client,
    /// File name of each shard.
    pub(super) shards: Vec<String>,
    pub(super) blocks: Vec<Block>,
    block_bytes: u64,
}

impl Remote {
    /// Cuts the shards into blocks, when it is known what lies where.
    pub(super) fn cut(&mut self, places: &[Place]) {
        self.blocks = blocks::cut(places, self.block_bytes);
    }

    /// One image by itself: for the few that are read out of turn.
    pub(super) fn read(&self, place: Place) -> Answer {
        let name = self.shards.get(place.shard as usize).map_or("", |s| s);
        self.client.read(name, Some(place.offset..place.offset + u64::from(place.length)))
    }
}

/// Opens a folder with `dataset.json`, that file, one `.tar`, or several in braces; each with its index beside it.
pub(in crate::dataset) fn open(source: &str, options: &RemoteOptions) -> Result<Opened, DataError> {
    let path = Path::new(source);
    let (folder, last) = source.rsplit_once('/').unwrap_or((source, ""));
    let (client, shards, manifest) = if last.ends_with(".tar") {
        let wrong = |detail| DataError::Format { path: path.into(), detail };
        if pattern::is_pattern(folder) || last.contains('*') {
            let detail = "behind an address only braces in the last part of the name are understood".to_owned();
            return Err(wrong(detail));
        }
        (Client::new(folder, options)?, pattern::expand(last).map_err(wrong)?, None)
    } else {
        let client = Client::new(if last == manifest::FILE { folder } else { source }, options)?;
        let bytes = client.read(manifest::FILE, None)?;
        let wrong = |detail| DataError::Format { path: path.into(), detail };
        let Some(manifest) = Manifest::parse(&bytes).map_err(wrong)? else {
            return Err(wrong("its dataset.json is not one of `mochi pack`".into()));
        };
        let shards = manifest.shards.iter().map(|s| s.file.clone()).collect();
        (client, shards, Some(manifest))
    };
    let indexes: Vec<String> = shards.iter().map(|s| manifest::index_of(s)).collect();
    let mut listings: Vec<Listing> = Vec::with_capacity(shards.len());
    for (name, bytes) in indexes.iter().zip(client.read_all(&indexes)?) {
        let listing =
            index::decode(&bytes).map_err(|detail| DataError::Format { path: Path::new(folder).join(name), detail })?;
        listings.push(listing);
    }
    for (shard, listing) in manifest.iter().flat_map(|m| &m.shards).zip(&listings) {
        if shard.bytes != listing.bytes || shard.images as usize != listing.images.len() {
            let detail = format!("the index of {} does not belong to its dataset.json", shard.file);
            return Err(DataError::Format { path: path.into(), detail });
        }
    }
    let reach =
        Reach::Remote(Box::new(Remote { client, shards, blocks: Vec::new(), block_bytes: options.block_bytes }));
    let class_names = manifest.map_or_else(Vec::new, |m| m.class_names);
    // Another kind than on a disk: the order of an epoch is another, so a run cannot go on with the one where it began with the other.
    opened("remote tar shards", path, listings, reach, class_names, Vec::new())
}
