//! `mochi-jpeg` against libjpeg-turbo: the same pixels where it takes a file, the same outcome for every file.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;
use turbojpeg::{Compressor, Subsamp};

use super::*;
use crate::random::{Purpose, Stream};

const SUBSAMPLINGS: [Subsamp; 5] = [Subsamp::Sub2x2, Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2, Subsamp::Gray];

pub(super) fn alone(bytes: &[u8]) -> Result<Pixels, BadReason> {
    let mut pixels = Pixels::default();
    let done = JpegDecoder::decode_any(bytes, &DecodeOptions::default(), &mut pixels, &mut Vec::new());
    done.map(|()| pixels).map_err(|e| e.reason)
}

fn fast(decoder: &mut JpegDecoder, bytes: &[u8]) -> Option<Pixels> {
    let mut pixels = Pixels::default();
    decoder.try_fast(bytes, &mut pixels).then_some(pixels)
}

/// An image of a kind: smooth, noisy, hard edges, or one color.
fn picture(width: usize, height: usize, kind: u32, stream: &mut Stream) -> Vec<u8> {
    let (a, b, c) = (stream.below(17) as usize, stream.below(17) as usize, stream.next_u32() as usize);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for i in 0..width * height * 3 {
        let (x, y, channel) = (i / 3 % width, i / 3 / width, i % 3);
        rgb.push(match kind {
            0 => (x * a + y * b * (channel + 1) + c) as u8,
            1 => stream.next_u32() as u8,
            2 => (((x / (a + 1) + y / (b + 1) + channel) % 2) * 255) as u8,
            _ => (c >> (channel * 8)) as u8,
        });
    }
    rgb
}

/// Encoded by libjpeg-turbo.
fn encode(rgb: &[u8], width: usize, height: usize, quality: i32, subsampling: Subsamp, optimise: bool) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(quality).unwrap();
    compressor.set_subsamp(subsampling).unwrap();
    compressor.set_optimize(optimise).unwrap();
    let image = Image { pixels: rgb, width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn pixels_are_those_of_libjpeg_turbo(
        width in 1usize..100, height in 1usize..100, thin in 0u32..8, kind in 0u32..4,
        quality in 1i32..=100, which in 0usize..5, optimise: bool, seed: u64,
    ) {
        let (width, height) = match thin {
            0 => (1 + width % 5, height),
            1 => (width, 1 + height % 5),
            _ => (width, height),
        };
        let mut stream = Stream::new(seed, Purpose::View, 0, 0, 0);
        let rgb = picture(width, height, kind, &mut stream);
        let bytes = encode(&rgb, width, height, quality, SUBSAMPLINGS[which], optimise);
        let mut decoder = JpegDecoder::new();
        let got = fast(&mut decoder, &bytes);
        // A buffer that another image has used gives the same.
        let again = fast(&mut decoder, &bytes);
        prop_assert_eq!(&got, &again);
        // Noise at the lowest qualities overshoots what decoders agree on.
        prop_assert!(got.is_some() || (kind > 0 && quality < 30), "unsupported: {:?}", mochi_jpeg::Header::read(&bytes).err());
        if let Some(got) = got {
            prop_assert!(alone(&bytes).is_ok_and(|want| want == got));
        }
    }
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)).unwrap()
}

#[test]
fn which_fixtures_are_taken() {
    let mut decoder = JpegDecoder::new();
    for name in ["420.jpg", "422.jpg", "444.jpg", "gray.jpg", "restart.jpg", "turned.jpg"] {
        let got = fast(&mut decoder, &fixture(name));
        assert!(got.is_some(), "{name}");
        assert!(got == alone(&fixture(name)).ok(), "{name}");
    }
    for name in ["progressive.jpg", "cmyk.jpg"] {
        assert!(fast(&mut decoder, &fixture(name)).is_none(), "{name}");
    }
}

