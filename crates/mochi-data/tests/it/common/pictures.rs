//! Images that a formula draws at any size: smooth scenes that differ in their low frequencies, as photographs do.

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

/// RGB of scene `seed`, `width x height`: waves of low frequency whose directions and phases the seed decides.
pub(crate) fn scene(seed: u32, width: u32, height: u32) -> Vec<u8> {
    let number = |k: u32| {
        let mut bits = (seed.wrapping_mul(0x9E37_79B9) ^ k.wrapping_mul(0x85EB_CA6B)).wrapping_mul(0xC2B2_AE35);
        bits ^= bits >> 15;
        f64::from(bits.wrapping_mul(0x2C1B_3C6D) >> 8) / f64::from(1 << 24)
    };
    let waves: Vec<[f64; 4]> = (0..24)
        .map(|k| {
            [
                number(4 * k) * 14.0 - 7.0,
                number(4 * k + 1) * 14.0 - 7.0,
                number(4 * k + 2) * 6.3,
                12.0 + 14.0 * number(4 * k + 3),
            ]
        })
        .collect();
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = ((f64::from(x) + 0.5) / f64::from(width), (f64::from(y) + 0.5) / f64::from(height));
            for c in 0..3 {
                let shift = f64::from(c) * 0.4;
                let sum: f64 = waves
                    .iter()
                    .map(|w| w[3] * (std::f64::consts::TAU * (w[0] * u + w[1] * v) + w[2] + shift).cos())
                    .sum();
                rgb.push((128.0 + sum).clamp(0.0, 255.0) as u8);
            }
        }
    }
    rgb
}

pub(crate) fn jpeg(rgb: &[u8], width: u32, height: u32, quality: i32) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_quality(quality).unwrap();
    compressor.set_subsamp(Subsamp::Sub2x2).unwrap();
    let (width, height) = (width as usize, height as usize);
    let image = Image { pixels: rgb, width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).unwrap()
}

/// A JPEG whose EXIF block asks for a quarter turn.
pub(crate) fn turned(jpeg: &[u8]) -> Vec<u8> {
    let exif = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}

pub(crate) fn png(samples: &[u8], width: u32, height: u32, color: png::ColorType, bits: png::BitDepth) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(bits);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

pub(crate) fn webp(rgb: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    image_webp::WebPEncoder::new(&mut file).encode(rgb, width, height, image_webp::ColorType::Rgb8).unwrap();
    file
}

pub(crate) fn decoded(bytes: &[u8]) -> Pixels {
    let mut pixels = Pixels::default();
    Decoder::new().decode(bytes, &DecodeOptions::default(), &mut pixels).unwrap();
    pixels
}
