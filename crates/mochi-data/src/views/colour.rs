//! Pointwise colour operations on a run of pixels, with the arithmetic of Pillow 13, down to where it cuts and where it rounds.
//!
//! A run is three slices of f32 that always hold whole numbers in 0..=255: every operation ends with the rounding to 8 bits that
//! Pillow's own buffers force, so operations chain in registers and cache yet give what Pillow gives one after the other.
//! Loops are branch-free so that they vectorise; the caller dispatches to the CPU's best instruction set.

use crate::plan::Op;

/// Rounds a whole number in 0..=255 held as f32 to u8 by its bits: cheaper than a saturating cast.
#[inline(always)]
pub(super) fn to_byte(x: f32) -> u8 {
    (x + 8_388_608.0).to_bits() as u8
}

/// Pillow's luma (`L24` in `Convert.c`): `(19595 R + 38470 G + 7471 B + 32768) >> 16`. All terms stay below 2^24, so f32 is
/// exact.
#[inline(always)]
pub(super) fn luma(r: f32, g: f32, b: f32) -> f32 {
    ((r * 19595.0 + g * 38470.0 + b * 7471.0 + 32768.0) * (1.0 / 65536.0)).floor()
}

/// `ImagingBlend`: `a + factor (b - a)`, clipped, then cut.
#[inline(always)]
fn blend(a: f32, b: f32, factor: f32) -> f32 {
    (a + factor * (b - a)).clamp(0.0, 255.0).floor()
}

/// Applies `op` to a run of pixels. `grey` is the value that `Op::Contrast` blends with (the image's mean luma).
/// Operations that are not pointwise leave the run as it is.
#[inline(always)]
pub(super) fn apply(op: Op, grey: f32, red: &mut [f32], green: &mut [f32], blue: &mut [f32]) {
    let n = red.len().min(green.len()).min(blue.len());
    let (red, green, blue) = (&mut red[..n], &mut green[..n], &mut blue[..n]);
    match op {
        Op::Brightness(factor) => each(red, green, blue, |v| blend(0.0, v, factor)),
        Op::Contrast(factor) => each(red, green, blue, |v| blend(grey, v, factor)),
        Op::Solarize(threshold) => {
            let threshold = f32::from(threshold);
            each(red, green, blue, |v| if v < threshold { v } else { 255.0 - v });
        }
        Op::Invert => each(red, green, blue, |v| 255.0 - v),
        Op::Posterize(bits) => {
            let step = f32::from(1u16 << (8 - bits.min(8)));
            each(red, green, blue, |v| (v / step).floor() * step);
        }
        Op::Saturation(factor) => {
            for i in 0..n {
                let l = luma(red[i], green[i], blue[i]);
                red[i] = blend(l, red[i], factor);
                green[i] = blend(l, green[i], factor);
                blue[i] = blend(l, blue[i], factor);
            }
        }
        Op::Grayscale => {
            for i in 0..n {
                let l = luma(red[i], green[i], blue[i]);
                red[i] = l;
                green[i] = l;
                blue[i] = l;
            }
        }
        Op::Hue(shift) => {
            let shift = f32::from(shift);
            for i in 0..n {
                (red[i], green[i], blue[i]) = turn_hue(red[i], green[i], blue[i], shift);
            }
        }
        _ => {}
    }
}

#[inline(always)]
fn each(red: &mut [f32], green: &mut [f32], blue: &mut [f32], f: impl Fn(f32) -> f32) {
    for channel in [red, green, blue] {
        for v in channel.iter_mut() {
            *v = f(*v);
        }
    }
}

