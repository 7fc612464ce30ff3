//! Plan of one view of one image: an augmentation pipeline with all random parameters drawn.
//!
//! Parameters have the same distributions as in torchvision. The random numbers come from counter-based streams, so a view is a function of
//! (seed, epoch, image, view).

mod describe;

use crate::augmentation::{Augmentation, Geometry, Transform};
use crate::random::Stream;
pub use describe::OpText;

/// A rectangle of source pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
}

/// Operation on the pixels, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// `ImageEnhance.Brightness(factor)`.
    Brightness(f32),
    /// `ImageEnhance.Contrast(factor)`.
    Contrast(f32),
    /// `ImageEnhance.Color(factor)`.
    Saturation(f32),
    /// Added to the 8-bit hue, modulo 256 (torchvision's `adjust_hue`).
    Hue(u8),
    /// Sets all three channels to the luma.
    Grayscale,
    /// `ImageFilter.GaussianBlur(sigma)`.
    Blur(f32),
    /// `ImageOps.solarize(threshold)`.
    Solarize(u16),
    /// Horizontal flip.
    Flip,
    /// `ImageOps.autocontrast`.
    AutoContrast,
    /// `ImageOps.equalize`.
    Equalize,
    /// `ImageOps.invert`.
    Invert,
    /// `ImageOps.posterize(bits)`.
    Posterize(u8),
    /// `ImageEnhance.Sharpness(factor)`.
    Sharpness(f32),
    /// `Image.transform(size, AFFINE, (a, b, c, d, e, f), NEAREST)`, black outside: output (x, y) takes
    /// input (a x + b y + c, d x + e y + f) at pixel centers.
    Affine([f64; 6]),
}

/// Complete description of a view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewPlan {
    /// Part of the image that is resized.
    pub crop: Crop,
    /// Width and height after the resize.
    pub resized: (u32, u32),
    /// First column and row of the view in the resized image.
    pub window: (u32, u32),
    /// Operations on the pixels of the view, in order.
    pub ops: Vec<Op>,
}

impl ViewPlan {
    /// Draws the plan of a `size` x `size` view of a `width` x `height` image; reuses the memory of this plan.
    pub fn draw(&mut self, augmentation: &Augmentation, width: u32, height: u32, size: u32, stream: &mut Stream) {
        self.ops.clear();
        self.resized = (size, size);
        self.window = (0, 0);
        match augmentation.geometry {
            Geometry::RandomResizedCrop { scale, ratio } => {
                self.crop = random_resized_crop(width, height, scale, ratio, stream);
            }
            Geometry::ResizeCenterCrop { enlarge } => {
                self.crop = Crop { left: 0, top: 0, width, height };
                let short = (f64::from(size) * enlarge).round() as u64;
                let (w, h) = (u64::from(width.max(1)), u64::from(height.max(1)));
                // torchvision: int(size * long / short); the limit keeps extreme aspect ratios from huge sizes.
                let long = (short * w.max(h) / w.min(h)).min(1 << 16).max(short);
                let (new_w, new_h) = if w <= h { (short, long) } else { (long, short) };
                self.resized = (new_w as u32, new_h as u32);
                // Python's round: ties to even.
                let center = |side: u64| ((side as f64 - f64::from(size)) / 2.0).round_ties_even().max(0.0) as u32;
                self.window = (center(new_w), center(new_h));
            }
        }
        for transform in &augmentation.transforms {
            self.draw_transform(transform, size, stream);
        }
    }

    fn draw_transform(&mut self, transform: &Transform, size: u32, stream: &mut Stream) {
        match *transform {
            Transform::ColorJitter { brightness, contrast, saturation, hue, p } => {
                if !stream.chance(p) {
                    return;
                }
                let mut order = [0u8, 1, 2, 3];
                stream.shuffle(&mut order);
                let mut factor = |strength: f64| stream.uniform((1.0 - strength).max(0.0), 1.0 + strength) as f32;
                let (b, c, s) = (factor(brightness), factor(contrast), factor(saturation));
                let turn = stream.uniform(-hue, hue);
                for which in order {
                    match which {
                        0 if brightness > 0.0 => self.ops.push(Op::Brightness(b)),
                        1 if contrast > 0.0 => self.ops.push(Op::Contrast(c)),
                        2 if saturation > 0.0 => self.ops.push(Op::Saturation(s)),
                        // numpy: int32(turn * 255) cuts towards zero, then wraps into 8 bits.
                        3 if hue > 0.0 => self.ops.push(Op::Hue((turn * 255.0) as i32 as u8)),
                        _ => {}
                    }
                }
            }
            Transform::Grayscale { p } => self.push_if(p, Op::Grayscale, stream),
            Transform::Flip { p } => self.push_if(p, Op::Flip, stream),
            Transform::Solarize { threshold, p } => self.push_if(p, Op::Solarize(u16::from(threshold)), stream),
            Transform::GaussianBlur { sigma: [low, high], p } => {
                let happens = stream.chance(p);
                let sigma = stream.uniform(low, high);
                if happens {
                    self.ops.push(Op::Blur(sigma as f32));
                }
            }
            Transform::RandAugment { count, magnitude } => {
                for _ in 0..count {
                    self.ops.extend(rand_augment(magnitude / 10.0, size, stream));
                }
            }
        }
    }

