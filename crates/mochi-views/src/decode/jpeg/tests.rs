//! Decoding of damaged files.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::random::{Purpose, Stream};

pub(super) fn alone(bytes: &[u8]) -> Result<Pixels, BadReason> {
    let mut pixels = Pixels::default();
    let done = decode(bytes, &DecodeOptions::default(), &mut pixels, &mut Vec::new());
    done.map(|()| pixels).map_err(|e| e.reason)
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)).unwrap()
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
fn damaged_files_are_refused_or_decoded_alike_each_time() {
    let (mut decoded, mut total) = (0, 0);
    let files = ["420.jpg", "444.jpg", "gray.jpg", "restart.jpg", "turned.jpg", "progressive.jpg"].map(fixture);
    for (number, whole) in files.iter().enumerate() {
        for round in 0..500 {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut Stream::new(round, Purpose::View, 1, number as u32, 0));
            let got = alone(&bytes);
            assert!(got == alone(&bytes), "file {number}, round {round}: {:?}", got.map(|_| ()));
            if let Ok(pixels) = &got {
                assert_eq!(pixels.rgb.len(), pixels.width as usize * pixels.height as usize * 3);
            }
            decoded += u32::from(got.is_ok());
            total += 1;
        }
    }
    // Some damage does no harm (in comments, in unused tables, after the end); most does.
    assert!(decoded > total / 20 && decoded < total / 2, "{decoded} of {total}");
}

#[test]
fn a_file_without_its_tables_does_not_borrow_those_of_the_file_before() {
    let whole = fixture("420.jpg");
    let at = whole.windows(2).position(|w| w == [0xFF, 0xDB]).unwrap();
    let length = 2 + usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
    let lacking = [&whole[..at], &whole[at + length..]].concat();
    alone(&fixture("progressive.jpg")).unwrap();
    assert_eq!(alone(&lacking).err(), Some(BadReason::Corrupt));
}
