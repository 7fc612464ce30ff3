//! Pointwise color operations on a run of pixels, with the arithmetic of Pillow 13, including truncation and rounding.
//!
//! A run consists of three slices of f32 with integer values in 0..=255. Every operation ends with rounding to 8 bits, as Pillow's buffers require, so
//! chained operations give the same result as Pillow's separate ones. Loops have no branches, so that they vectorize; the caller selects the
//! instruction set.

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

/// `ImagingBlend`: `a + factor (b - a)`, clipped, then truncated.
#[inline(always)]
fn blend(a: f32, b: f32, factor: f32) -> f32 {
    (a + factor * (b - a)).clamp(0.0, 255.0).floor()
}

/// Applies `op` to a run of pixels. `gray` is the value that `Op::Contrast` blends with (the image's mean luma).
/// Operations that are not pointwise leave the run as it is.
#[inline(always)]
pub(super) fn apply(op: Op, gray: f32, red: &mut [f32], green: &mut [f32], blue: &mut [f32]) {
    let n = red.len().min(green.len()).min(blue.len());
    let (red, green, blue) = (&mut red[..n], &mut green[..n], &mut blue[..n]);
    match op {
        Op::Brightness(factor) => each(red, green, blue, |v| blend(0.0, v, factor)),
        Op::Contrast(factor) => each(red, green, blue, |v| blend(gray, v, factor)),
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

/// The larger of two numbers that are not NaN. This is one instruction; `f32::max` takes three because of NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `floor(255 q)` of the exact product, for q in 0..=1: Pillow multiplies in double, and one byte of hue is up to six levels of color.
///
/// `256 q` is exact, and so is its distance from a whole number close by; only `256 q - q` may have been rounded up to one.
#[inline(always)]
fn cut_to_byte(q: f32) -> f32 {
    let scaled = q * 256.0;
    let whole = (scaled - q).floor();
    whole - if scaled - whole < q { 1.0 } else { 0.0 }
}

/// Hue and saturation in bytes (`rgb2hsv_row` in `Convert.c`). A test compares all 2^24 colors with Pillow's mixture of float and double.
#[inline(always)]
fn hue_and_saturation(r: f32, g: f32, b: f32, high: f32) -> (f32, f32) {
    let (upper, lower) = (larger(r, g), smaller(r, g));
    let low = smaller(lower, b);
    let middle = larger(lower, smaller(upper, b));
    let chroma = high - low;
    // Pillow adds two of the channels' distances from the maximum to the sextant's number; one of the two is always 1, so that what it
    // rounds is a whole number and this:
    let part = (high - middle) / larger(chroma, 1.0);
    let (is_r, is_g) = (r == high, g == high);
    let turns_up = if is_r {
        g < b
    } else if is_g {
        r >= b
    } else {
        r < g
    };
    let base = if is_r {
        1.0
    } else if is_g {
        if turns_up { 1.0 } else { 3.0 }
    } else if turns_up {
        3.0
    } else {
        5.0
    };
    let sextant = if turns_up { if is_r { part - 1.0 } else { base + part } } else { base - part };
    let turn = sextant / 6.0;
    let turn = if turn < 0.0 { turn + 1.0 } else { turn };
    let hue = if chroma == 0.0 { 0.0 } else { cut_to_byte(turn) };
    (hue, cut_to_byte(chroma / larger(high, 1.0)))
}

/// From hue, saturation and value in bytes (`hsv2rgb` in `Convert.c`).
///
/// Each channel is `V (1 - S k / (255 85))`, rounded, where k in 0..=85 is a trapezoid over twice the hue: 85 takes all of the
/// saturation away from the channel, 0 nothing. Pillow's p, q and t by the sextant are this. A test compares all 2^24 triples with Pillow's doubles.
#[inline(always)]
fn from_hsv(hue: f32, saturation: f32, value: f32) -> (f32, f32, f32) {
    let twice = hue + hue;
    let weight = value * saturation * (1.0 / 21675.0);
    let whole = value + 0.5;
    let channel = |k: f32| (whole - weight * k.clamp(0.0, 85.0)).floor();
    (
        channel(170.0 - (twice - 255.0).abs()),
        channel((twice - 170.0).abs() - 85.0),
        channel((twice - 340.0).abs() - 85.0),
    )
}

/// RGB to Pillow's 8-bit HSV, hue shifted modulo 256, and back.
#[inline(always)]
fn turn_hue(r: f32, g: f32, b: f32, shift: f32) -> (f32, f32, f32) {
    let high = larger(larger(r, g), b);
    let (hue, saturation) = hue_and_saturation(r, g, b, high);
    let hue = hue + shift;
    from_hsv(if hue >= 256.0 { hue - 256.0 } else { hue }, saturation, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rgb2hsv_row` as Pillow writes it: hue and saturation.
    fn pillow_hue_and_saturation([r, g, b]: [u8; 3]) -> (u8, u8) {
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        if high == low {
            return (0, 0);
        }
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
        let byte = |x: f32| ((f64::from(x) * 255.0) as i32).clamp(0, 255) as u8;
        (byte(h), byte(s))
    }

    /// `hsv2rgb` as Pillow writes it.
    fn pillow_from_hsv(h: u8, us: u8, high: u8) -> [u8; 3] {
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
    fn hue_and_saturation_of_every_color_are_pillows() {
        for [r, g, b] in every_triple() {
            let [x, y, z] = [r, g, b].map(f32::from);
            let (hue, saturation) = hue_and_saturation(x, y, z, x.max(y).max(z));
            assert_eq!((to_byte(hue), to_byte(saturation)), pillow_hue_and_saturation([r, g, b]), "{r} {g} {b}");
        }
    }

    #[test]
    fn colors_of_every_hue_saturation_and_value_are_pillows() {
        for [h, s, v] in every_triple() {
            let (r, g, b) = from_hsv(f32::from(h), f32::from(s), f32::from(v));
            assert_eq!([r, g, b].map(to_byte), pillow_from_hsv(h, s, v), "{h} {s} {v}");
        }
    }

    #[test]
    fn the_shift_wraps() {
        for shift in [0u8, 1, 25, 77, 128, 200, 255] {
            for [r, g, b] in [[200, 30, 90], [10, 240, 240], [255, 0, 0], [77, 77, 77], [0, 0, 3]] {
                let (hue, saturation) = pillow_hue_and_saturation([r, g, b]);
                let want = pillow_from_hsv(hue.wrapping_add(shift), saturation, r.max(g).max(b));
                let (x, y, z) = turn_hue(f32::from(r), f32::from(g), f32::from(b), f32::from(shift));
                assert_eq!([x, y, z].map(to_byte), want, "{r} {g} {b} shifted {shift}");
            }
        }
    }

    fn every_triple() -> impl Iterator<Item = [u8; 3]> {
        (0..1u32 << 24).map(|i| [(i >> 16) as u8, (i >> 8) as u8, i as u8])
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
