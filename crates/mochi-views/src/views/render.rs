//! Renders a [`ViewPlan`]: resize, then as few passes over the pixels as possible; the last one normalizes and flips.
//!
//! Pointwise operations run together on a chunk of pixels in the first-level cache. A pass ends only at an operation that needs the whole image:
//! contrast (mean luma, which the previous pass computes), blur, and RandAugment's histogram and geometric operations. MoCo-v2 needs one to three
//! passes in addition to the blur.

use pulp::{Arch, Simd, WithSimd};

use super::{blur, color, geometric, histogram, resize};
use crate::decode::Pixels;
use crate::error::{BadReason, DecodeError};
use crate::plan::{Op, ViewPlan};

/// Pixels per chunk: three channels of f32 take 6 KiB.
const CHUNK: usize = 512;

/// `(v / 255 - mean) / std` for each channel, as one multiplication and one addition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    scale: [f32; 3],
    shift: [f32; 3],
}

impl Normalize {
    /// Makes a normalization from means and standard deviations for values from 0 to 1.
    pub fn new(mean: [f32; 3], std: [f32; 3]) -> Self {
        let scale = std.map(|s| (1.0 / (255.0 * f64::from(s))) as f32);
        let shift = [0, 1, 2].map(|c| (-f64::from(mean[c]) / f64::from(std[c])) as f32);
        Self { scale, shift }
    }
}

/// Renders views and reuses its buffers.
pub struct ViewMaker {
    arch: Arch,
    resize: resize::ResizeScratch,
    /// The resized view: (size, size, 4) bytes, R, G, B and an unused byte.
    resized: Vec<u8>,
    /// Three planes of the view, one after the other.
    planes: Vec<u8>,
    chunk: Chunk,
    blur: blur::BlurScratch,
    scratch: Vec<u8>,
}

impl Default for ViewMaker {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy)]
enum Target<'a> {
    /// Only the sum of luma is wanted.
    Nothing,
    /// Bytes by plane; `true`: the sum of luma is wanted as well.
    Planes(bool),
    Floats(&'a Normalize),
}

/// Values of a chunk of pixels, per channel.
struct Chunk {
    red: Vec<f32>,
    green: Vec<f32>,
    blue: Vec<f32>,
}

impl ViewMaker {
    /// Makes a renderer with empty buffers, for the instruction set of this machine.
    pub fn new() -> Self {
        Self {
            arch: Arch::new(),
            resize: resize::ResizeScratch::default(),
            resized: Vec::new(),
            planes: Vec::new(),
            chunk: Chunk { red: Vec::new(), green: Vec::new(), blue: Vec::new() },
            blur: blur::BlurScratch::default(),
            scratch: Vec::new(),
        }
    }

    /// Writes the view as planar, normalized floats (3, size, size) into `out`.
    ///
    /// Fails only if the plan does not fit the pixels, or `out` does not fit the size.
    pub fn render(
        &mut self,
        pixels: &Pixels,
        plan: &ViewPlan,
        size: u32,
        normalize: &Normalize,
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        let side = size as usize;
        if out.len() != side * side * 3 {
            return Err(misfit("the output is not (3, size, size)"));
        }
        self.run(pixels, plan, size, Target::Floats(normalize), out)
    }

    /// The view as interleaved RGB bytes (size, size, 3), for display and for comparison with Pillow.
    pub fn render_rgb(&mut self, pixels: &Pixels, plan: &ViewPlan, size: u32) -> Result<Vec<u8>, DecodeError> {
        let area = size as usize * size as usize;
        // Scale 1 and shift 0 of values 0..=255.
        let plain = Normalize { scale: [1.0; 3], shift: [0.0; 3] };
        let mut out = vec![0.0; area * 3];
        self.run(pixels, plan, size, Target::Floats(&plain), &mut out)?;
        let mut rgb = Vec::with_capacity(area * 3);
        for i in 0..area {
            rgb.extend([out[i], out[area + i], out[2 * area + i]].map(|v| v as u8));
        }
        Ok(rgb)
    }

