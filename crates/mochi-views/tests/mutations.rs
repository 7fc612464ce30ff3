//! Thousands of damaged files: every one becomes pixels or a reason; none a panic, a hang or a heap of memory.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use mochi_views::BadReason;
use mochi_views::decode::{DecodeOptions, Decoder, MAX_PIXELS, Pixels};
use mochi_views::random::{Purpose, Stream};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)).unwrap()
}

const SEEDS: [&str; 12] = [
    "444.jpg",
    "420.jpg",
    "progressive.jpg",
    "restart.jpg",
    "cmyk.jpg",
    "turned.jpg",
    "rgb.png",
    "p4.png",
    "la.png",
    "lossy.webp",
    "lossless.webp",
    "alpha.webp",
];
const PER_SEED: u32 = 500;

fn mutate(bytes: &mut Vec<u8>, stream: &mut Stream) {
    for _ in 0..=stream.below(4) {
        let n = bytes.len() as u32;
        if n == 0 {
            return;
        }
        let at = stream.below(n) as usize;
        match stream.below(7) {
            0 => bytes[at] ^= 1 << stream.below(8),
            1 => bytes[at] = stream.next_u32() as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + 1 + stream.below(16) as usize).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => bytes.insert(at, stream.next_u32() as u8),
            // Headers are where sizes and tables are.
            5 => {
                let head = stream.below(n.min(64)) as usize;
                bytes[head] = [0, 1, 0x7F, 0x80, 0xFF][stream.below(5) as usize];
            }
            _ => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(0xFF);
            }
        }
    }
}

/// The most memory that this process held so far.
fn peak_mib() -> Option<u64> {
    mochi_system::peak_memory().map(|bytes| bytes >> 20)
}

#[test]
fn damaged_files_end_in_pixels_or_a_reason() {
    let mut decoder = Decoder::new();
    let options = DecodeOptions { exif_orientation: true, ..DecodeOptions::default() };
    let (mut good, mut slowest) = (0u32, Duration::ZERO);
    let mut reasons = std::collections::BTreeMap::<BadReason, u32>::new();
    for (number, name) in SEEDS.iter().enumerate() {
        let whole = fixture(name);
        for round in 0..PER_SEED {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut Stream::new(round.into(), Purpose::View, 0, number as u32, 0));
            let mut pixels = Pixels::default();
            let started = Instant::now();
            match decoder.decode(&bytes, &options, &mut pixels) {
                Ok(()) => {
                    good += 1;
                    let area = u64::from(pixels.width) * u64::from(pixels.height);
                    assert!(area > 0 && area <= MAX_PIXELS && pixels.rgb.len() as u64 == area * 3);
                }
                Err(error) => *reasons.entry(error.reason).or_default() += 1,
            }
            assert!(pixels.rgb.capacity() as u64 <= MAX_PIXELS * 3);
            slowest = slowest.max(started.elapsed());
        }
        // The decoder is as good as new after all that.
        decoder.decode(&whole, &options, &mut Pixels::default()).unwrap();
    }
    println!("{good} decoded, {reasons:?}, slowest {slowest:?}, at most {:?} MiB", peak_mib());
    assert!(slowest < Duration::from_secs(5));
    // The decoders' own memory included, C or not: most pixels as RGB, the same as RGBA on the way, and a progressive JPEG's
    // coefficients (three planes of 16 bits) would be 1.1 GiB.
    assert!(peak_mib().is_none_or(|mib| mib < 1200), "{:?} MiB", peak_mib());
    let families = |end: &str| SEEDS.iter().filter(|name| name.ends_with(end)).count() as u32 * PER_SEED;
    assert!([".jpg", ".png", ".webp"].iter().all(|end| families(end) >= 1500), "every decoder gets its share");
    assert_eq!(reasons.get(&BadReason::Panicked), None);
    assert!(reasons.contains_key(&BadReason::Truncated) && reasons.contains_key(&BadReason::Corrupt));
}

#[test]
fn every_truncation_of_every_format_is_noticed() {
    let mut decoder = Decoder::new();
    for name in SEEDS {
        let whole = fixture(name);
        // The last bytes can be a trailer that holds no pixels (JPEG's end marker, PNG's IEND, WebP's metadata and padding).
        for cut in (0..whole.len() * 8 / 10).step_by(7) {
            let result = decoder.decode(&whole[..cut], &DecodeOptions::default(), &mut Pixels::default());
            assert!(result.is_err(), "{name} cut at {cut} of {} passed for whole", whole.len());
        }
    }
}
