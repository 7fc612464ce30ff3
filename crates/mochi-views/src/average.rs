//! Resizing by averages over areas: each output pixel is the mean of the input area that it covers.
//!
//! Output (x, y) of a `W x H` image at `w x h` is the integral of the pixels, each a unit square of one color, over
//! `[x W/w, (x+1) W/w) x [y H/h, (y+1) H/h)`, divided by that area. Unlike Pillow's BOX, a pixel that is covered in part counts in part, so
//! copies of an image at several sizes give nearly the same result, as perceptual hashes require.

use crate::decode::Pixels;

/// Resizes images and reuses its buffers.
#[derive(Default)]
pub struct Averager {
    /// Weighted sum of the rows under one output row: (W, 3).
    columns: Vec<f32>,
    /// The result: (h, w, 3) in 0..=255.
    out: Vec<f32>,
}

/// Input positions of one output position: their range, and the weights of the first and the last.
struct Cover {
    first: usize,
    /// One past the last.
    end: usize,
    head: f32,
    tail: f32,
}

impl Cover {
    fn of(index: usize, inputs: usize, outputs: usize) -> Self {
        // In units of 1/outputs everything is a whole number.
        let (from, to) = (index * inputs, (index + 1) * inputs);
        let (first, last) = (from / outputs, (to - 1) / outputs);
        let part = |units: usize| units as f32 / outputs as f32;
        if first == last {
            return Self { first, end: first + 1, head: part(to - from), tail: part(to - from) };
        }
        Self { first, end: last + 1, head: part((first + 1) * outputs - from), tail: part(to - last * outputs) }
    }

    fn weight(&self, at: usize) -> f32 {
        if at == self.first {
            self.head
        } else if at + 1 == self.end {
            self.tail
        } else {
            1.0
        }
    }
}

impl Averager {
    /// Means of `pixels` at `width x height` as (height, width, 3) values in 0..=255; empty for an image without pixels.
    pub fn run(&mut self, pixels: &Pixels, width: u32, height: u32) -> &[f32] {
        let (inputs, rows) = (pixels.width as usize, pixels.height as usize);
        let (width, height) = (width as usize, height as usize);
        self.out.clear();
        if inputs == 0 || rows == 0 || width == 0 || height == 0 {
            return &self.out;
        }
        let area = (inputs as f32 / width as f32) * (rows as f32 / height as f32);
        for y in 0..height {
            let cover = Cover::of(y, rows, height);
            self.columns.clear();
            self.columns.resize(inputs * 3, 0.0);
            let under = pixels.rgb.chunks_exact(inputs * 3).enumerate().take(cover.end).skip(cover.first);
            for (at, row) in under {
                let weight = cover.weight(at);
                for (sum, &value) in self.columns.iter_mut().zip(row) {
                    *sum += weight * f32::from(value);
                }
            }
            for x in 0..width {
                let cover = Cover::of(x, inputs, width);
                let mut sums = [0.0f32; 3];
                let under = self.columns.chunks_exact(3).enumerate().take(cover.end).skip(cover.first);
                for (at, pixel) in under {
                    let weight = cover.weight(at);
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += weight * value;
                    }
                }
                self.out.extend(sums.map(|sum| sum / area));
            }
        }
        &self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_pixels_count_in_part() {
        // Three columns 0, 90, 255 at two: (0 + 90/2) / 1.5 and (90/2 + 255) / 1.5.
        let pixels = Pixels { width: 3, height: 1, rgb: vec![0, 0, 0, 90, 90, 90, 255, 255, 255] };
        assert_eq!(Averager::default().run(&pixels, 2, 1), [[30.0; 3], [200.0; 3]].concat());
        // Enlarged, every output lies in one pixel.
        assert_eq!(Averager::default().run(&pixels, 6, 2)[..6], [0.0; 6]);
        assert_eq!(Averager::default().run(&pixels, 6, 2).len(), 36);
    }

    #[test]
    fn the_mean_of_all_stays() {
        let rgb: Vec<u8> = (0..37 * 23 * 3).map(|i| (i * i % 251) as u8).collect();
        let pixels = Pixels { width: 37, height: 23, rgb };
        let mean = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let whole = pixels.rgb.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels.rgb.len() as f64;
        for (w, h) in [(1, 1), (5, 7), (36, 22), (64, 64)] {
            assert!((mean(Averager::default().run(&pixels, w, h)) - whole).abs() < 1e-3, "{w} x {h}");
        }
    }
}