    fn run(
        &mut self,
        pixels: &Pixels,
        plan: &ViewPlan,
        size: u32,
        target: Target<'_>,
        out: &mut [f32],
    ) -> Result<(), DecodeError> {
        let side = size as usize;
        if side == 0 {
            return Err(misfit("the size is 0"));
        }
        check_fit(pixels, plan, size)?;
        self.resized.resize(side * side * 4, 0);
        self.arch.dispatch(resize::Resize {
            pixels,
            crop: plan.crop,
            resized: plan.resized,
            window: plan.window,
            size: (size, size),
            scratch: &mut self.resize,
            out: &mut self.resized,
        });
        self.planes.resize(side * side * 3, 0);
        for channel in [&mut self.chunk.red, &mut self.chunk.green, &mut self.chunk.blue] {
            channel.resize(CHUNK.max(side), 0.0);
        }
        let Self { arch, resized, planes, chunk, blur, scratch, .. } = self;

        let ops = &plan.ops[..];
        let mut mirrored = false;
        // Pixels are in `resized` before the first writing pass, and in `planes` after it.
        let mut in_planes = false;
        // Mean luma of the pixels at `at`; only contrast needs it.
        let mut mean: Option<f32> = None;
        // After the first grayscale operation the channels remain equal, so one plane is sufficient.
        let mut gray = false;
        let mut at = 0;
        loop {
            let pointwise_until = |from: usize| (from..ops.len()).find(|&i| !is_pointwise(ops[i])).unwrap_or(ops.len());
            let starts_with_contrast = mean.is_some() && matches!(ops.get(at), Some(Op::Contrast(_)));
            let end = pointwise_until(if starts_with_contrast { at + 1 } else { at });
            let flips = ops[at..end].iter().filter(|op| matches!(op, Op::Flip)).count();
            mirrored ^= flips % 2 == 1;
            let pass = Pass {
                ops: &ops[at..end],
                mean: mean.take().unwrap_or(0.0),
                side,
                from_planes: in_planes,
                gray,
                mirrored: false,
            };
            gray |= ops[at..end].iter().any(|op| matches!(op, Op::Grayscale));
            let stop = ops.get(end).copied();
            let sum = match stop {
                None => {
                    let pass = Pass { mirrored, ..pass };
                    arch.dispatch(Run { pass, target, resized, planes, chunk, out });
                    return Ok(());
                }
                // Nothing is written if only the mean is missing.
                Some(Op::Contrast(_)) if end == at => {
                    arch.dispatch(Run { pass, target: Target::Nothing, resized, planes, chunk, out })
                }
                Some(_) if end == at && in_planes => 0,
                Some(_) => {
                    in_planes = true;
                    arch.dispatch(Run {
                        pass,
                        target: Target::Planes(matches!(stop, Some(Op::Contrast(_)))),
                        resized,
                        planes,
                        chunk,
                        out,
                    })
                }
            };
            let planes = planes.chunks_exact_mut(side * side).take(if gray { 1 } else { 3 });
            match stop {
                Some(Op::Contrast(_)) => {
                    // ImageEnhance.Contrast: int(mean + 0.5).
                    mean = Some((sum as f64 / (side * side) as f64 + 0.5).floor() as f32);
                    at = end;
                    continue;
                }
                Some(Op::Blur(sigma)) => {
                    for plane in planes {
                        arch.dispatch(blur::Gaussian { plane, width: side, sigma, scratch: blur });
                    }
                }
                Some(Op::AutoContrast) => planes.for_each(histogram::autocontrast),
                Some(Op::Equalize) => planes.for_each(histogram::equalize),
                Some(Op::Sharpness(factor)) => {
                    for plane in planes {
                        geometric::sharpness(plane, side, factor, scratch);
                    }
                }
                Some(Op::Affine(matrix)) => {
                    for plane in planes {
                        // A pending flip must be applied before an affine map.
                        if mirrored {
                            plane.chunks_exact_mut(side).for_each(<[u8]>::reverse);
                        }
                        geometric::affine(plane, side, matrix, scratch);
                    }
                    mirrored = false;
                }
                _ => {}
            }
            at = end + 1;
        }
    }
}

/// Refuses a plan that does not fit the pixels.
fn check_fit(pixels: &Pixels, plan: &ViewPlan, size: u32) -> Result<(), DecodeError> {
    let within = |from: u32, length: u32, whole: u32| u64::from(from) + u64::from(length) <= u64::from(whole);
    let crop = plan.crop;
    if crop.width == 0
        || crop.height == 0
        || !within(crop.left, crop.width, pixels.width)
        || !within(crop.top, crop.height, pixels.height)
        || pixels.rgb.len() != pixels.width as usize * pixels.height as usize * 3
    {
        return Err(misfit("the crop extends beyond the image"));
    }
    if !within(plan.window.0, size, plan.resized.0) || !within(plan.window.1, size, plan.resized.1) {
        return Err(misfit("the window extends beyond the resized image"));
    }
    Ok(())
}

fn misfit(why: &str) -> DecodeError {
    DecodeError::new(BadReason::Corrupt, why)
}

