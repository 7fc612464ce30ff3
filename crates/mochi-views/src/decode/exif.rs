//! EXIF orientation of a JPEG (tag 0x0112, EXIF 2.3 section 4.6.4) and its eight transformations. An invalid EXIF block means orientation 1, and never
//! makes an image bad.

use super::Pixels;

/// The orientation 1..=8; 1 if there is none or the block is damaged.
pub fn orientation(jpeg: &[u8]) -> u8 {
    find(jpeg).filter(|o| (1..=8).contains(o)).unwrap_or(1)
}

fn find(jpeg: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let head = jpeg.get(at..at + 4)?;
        // Segments end where the scan begins.
        if head[0] != 0xFF || head[1] == 0xDA {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let body = jpeg.get(at + 4..at + 2 + length.max(2))?;
        if head[1] == 0xE1
            && let Some(tiff) = body.strip_prefix(b"Exif\0\0")
        {
            return in_tiff(tiff);
        }
        at += 2 + length.max(2);
    }
}

/// The orientation in the body of an APP1 segment, 1 where it is damaged; `None` for a segment that is not EXIF.
pub(super) fn in_segment(body: &[u8]) -> Option<u8> {
    let tiff = body.strip_prefix(b"Exif\0\0")?;
    Some(in_tiff(tiff).filter(|o| (1..=8).contains(o)).unwrap_or(1))
}

fn in_tiff(tiff: &[u8]) -> Option<u8> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let b: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    };
    let long = |at: usize| {
        let b: [u8; 4] = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) })
    };
    let directory = long(4)? as usize;
    for entry in 0..usize::from(short(directory)?) {
        let at = directory.checked_add(2 + entry * 12)?;
        if short(at)? == 0x0112 {
            return u8::try_from(short(at + 8)?).ok();
        }
    }
    None
}

/// Applies orientation `o` to the pixels (`PIL.ImageOps.exif_transpose`).
pub(super) fn turn(o: u8, pixels: &mut Pixels, scratch: &mut Vec<u8>) {
    if !(2..=8).contains(&o) {
        return;
    }
    let (w, h) = (pixels.width as usize, pixels.height as usize);
    let (new_w, new_h) = if o >= 5 { (h, w) } else { (w, h) };
    scratch.clear();
    scratch.reserve(pixels.rgb.len());
    for y in 0..new_h {
        for x in 0..new_w {
            // Position of output pixel (x, y) in the stored image.
            let (sx, sy) = match o {
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                _ => (w - 1 - y, x),
            };
            let at = (sy * w + sx) * 3;
            scratch.extend_from_slice(&pixels.rgb[at..at + 3]);
        }
    }
    std::mem::swap(&mut pixels.rgb, scratch);
    (pixels.width, pixels.height) = (new_w as u32, new_h as u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg_with(orientation: u16) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
        exif.extend(orientation.to_be_bytes());
        exif.extend([0; 6]);
        let mut jpeg = vec![0xFF, 0xD8, 0xFF, 0xE1];
        jpeg.extend((exif.len() as u16 + 2).to_be_bytes());
        jpeg.extend(exif);
        jpeg
    }

    #[test]
    fn orientation_is_read_and_damage_means_one() {
        assert_eq!(orientation(&jpeg_with(6)), 6);
        assert_eq!(orientation(&jpeg_with(9)), 1);
        let whole = jpeg_with(6);
        for cut in 0..whole.len() - 6 {
            let got = orientation(&whole[..cut]);
            assert!(got == 1, "cut at {cut}: {got}");
        }
    }

    #[test]
    fn turns_of_a_two_by_one_image() {
        let image = || Pixels { width: 2, height: 1, rgb: vec![1, 1, 1, 2, 2, 2] };
        let turned = |o| {
            let mut p = image();
            turn(o, &mut p, &mut Vec::new());
            (p.width, p.height, p.rgb[0])
        };
        assert_eq!(turned(1), (2, 1, 1));
        assert_eq!(turned(2), (2, 1, 2));
        assert_eq!(turned(6), (1, 2, 1)); // a quarter clockwise: left end comes to the top
        assert_eq!(turned(8), (1, 2, 2)); // a quarter counter-clockwise: right end comes to the top
    }
}
