//! PNG files that are odd or cut short.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

fn value(x: u32, y: u32, channel: u32) -> u8 {
    (x * 37 + y * 91 + channel * 50) as u8
}

/// An RGB image, plain or interlaced, in several IDAT chunks. Without IEND.
fn png(width: u32, height: u32, interlaced: bool) -> Vec<u8> {
    let passes: &[(u32, u32, u32, u32)] = if interlaced {
        &[(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]
    } else {
        &[(0, 1, 0, 1)]
    };
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for &(x0, dx, y0, dy) in passes.iter().filter(|pass| pass.0 < width) {
        for y in (y0..height).step_by(dy as usize) {
            let pixels = (x0..width).step_by(dx as usize).flat_map(|x| [0, 1, 2].map(|c| value(x, y, c)));
            encoder.write_all(&std::iter::once(0).chain(pixels).collect::<Vec<u8>>()).unwrap();
        }
    }
    let data = encoder.finish().unwrap();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, u8::from(interlaced)]);
    let mut file = [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &head)].concat();
    data.chunks(data.len() / 2 + 1).for_each(|part| file.extend(chunk(b"IDAT", part)));
    file
}

fn decode(bytes: &[u8]) -> Result<Pixels, DecodeError> {
    let mut pixels = Pixels::default();
    decode_png(bytes, &mut pixels, &mut Vec::new()).map(|()| pixels)
}

/// Field case, row 21.
#[test]
fn row_21_a_png_that_ends_behind_its_last_row_is_complete() {
    for interlaced in [false, true] {
        for (width, height) in [(1, 1), (3, 2), (4, 5), (9, 17), (33, 12)] {
            let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            let want: Vec<u8> = all.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c))).collect();
            let bare = png(width, height, interlaced);
            let whole = [&bare[..], &chunk(b"IEND", b"")].concat();
            // Without IEND, within IEND, without the checksum of the last IDAT.
            for end in [whole.len(), whole.len() - 5, bare.len(), bare.len() - 2, bare.len() - 4] {
                let got = decode(&whole[..end]).map(|pixels| pixels.rgb);
                assert!(got.as_ref() == Ok(&want), "{width} x {height}, {interlaced}, {end}: {:?}", got.err());
            }
        }
        let long = png(33, 40, interlaced);
        for end in [long.len() / 3, long.len() / 2, long.len() * 2 / 3] {
            assert_eq!(decode(&long[..end]).unwrap_err().reason, BadReason::Truncated, "{interlaced}, {end}");
        }
    }
}

#[test]
fn a_damaged_checksum_behind_the_last_row_is_still_told() {
    let mut file = png(9, 7, false);
    *file.last_mut().unwrap() ^= 1;
    file.extend(chunk(b"IEND", b""));
    assert_eq!(decode(&file).unwrap_err().reason, BadReason::Corrupt);
}

/// Field case F15.
#[test]
fn f15_a_palette_of_odd_length_is_refused_without_a_panic() {
    let head = [1u32.to_be_bytes(), 1u32.to_be_bytes()].concat();
    let head = [&head[..], &[8, 3, 0, 0, 0]].concat();
    let parts = [chunk(b"IHDR", &head), chunk(b"PLTE", b"1234"), chunk(b"IDAT", b"x"), chunk(b"IEND", b"")];
    let file = [&b"\x89PNG\r\n\x1a\n"[..], &parts.concat()].concat();
    let error = decode(&file).unwrap_err();
    assert!(error.reason == BadReason::Corrupt && error.detail.contains("palette in bytes, 4, is not"), "{error}");
}
