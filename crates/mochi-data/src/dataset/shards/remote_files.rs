//! The files of remote shards, read in blocks or by position.

use super::blocks::{self, Block};
use super::client::{Answer, Client};
use super::part::Part;
use super::place::Place;
use crate::cancel::Cancel;

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
    pub(super) fn new(client: Client, shards: Vec<String>, block_bytes: u64) -> Self {
        Self { client, shards, blocks: Vec::new(), block_bytes }
    }

    /// Cuts the shards into blocks, once the offsets of their images are known.
    pub(super) fn cut(&mut self, places: &[Place]) {
        self.blocks = blocks::cut(places, self.block_bytes);
    }

    /// Reads a single image: a replacement of a bad image, or an image outside of a streamed epoch.
    pub(super) fn read(&self, place: Place, cancel: &Cancel) -> Answer {
        let name = self.shards.get(place.shard as usize).map_or("", |s| s);
        self.client.read(name, Part::Range(place.offset..place.offset + u64::from(place.length)), cancel)
    }
}
