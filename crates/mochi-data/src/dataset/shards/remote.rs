//! Opening shards at `http://`, `https://` or `s3://` addresses.

use std::path::Path;

use super::address::{Address, MOCHI_URL_QUERY};
use super::client::Client;
use super::index::{self, Listing};
use super::join::opened;
use super::lost::RemoteOptions;
use super::manifest::{self, Manifest};
use super::part::Part;
use super::remote_files::Remote;
use super::store::Reach;
use crate::cancel::Cancel;
use crate::dataset::Opened;
use crate::error::DataError;

/// Maximum size of a `dataset.json`.
const MANIFEST_BYTES: u64 = 64 << 20;

/// Opens a folder with `dataset.json`, that file, one `.tar`, or several in braces; each with its index next to it.
pub(in crate::dataset) fn open(
    address: &Address,
    options: &RemoteOptions,
    cancel: &Cancel,
) -> Result<Opened, DataError> {
    let address = address.clone().with_secrets(&std::env::var(MOCHI_URL_QUERY).unwrap_or_default())?;
    let shown = address.to_string();
    let wrong = |detail| DataError::Format { path: Path::new(&shown).into(), detail };
    let (folder, last) = address.split_last();
    let (client, shards, manifest) = if last.ends_with(".tar") {
        if mochi_tar::is_pattern(folder.path()) || last.contains('*') {
            return Err(wrong("braces are supported only in the last part of the path".into()));
        }
        (Client::new(&folder, options)?, mochi_tar::expand(last).map_err(wrong)?, None)
    } else {
        let client = Client::new(if last == manifest::FILE { &folder } else { &address }, options)?;
        let bytes = client.read(manifest::FILE, Part::Whole(MANIFEST_BYTES), cancel)?;
        let Some(manifest) = Manifest::parse(&bytes).map_err(wrong)? else {
            return Err(wrong("dataset.json was not written by `mochi pack`".into()));
        };
        let shards = manifest.shards.iter().map(|s| s.file.clone()).collect();
        (client, shards, Some(manifest))
    };
    let images = |shard: usize| manifest.as_ref().and_then(|m| m.shards.get(shard)).map(|shard| shard.images);
    let indexes: Vec<(String, u64)> = shards
        .iter()
        .enumerate()
        .map(|(number, shard)| (manifest::index_of(shard), index::most_bytes(images(number))))
        .collect();
    let mut listings: Vec<Listing> = Vec::with_capacity(shards.len());
    for ((name, _), bytes) in indexes.iter().zip(client.read_all(&indexes, cancel)?) {
        let path = || Path::new(&folder.file(name).to_string()).into();
        listings.push(index::decode(&bytes).map_err(|detail| DataError::Format { path: path(), detail })?);
    }
    for (shard, listing) in manifest.iter().flat_map(|m| &m.shards).zip(&listings) {
        if shard.bytes != listing.bytes || shard.images as usize != listing.images.len() {
            return Err(wrong(format!("the index of {} does not belong to its dataset.json", shard.file)));
        }
    }
    let reach = Reach::Remote(Box::new(Remote::new(client, shards, options.block_bytes)));
    let class_names = manifest.map_or_else(Vec::new, |m| m.class_names);
    // A separate format: the order of an epoch differs from that of local shards, so a run cannot be resumed with the other.
    opened("remote tar shards", Path::new(&shown), listings, reach, class_names, Vec::new(), 0)
}
