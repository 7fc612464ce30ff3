//! Any bytes as an image file: pixels of the size that they say, or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mochi_views::decode::{DecodeOptions, Decoder, MAX_PIXELS, Pixels};

fuzz_target!(|bytes: &[u8]| {
    let mut pixels = Pixels::default();
    for options in [
        DecodeOptions { exif_orientation: true, shrink_to: None },
        DecodeOptions { exif_orientation: false, shrink_to: Some(32) },
    ] {
        if Decoder::new().decode(bytes, &options, &mut pixels).is_ok() {
            let area = u64::from(pixels.width) * u64::from(pixels.height);
            assert!(area > 0 && area <= MAX_PIXELS && pixels.rgb.len() as u64 == area * 3);
        }
    }
});