/// Changes that a disk, a network or a malicious hand makes; those to markers and tables among them.
fn damage(bytes: &mut Vec<u8>, stream: &mut Stream) {
    for _ in 0..=stream.below(3) {
        let at = stream.below(bytes.len() as u32) as usize;
        let random = stream.next_u32() as u8;
        match stream.below(9) {
            0 => bytes[at] ^= 1 << stream.below(8),
            1 => bytes[at] = random,
            2 => bytes.truncate(at.max(4)),
            3 => drop(bytes.drain(at..(at + 1 + stream.below(16) as usize).min(bytes.len()))),
            4 => bytes.insert(at, random),
            5 => {
                let head = stream.below(620.min(bytes.len() as u32)) as usize;
                bytes[head] = [0, 1, 2, random, 0x7F, 0xFF][stream.below(6) as usize];
            }
            6 => drop(bytes.splice(at..at, [0xFF, [0xD0, 0xD3, 0xD9, 0xDA, 0xFF, 0x00][stream.below(6) as usize]])),
            7 => {
                // Swap two segments, or lose one.
                let starts: Vec<usize> =
                    (2..bytes.len() - 1).filter(|&i| bytes[i] == 0xFF && bytes[i + 1] >= 0xC0).collect();
                if let [a, .., b] = starts[..] {
                    let at = a + (b - a) / 2;
                    let next = starts.iter().copied().find(|&s| s > at).unwrap_or(b);
                    let previous = starts.iter().copied().rev().find(|&s| s <= at).unwrap_or(a);
                    let piece: Vec<u8> = bytes.drain(previous..next).collect();
                    if stream.chance(0.5) {
                        bytes.splice(a..a, piece);
                    }
                }
            }
            // What follows the end of the image does not matter; what precedes it does.
            _ => bytes.extend([random, 0xFF, 0xD9]),
        }
        if bytes.len() < 8 {
            return;
        }
    }
}

#[test]
fn damaged_files_have_the_outcome_that_libjpeg_turbo_alone_gives() {
    let mut decoder = JpegDecoder::new();
    let (mut taken, mut total) = (0, 0);
    let mut small = Vec::new();
    let mut stream = Stream::new(3, Purpose::View, 0, 0, 0);
    for (i, &subsampling) in SUBSAMPLINGS.iter().enumerate() {
        let rgb = picture(40, 33, 0, &mut stream);
        small.push(encode(&rgb, 40, 33, 80, subsampling, i % 2 == 0));
    }
    let files = ["420.jpg", "444.jpg", "gray.jpg", "restart.jpg", "turned.jpg"].map(fixture);
    for (number, whole) in files.iter().chain(&small).enumerate() {
        for round in 0..1_500 {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut Stream::new(round, Purpose::View, 1, number as u32, 0));
            let mut pixels = Pixels::default();
            let done = decoder.decode(&bytes, &DecodeOptions::default(), &mut pixels, &mut Vec::new());
            let got = done.map(|()| pixels).map_err(|e| e.reason);
            assert!(got == alone(&bytes), "file {number}, round {round}: {:?}", got.map(|_| ()));
            taken += u32::from(fast(&mut decoder, &bytes).is_some());
            total += 1;
        }
    }
    // Some damage does no harm (in comments, in unused tables, after the end); most does.
    assert!(taken > total / 20 && taken < total / 2, "{taken} of {total}");
}

#[test]
fn a_file_without_its_tables_does_not_borrow_those_of_the_file_before() {
    let whole = fixture("420.jpg");
    let at = whole.windows(2).position(|w| w == [0xFF, 0xDB]).unwrap();
    let length = 2 + usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
    let lacking = [&whole[..at], &whole[at + length..]].concat();
    let mut decoder = JpegDecoder::new();
    let mut decode = |bytes: &[u8]| {
        decoder.decode(bytes, &DecodeOptions::default(), &mut Pixels::default(), &mut Vec::new()).map_err(|e| e.reason)
    };
    decode(&fixture("progressive.jpg")).unwrap();
    assert_eq!(decode(&lacking), Err(BadReason::Corrupt));
}
