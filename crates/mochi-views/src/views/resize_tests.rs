//! The resize against `Resample.c` by the letter, number by number.

use proptest::prelude::*;
use pulp::Arch;

use super::*;
use crate::random::{Purpose, Stream};

/// One output number along one axis as `Resample.c` has it: `at` gives the inputs.
fn resampled(inputs: u32, outputs: u32, x: u32, at: impl Fn(u32) -> u8) -> u8 {
    let scale = f64::from(inputs) / f64::from(outputs);
    let support = scale.max(1.0);
    let center = (f64::from(x) + 0.5) * scale;
    let from = ((center - support + 0.5) as i64).max(0) as u32;
    let to = ((center + support + 0.5) as i64).min(i64::from(inputs)) as u32;
    let mut weights: Vec<f64> = Vec::new();
    for i in from..to {
        let distance = ((f64::from(i) - center + 0.5) * (1.0 / support)).abs();
        weights.push(if distance < 1.0 { 1.0 - distance } else { 0.0 });
    }
    let sum: f64 = weights.iter().sum();
    let fixed = |w: &f64| (0.5 + w / sum * f64::from(1 << 22)) as i64;
    let total: i64 = weights.iter().zip(from..to).map(|(w, i)| fixed(w) * i64::from(at(i))).sum();
    ((total + (1 << 21)) >> 22) as u8
}

proptest! {
    #[test]
    fn a_resize_is_what_it_is_by_the_letter(
        (width, height) in (1u32..150, 1u32..150),
        corner in (0.0f64..1.0, 0.0f64..1.0),
        share in (0.05f64..1.0, 0.05f64..1.0),
        size in 1u32..30,
        more in (0u32..6, 0u32..6),
        shift in (0.0f64..1.0, 0.0f64..1.0),
        seed: u64,
    ) {
        let mut stream = Stream::new(seed, Purpose::View, 0, 0, 0);
        let rgb: Vec<u8> = (0..width * height * 3).map(|_| stream.next_u32() as u8).collect();
        let pixels = Pixels { width, height, rgb };
        let part = |whole: u32, share: f64| ((f64::from(whole) * share) as u32).clamp(1, whole);
        let (w, h) = (part(width, share.0), part(height, share.1));
        let left = (f64::from(width - w) * corner.0) as u32;
        let top = (f64::from(height - h) * corner.1) as u32;
        let crop = Crop { left, top, width: w, height: h };
        let resized = (size + more.0, size + more.1);
        let window = ((f64::from(more.0) * shift.0) as u32, (f64::from(more.1) * shift.1) as u32);

        let byte = |x: u32, y: u32, c: usize| pixels.rgb[((top + y) * width + left + x) as usize * 3 + c];
        let across = |x: u32, y: u32, c| resampled(w, resized.0, x, |i| byte(i, y, c));
        let down = |x: u32, y: u32, c| resampled(h, resized.1, y, |j| byte(x, j, c));
        let want = |x: u32, y: u32, c| {
            if columns_first(crop, resized) {
                resampled(w, resized.0, x, |i| down(i, y, c))
            } else {
                resampled(h, resized.1, y, |j| across(x, j, c))
            }
        };
        let mut out = vec![0; (size * size * 4) as usize];
        let mut scratch = ResizeScratch::default();
        // Twice: what the buffers held must not show.
        for pixel in 0..2 {
            let whole = Crop { left: 0, top: 0, width, height };
            let (crop, resized, window) = if pixel == 0 { (whole, (size, size), (0, 0)) } else { (crop, resized, window) };
            let scratch = &mut scratch;
            Arch::new().dispatch(Resize { pixels: &pixels, crop, resized, window, size: (size, size), scratch, out: &mut out });
        }
        for y in 0..size {
            for x in 0..size {
                for c in 0..3 {
                    let got = out[((y * size + x) * 4) as usize + c];
                    prop_assert_eq!(got, want(x + window.0, y + window.1, c), "{} {} {} of {:?}", x, y, c, crop);
                }
            }
        }
    }
}
