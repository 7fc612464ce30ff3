//! Blocks of neighboring images, and an order of the epoch that needs only a few blocks at a time.
//!
//! A block is read by one request. An epoch draws a permutation p(0), p(1), ... of all blocks of all shards. Every image of block p(k) gets the time
//! `k + W u`, with u uniform in [0, 1) and W the window in blocks, and images are in the order of their times. Therefore:
//!
//! * Images of all shards are mixed: a batch comes from about W random blocks.
//! * Block p(k) is needed from time k to time k + W. At most W + 1 blocks are needed at once, and one new block per unit of time.
//! * The order depends only on (seed, epoch) and the shards, and training can resume at any position.
//!
//! The first batches of an epoch mix fewer blocks (the first about 2 sqrt(batch W / 2 / images per block)).

use mochi_views::random::{Purpose, Stream};

use super::place::Place;

/// Bytes of a block, unless a single image is larger. A block is one request: large compared with the latency, small enough to mix well.
pub(super) const BLOCK_BYTES: u64 = 2 << 20;
/// The window W; with [`BLOCK_BYTES`] it has 128 MiB.
pub(super) const WINDOW: u32 = 64;

/// Images `first..end`, which are in the bytes `begin..begin + length` of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) shard: u32,
    pub(super) begin: u64,
    pub(super) length: u64,
}

/// Cuts all shards into blocks.
pub(super) fn cut(places: &[Place], most: u64) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (image, place) in (0u32..).zip(places) {
        let end = place.offset.saturating_add(u64::from(place.length));
        match blocks.last_mut() {
            // If images are not listed in the order of their offsets, a new block starts at each step back.
            Some(last)
                if last.shard == place.shard
                    && place.offset >= last.begin
                    && end.max(last.begin + last.length) - last.begin <= most =>
            {
                last.end = image + 1;
                last.length = last.length.max(end - last.begin);
            }
            _ => blocks.push(Block {
                first: image,
                end: image + 1,
                shard: place.shard,
                begin: place.offset,
                length: u64::from(place.length),
            }),
        }
    }
    blocks
}

/// The block of an image.
pub(super) fn block_of(blocks: &[Block], image: u32) -> usize {
    blocks.partition_point(|block| block.end <= image).min(blocks.len().saturating_sub(1))
}

/// The order of an epoch; see the module documentation.
pub(super) fn order(blocks: &[Block], window: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut turns: Vec<u32> = (0..blocks.len() as u32).collect();
    Stream::new(seed, Purpose::Blocks, epoch, 0, 0).shuffle(&mut turns);
    let mut jitter = Stream::new(seed, Purpose::Blocks, epoch, 0, 1);
    let mut timed = Vec::new();
    for (k, block) in (0u64..).zip(turns.iter().filter_map(|&turn| blocks.get(turn as usize))) {
        for image in block.first..block.end {
            // 32 bits of fraction.
            timed.push(((k << 32) + u64::from(window) * u64::from(jitter.next_u32()), image));
        }
    }
    timed.sort_unstable();
    timed.into_iter().map(|(_, image)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(shards: u32, images: u32, length: u32) -> Vec<Place> {
        let place = |i: u32| Place { offset: u64::from(i) * u64::from(length + 512), length, shard: 0 };
        (0..shards).flat_map(|shard| (0..images).map(move |i| Place { shard, ..place(i) })).collect()
    }

    /// Largest number of blocks that are needed at once, each from its first image in the order to its last.
    fn most_wanted(blocks: &[Block], order: &[u32]) -> usize {
        let mut spans = vec![(usize::MAX, 0); blocks.len()];
        for (at, &image) in order.iter().enumerate() {
            let span = &mut spans[block_of(blocks, image)];
            *span = (span.0.min(at), at);
        }
        let mut events: Vec<(usize, i32)> = spans.iter().flat_map(|&(b, e)| [(b, 1), (e + 1, -1)]).collect();
        events.sort_unstable();
        let mut now = 0;
        events
            .iter()
            .map(|e| {
                now += e.1;
                now as usize
            })
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn an_epoch_is_a_permutation_that_wants_few_blocks(
            shards in 1u32..6, images in 1u32..80, most in 1u64..60_000, window in 1u32..20, seed: u64, epoch in 0u64..1000,
        ) {
            let places = places(shards, images, 1000);
            let blocks = cut(&places, most);
            let order = order(&blocks, window, seed, epoch);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.iter().copied().eq(0..shards * images));
            prop_assert!(most_wanted(&blocks, &order) <= window as usize + 1);
        }

        #[test]
        fn blocks_cover_every_image_once_within_their_bytes(shards in 1u32..6, images in 1u32..80, most in 1u64..60_000) {
            let places = places(shards, images, 1000);
            let blocks = cut(&places, most);
            prop_assert!(blocks.windows(2).all(|pair| pair[0].end == pair[1].first));
            for (image, place) in places.iter().enumerate() {
                let block = blocks[block_of(&blocks, image as u32)];
                prop_assert!((block.first..block.end).contains(&(image as u32)) && block.shard == place.shard);
                prop_assert!(block.begin <= place.offset);
                prop_assert!(place.offset + u64::from(place.length) <= block.begin + block.length);
                prop_assert!(block.length <= most.max(1000));
            }
        }
    }

    #[test]
    fn batches_mix_shards_and_epochs_differ() {
        // 8 shards of 200 images of 100 kB, typical of photographs: 20 images per block.
        let blocks = cut(&places(8, 200, 100_000), BLOCK_BYTES);
        let order_of = |seed, epoch| order(&blocks, WINDOW, seed, epoch);
        assert_ne!(order_of(1, 0), order_of(1, 1));
        assert_ne!(order_of(1, 0), order_of(2, 0));
        assert_eq!(order_of(1, 0), order_of(1, 0));
        for batch in order_of(1, 0).chunks_exact(256).skip(1) {
            let mut shards: Vec<u32> = batch.iter().map(|image| image / 200).collect();
            shards.sort_unstable();
            let counts: Vec<usize> = shards.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
            assert!(counts.len() == 8 && counts.iter().all(|&n| n < 256 / 3), "{counts:?}");
        }
    }
}
