//! What one epoch holds in memory, and when it asks.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use super::*;
use crate::RemoteOptions;
use crate::dataset::{Dataset, OpenOptions, Store};
use crate::pack::{PackOptions, pack};

#[path = "../../../tests/it/common/server.rs"]
mod server;

/// Shards of `count` images of about 700 bytes behind a server, in blocks of one to three images.
fn setting(count: usize) -> (Vec<tempfile::TempDir>, server::Server, Arc<Shards>) {
    let (source, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for i in 0..count {
        let file = std::fs::File::create(source.path().join(format!("{i:04}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, 16, 16);
        encoder.set_color(png::ColorType::Rgb);
        let pixels: Vec<u8> = (0..768).map(|p| (p * 31 + i * 17 + p * p * i % 251) as u8).collect();
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    }
    let dataset = Dataset::open(source.path(), &OpenOptions::default()).unwrap();
    pack(&dataset, packed.path(), &PackOptions::default(), &mut |_| ()).unwrap();
    let server = server::Server::start(packed.path());
    let options = RemoteOptions { block_bytes: 3500, ..RemoteOptions::default() };
    let dataset = Dataset::open_remote(&server.url(), &options).unwrap();
    let Store::Shards(shards) = &dataset.inner.store else { panic!("shards were opened") };
    let shards = shards.clone();
    (vec![source, packed], server, shards)
}

#[test]
fn an_epoch_holds_its_window_and_what_is_ahead_and_lets_go_of_all_else() {
    let (_folders, _server, shards) = setting(900);
    let blocks = shards.remote().unwrap().blocks.len();
    assert!(blocks > 3 * (WINDOW as usize + AHEAD_BLOCKS), "{blocks} blocks");
    let order = shards.order(7, 3).unwrap();
    for (order, first, most) in [
        (Some(&order[..]), 0, WINDOW as usize + 1 + AHEAD_BLOCKS),
        (Some(&order[..]), 500, WINDOW as usize + 1 + AHEAD_BLOCKS),
        (None, 0, 2 + AHEAD_BLOCKS),
    ] {
        let images = (first..900).map(|position| order.map_or(position as u32, |o| o[position]));
        let stream = Stream::new(&shards, images).unwrap();
        let (stop, mut bytes, mut peak) = (Cancel::default(), Vec::new(), 0);
        for position in first..900 {
            let image = order.map_or(position as u32, |o| o[position]);
            stream.read(image, &mut bytes, &stop).unwrap();
            peak = peak.max(lock(&stream.shared).slots.len());
            stream.done(image);
        }
        assert!(peak <= most, "{peak} blocks were held, {most} are allowed");
        assert!(peak > AHEAD_BLOCKS, "{peak}: nothing was asked for ahead");
        assert!(lock(&stream.shared).slots.is_empty(), "at the end everything is let go");
    }
}

/// Security review S17: an index with images of 512 MiB made 16 of them be requested ahead.
#[test]
fn s17_what_is_ahead_is_limited_in_bytes() {
    assert_eq!(ahead(std::iter::repeat(512 << 20)), 0);
    assert_eq!(ahead([BLOCK_BYTES, 512 << 20, 1].into_iter()), 1);
    assert_eq!(ahead(std::iter::repeat(BLOCK_BYTES)), AHEAD_BLOCKS);
    assert_eq!(ahead(std::iter::repeat(1)), AHEAD_BLOCKS);
    assert_eq!(ahead(std::iter::empty()), 0);
}