fn is_pointwise(op: Op) -> bool {
    matches!(
        op,
        Op::Brightness(_)
            | Op::Saturation(_)
            | Op::Hue(_)
            | Op::Grayscale
            | Op::Solarize(_)
            | Op::Invert
            | Op::Posterize(_)
            | Op::Flip
    )
}

/// One pass over the view's pixels.
#[derive(Clone, Copy)]
struct Pass<'a> {
    ops: &'a [Op],
    mean: f32,
    side: usize,
    from_planes: bool,
    /// Only the first plane is used.
    gray: bool,
    mirrored: bool,
}

/// A pass with its inputs and outputs. It is a type instead of a closure, because `#[inline(always)]` is needed so that the loops are compiled for the
/// selected instruction set.
struct Run<'a> {
    pass: Pass<'a>,
    target: Target<'a>,
    resized: &'a [u8],
    planes: &'a mut [u8],
    chunk: &'a mut Chunk,
    out: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> u64 {
        self.pass.run(self.target, self.resized, self.planes, self.chunk, self.out)
    }
}

impl Pass<'_> {
    /// Returns the sum of luma over the view, unless the target is floats (0 then).
    #[inline(always)]
    fn run(self, target: Target<'_>, resized: &[u8], planes: &mut [u8], chunk: &mut Chunk, out: &mut [f32]) -> u64 {
        let side = self.side;
        let rows_at_once = (CHUNK / side).max(1);
        let mut total = 0u64;
        let mut row = 0;
        while row < side {
            let rows = rows_at_once.min(side - row);
            let n = rows * side;
            let (red, green, blue) = (&mut chunk.red[..n], &mut chunk.green[..n], &mut chunk.blue[..n]);
            self.load(row, resized, planes, [&mut *red, &mut *green, &mut *blue]);
            for &op in self.ops {
                color::apply(op, self.mean, red, green, blue);
            }
            match target {
                Target::Nothing => total += luma_sum(red, green, blue),
                Target::Planes(sum) => {
                    if sum {
                        total += luma_sum(red, green, blue);
                    }
                    let (r, rest) = planes.split_at_mut(side * side);
                    let (g, b) = rest.split_at_mut(side * side);
                    for (plane, values) in [(r, &*red), (g, &*green), (b, &*blue)] {
                        for (to, &v) in plane[row * side..row * side + n].iter_mut().zip(values) {
                            *to = color::to_byte(v);
                        }
                    }
                }
                Target::Floats(normalize) => {
                    for (channel, values) in [&*red, &*green, &*blue].into_iter().enumerate() {
                        let (scale, shift) = (normalize.scale[channel], normalize.shift[channel]);
                        let start = channel * side * side + row * side;
                        let to = &mut out[start..start + n];
                        if self.mirrored {
                            for (to, from) in to.chunks_exact_mut(side).zip(values.chunks_exact(side)) {
                                for (to, v) in to.iter_mut().zip(from.iter().rev()) {
                                    *to = v * scale + shift;
                                }
                            }
                        } else {
                            for (to, v) in to.iter_mut().zip(values) {
                                *to = v * scale + shift;
                            }
                        }
                    }
                }
            }
            row += rows;
        }
        total
    }

    #[inline(always)]
    fn load(&self, row: usize, resized: &[u8], planes: &[u8], [red, green, blue]: [&mut [f32]; 3]) {
        let side = self.side;
        if self.from_planes {
            for (channel, values) in [red, green, blue].into_iter().enumerate() {
                let plane = if self.gray { 0 } else { channel };
                let from = &planes[plane * side * side + row * side..][..values.len()];
                for (to, &v) in values.iter_mut().zip(from) {
                    *to = f32::from(v);
                }
            }
            return;
        }
        let n = red.len();
        // A pixel is read as one word and split by shifts, which vectorizes; a stride of four bytes does not.
        let words = resized[row * side * 4..][..n * 4].chunks_exact(4);
        for (((pixel, red), green), blue) in words.zip(red).zip(green).zip(blue) {
            let word = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]);
            *red = (word & 255) as i32 as f32;
            *green = (word >> 8 & 255) as i32 as f32;
            *blue = (word >> 16 & 255) as i32 as f32;
        }
    }
}

/// The sum of luma, in integers: a sum of floats cannot be reordered and would not vectorize.
#[inline(always)]
fn luma_sum(red: &[f32], green: &[f32], blue: &[f32]) -> u64 {
    let pixels = red.iter().zip(green).zip(blue);
    let sum: u32 = pixels.map(|((&r, &g), &b)| u32::from(color::to_byte(color::luma(r, g, b)))).sum();
    u64::from(sum)
}
