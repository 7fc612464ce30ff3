//! Field case F2: harmless oddities cost no image, wherever they occur, and damage is still told.
//!
//! Pillow gives the pixels of the untouched file for each of these.
#![allow(clippy::unwrap_used)]

use super::tests::{alone, fixture};
use super::*;

/// The first marker `code`, as a place in the file.
fn marker(bytes: &[u8], code: u8) -> usize {
    bytes.windows(2).position(|w| w == [0xFF, code]).unwrap()
}

fn insert(bytes: &[u8], at: usize, what: &[u8]) -> Vec<u8> {
    [&bytes[..at], what, &bytes[at..]].concat()
}

const FILES: [&str; 6] = ["420.jpg", "444.jpg", "gray.jpg", "restart.jpg", "progressive.jpg", "cmyk.jpg"];

fn assert_unharmed(name: &str, what: &str, changed: &[u8]) {
    let want = alone(&fixture(name)).unwrap();
    let mut pixels = Pixels::default();
    let done = decode(changed, &DecodeOptions::default(), &mut pixels, &mut Vec::new());
    assert!(done.is_ok(), "{name}, {what}: {done:?}");
    assert!(pixels == want, "{name}, {what}: other pixels");
}

#[test]
fn f2_harmless_warnings_in_the_header_cost_no_image() {
    for name in FILES {
        let whole = fixture(name);
        for code in [0xDB, 0xC4, 0xDA] {
            for count in [1, 2, 64, 245, 3000] {
                let changed = insert(&whole, marker(&whole, code), &vec![0; count]);
                assert_unharmed(name, &format!("{count} bytes before {code:#x}"), &changed);
            }
        }
        let icc = b"\xFF\xE2\0\x14ICC_PROFILE\0\x03\x01abcd";
        assert_unharmed(name, "ICC segment 3 of 1", &insert(&whole, 2, icc));
        let jfif = b"\xFF\xE0\0\x10JFIF\0\x03\x01\0\0\x01\0\x01\0\0";
        if name != "cmyk.jpg" {
            assert_unharmed(name, "JFIF 3.01", &insert(&whole, 2, jfif));
            if name != "gray.jpg" {
                // Without JFIF the Adobe code decides.
                let bare = whole.windows(5).position(|w| w == b"JFIF\0").map_or(whole.clone(), |at| {
                    let mut bare = whole.clone();
                    bare[at] = b'j';
                    bare
                });
                let adobe = |code| [b"\xFF\xEE\0\x0EAdobe\0d\0\0\0\0", &[code][..]].concat();
                assert_unharmed(name, "Adobe 2", &insert(&bare, 2, &adobe(2)));
                // A harmless warning that hides nothing and one that hides damage.
                let mut damaged = insert(&whole, 2, jfif);
                let end = damaged.len();
                damaged.truncate(end / 2);
                assert!(alone(&damaged).is_err(), "{name}: cut behind a harmless warning");
            }
        }
    }
}

#[test]
fn f2_any_number_of_stray_bytes_before_the_end_marker() {
    for name in FILES {
        let whole = fixture(name);
        let end = whole.len() - 2;
        for count in [1, 64, 245, 608, 2634] {
            assert_unharmed(name, &format!("{count} before EOI"), &insert(&whole, end, &vec![0; count]));
            assert_unharmed(name, &format!("{count} of 0x5A"), &insert(&whole, end, &vec![0x5A; count]));
        }
    }
}

#[test]
fn f2_padding_before_every_restart_marker() {
    let whole = fixture("restart.jpg");
    for count in [7usize, 70, 400] {
        let mut changed = Vec::new();
        for (at, &byte) in whole.iter().enumerate() {
            let scan = at > marker(&whole, 0xDA);
            if scan && byte == 0xFF && whole.get(at + 1).is_some_and(|m| matches!(m, 0xD0..=0xD7)) {
                changed.resize(changed.len() + count, 0);
            }
            changed.push(byte);
        }
        assert!(changed.len() > whole.len() + count);
        assert_unharmed("restart.jpg", &format!("{count} before each RST"), &changed);
    }
}

/// Field case, row 11.
#[test]
fn f2_a_complete_image_needs_no_end_marker() {
    for name in FILES {
        let whole = fixture(name);
        let bare = &whole[..whole.len() - 2];
        let trailer = b"SEFH\x05\0\0\0Image_UTC_Data1463471398000\xFF\xD8\xFF\xE1junk\xFF\x42SEFT";
        for (what, tail) in [("nothing", &b""[..]), ("zeros", &[0; 5000]), ("a trailer", trailer)] {
            assert_unharmed(name, what, &[bare, tail].concat());
        }
    }
}

#[test]
fn images_that_are_cut_are_still_truncated() {
    for name in FILES {
        let whole = fixture(name);
        let scan = marker(&whole, 0xDA);
        for cut in (scan + 20..whole.len() - 12).step_by(97) {
            for tail in [&b""[..], &[0xFF, 0xD9][..]] {
                let bytes = [&whole[..cut], tail].concat();
                let got = alone(&bytes);
                // A progressive file with an end marker may leave out its last scans: libjpeg and Pillow take that as complete.
                let between_scans = name == "progressive.jpg" && !tail.is_empty();
                assert!(got.is_err() || between_scans, "{name} cut at {cut}");
                if tail.is_empty() {
                    assert_eq!(got.err(), Some(BadReason::Truncated), "{name} cut at {cut}");
                }
            }
        }
    }
}

/// Report S13.
#[test]
fn s13_a_huge_image_in_a_few_bytes_is_refused_before_memory_is_taken() {
    let mut bytes = fixture("progressive.jpg");
    let frame = marker(&bytes, 0xC2);
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x24, 0xF3, 0x24, 0xF3]);
    bytes.truncate(1000);
    bytes.extend([0xFF, 0xD9]);
    let mut pixels = Pixels::default();
    let done = decode(&bytes, &DecodeOptions::default(), &mut pixels, &mut Vec::new());
    let error = done.unwrap_err();
    assert!(error.reason == BadReason::Truncated && error.detail.contains("9459 x 9459"), "{error}");
    assert!(pixels.rgb.capacity() < 1 << 20);
}