    fn push_if(&mut self, p: f64, op: Op, stream: &mut Stream) {
        if stream.chance(p) {
            self.ops.push(op);
        }
    }
}

/// `RandomResizedCrop.get_params`: ten tries, uniform area, log-uniform ratio, then the largest central crop.
fn random_resized_crop(width: u32, height: u32, scale: [f64; 2], ratio: [f64; 2], stream: &mut Stream) -> Crop {
    let area = f64::from(width) * f64::from(height);
    let (log_low, log_high) = (ratio[0].ln(), ratio[1].ln());
    for _ in 0..10 {
        let target = area * stream.uniform(scale[0], scale[1]);
        let aspect = stream.uniform(log_low, log_high).exp();
        let w = (target * aspect).sqrt().round_ties_even() as u32;
        let h = (target / aspect).sqrt().round_ties_even() as u32;
        if 0 < w && w <= width && 0 < h && h <= height {
            let top = stream.below(height - h + 1);
            let left = stream.below(width - w + 1);
            return Crop { left, top, width: w, height: h };
        }
    }
    let shape = f64::from(width) / f64::from(height);
    let (w, h) = if shape < ratio[0] {
        (width, (f64::from(width) / ratio[0]).round_ties_even() as u32)
    } else if shape > ratio[1] {
        ((f64::from(height) * ratio[1]).round_ties_even() as u32, height)
    } else {
        (width, height)
    };
    // A ratio far from 1 on a thin image can round to nothing.
    let (w, h) = (w.clamp(1, width.max(1)), h.clamp(1, height.max(1)));
    Crop { left: (width.saturating_sub(w)) / 2, top: (height.saturating_sub(h)) / 2, width: w, height: h }
}

/// One operation of RandAugment with the ranges of ildoonkim/pytorch-randaugment, which PyContrast's InfoMin recipe copies:
/// strength `m` in 0..=1 between the two ends of each range.
fn rand_augment(m: f64, size: u32, stream: &mut Stream) -> Option<Op> {
    let side = f64::from(size);
    let which = stream.below(14);
    let sign = if stream.chance(0.5) { 1.0 } else { -1.0 };
    let enhance = (0.1 + 1.8 * m) as f32;
    Some(match which {
        0 => Op::AutoContrast,
        1 => Op::Equalize,
        2 => Op::Invert,
        3 => {
            // Pillow's rotate: about the center of the image, NEAREST, black outside.
            let angle = (-(30.0 * m * sign)).rem_euclid(360.0).to_radians();
            let (cos, sin) = (angle.cos(), angle.sin());
            let center = side / 2.0;
            let c = -cos * center - sin * center + center;
            let f = sin * center - cos * center + center;
            Op::Affine([cos, sin, c, -sin, cos, f])
        }
        4 => Op::Posterize((4.0 * m) as u8),
        5 => Op::Solarize((256.0 * m) as u16),
        6 => Op::Saturation(enhance),
        7 => Op::Contrast(enhance),
        8 => Op::Brightness(enhance),
        9 => Op::Sharpness(enhance),
        10 => Op::Affine([1.0, 0.3 * m * sign, 0.0, 0.0, 1.0, 0.0]),
        11 => Op::Affine([1.0, 0.0, 0.0, 0.3 * m * sign, 1.0, 0.0]),
        12 => Op::Affine([1.0, 0.0, 0.3 * m * sign * side, 0.0, 1.0, 0.0]),
        _ => Op::Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.3 * m * sign * side]),
    })
}

#[cfg(test)]
mod plan_tests;