/// RGB to Pillow's 8-bit HSV, hue shifted modulo 256, and back (`rgb2hsv_row`, `hsv2rgb` in `Convert.c`).
///
/// Pillow cuts hue and saturation to bytes after arithmetic in mixed float and double; one byte of hue is up to six levels of
/// colour, so the double steps are kept where the cut could fall on the other side.
#[inline(always)]
fn turn_hue(r: f32, g: f32, b: f32, shift: f32) -> (f32, f32, f32) {
    let high = r.max(g).max(b);
    let low = r.min(g).min(b);
    let chroma = high - low;
    let grey = chroma == 0.0;
    let divisor = if grey { 1.0 } else { chroma };
    // The sextant decides which two of the three distances from the maximum count.
    let is_r = r == high;
    let is_g = g == high;
    let first = if is_r {
        b
    } else if is_g {
        r
    } else {
        g
    };
    let second = if is_r {
        g
    } else if is_g {
        b
    } else {
        r
    };
    let base: f64 = if is_r {
        0.0
    } else if is_g {
        2.0
    } else {
        4.0
    };
    let (x, y) = ((high - first) / divisor, (high - second) / divisor);
    let h = ((base + f64::from(x)) - f64::from(y)) as f32;
    let turned = f64::from(h) * (1.0 / 6.0) + 1.0;
    let h = (turned - turned.floor()) as f32;
    let hue = if grey { 0.0 } else { (f64::from(h) * 255.0).floor() as f32 };
    let s = chroma / if high == 0.0 { 1.0 } else { high };
    let saturation = (f64::from(s) * 255.0).floor() as f32;

    let hue = hue + shift;
    let hue = if hue >= 256.0 { hue - 256.0 } else { hue };

    let scaled = hue * 6.0 / 255.0;
    let sextant = scaled.floor();
    let f = scaled - sextant;
    let fs = saturation / 255.0;
    let round = |v: f32| (v + 0.5).floor();
    let p = round(high * (1.0 - fs));
    let q = round(high * (1.0 - fs * f));
    let t = round(high * (1.0 - fs * (1.0 - f)));
    let v = high;
    // Hue 255 is sextant 6, which is 0 again.
    let s0 = sextant == 0.0 || sextant == 6.0;
    let (s1, s2, s3, s4) = (sextant == 1.0, sextant == 2.0, sextant == 3.0, sextant == 4.0);
    let red = if s1 {
        q
    } else if s2 || s3 {
        p
    } else if s4 {
        t
    } else {
        v
    };
    let green = if s0 {
        t
    } else if s1 || s2 {
        v
    } else if s3 {
        q
    } else {
        p
    };
    let blue = if s0 || s1 {
        p
    } else if s2 {
        t
    } else if s3 || s4 {
        v
    } else {
        q
    };
    // p, q and t are v where the saturation is 0, so a grey pixel needs no case of its own.
    (red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rgb2hsv_row` and `hsv2rgb` as Pillow writes them, one pixel at a time.
    fn pillow_hue(rgb: [u8; 3], shift: u8) -> [u8; 3] {
        let [r, g, b] = rgb;
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        let (mut uh, mut us) = (0u8, 0u8);
        if high != low {
            let cr = f32::from(high - low);
            let s = cr / f32::from(high);
            let (rc, gc, bc) = (f32::from(high - r) / cr, f32::from(high - g) / cr, f32::from(high - b) / cr);
            let h = if r == high {
                bc - gc
            } else if g == high {
                (2.0 + f64::from(rc) - f64::from(bc)) as f32
            } else {
                (4.0 + f64::from(gc) - f64::from(rc)) as f32
            };
            let h = ((f64::from(h) / 6.0 + 1.0) % 1.0) as f32;
            uh = ((f64::from(h) * 255.0) as i32).clamp(0, 255) as u8;
            us = ((f64::from(s) * 255.0) as i32).clamp(0, 255) as u8;
        }
        let h = uh.wrapping_add(shift);
        if us == 0 {
            return [high; 3];
        }
        let i = (f64::from(h) * 6.0 / 255.0).floor();
        let f = (f64::from(h) * 6.0 / 255.0 - i) as f32;
        let fs = (f64::from(us) / 255.0) as f32;
        let v = f64::from(high);
        let round = |x: f64| x.round().clamp(0.0, 255.0) as u8;
        let p = round(v * (1.0 - f64::from(fs)));
        let q = round(v * (1.0 - f64::from(fs * f)));
        let t = round(v * (1.0 - f64::from(fs) * (1.0 - f64::from(f))));
        match i as u32 % 6 {
            0 => [high, t, p],
            1 => [q, high, p],
            2 => [p, high, t],
            3 => [p, q, high],
            4 => [t, p, high],
            _ => [high, p, q],
        }
    }

    #[test]
    fn hue_is_pillows_for_a_dense_grid_of_colours_and_shifts() {
        let (mut checked, mut off) = (0u32, 0u32);
        for shift in [0u8, 1, 25, 77, 128, 200, 255] {
            for r in (0..=255u8).step_by(5) {
                for g in 0..=255u8 {
                    for b in (0..=255u8).step_by(3) {
                        let want = pillow_hue([r, g, b], shift);
                        let (x, y, z) = turn_hue(f32::from(r), f32::from(g), f32::from(b), f32::from(shift));
                        let got = [to_byte(x), to_byte(y), to_byte(z)];
                        checked += 1;
                        if got != want {
                            off += 1;
                            let worst = got.iter().zip(want).map(|(a, b)| a.abs_diff(b)).max();
                            assert!(worst <= Some(1), "{r} {g} {b} shifted {shift}: {got:?}, Pillow {want:?}");
                        }
                    }
                }
            }
        }
        // Where rounding of p, q, t lies on the edge, one level off, and hardly ever.
        assert!(f64::from(off) <= 1e-4 * f64::from(checked), "{off} of {checked}");
    }

    #[test]
    fn luma_in_floats_is_pillows_integer_formula() {
        for r in (0..=255u32).step_by(3) {
            for g in 0..=255u32 {
                for b in (0..=255u32).step_by(5) {
                    let want = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
                    assert_eq!(luma(r as f32, g as f32, b as f32) as u32, want);
                }
            }
        }
    }
}
