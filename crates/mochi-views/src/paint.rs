//! Areas and frames painted into an image.

use std::ops::Range;

use crate::decode::Pixels;

/// Mixes a color into pixels: `runs` are (row, first column, column after the last), `share` how much of the color, of 256. Runs outside of the image are
/// cut off.
pub fn tint(pixels: &mut Pixels, runs: &[(usize, usize, usize)], color: [u8; 3], share: u8) {
    let mixed: [Vec<u8>; 3] = color.map(|color| {
        let mix = |value: u16| (value * (256 - u16::from(share)) + u16::from(color) * u16::from(share)) / 256;
        (0..256).map(|value| u8::try_from(mix(value)).unwrap_or(u8::MAX)).collect()
    });
    for &(row, first, end) in runs {
        for pixel in run(pixels, row, first..end).chunks_exact_mut(3) {
            for (value, mixed) in pixel.iter_mut().zip(&mixed) {
                *value = mixed[usize::from(*value)];
            }
        }
    }
}

/// Draws the border of a box (x0, y0, x1, y1), `line` pixels wide, within the box.
pub fn frame(pixels: &mut Pixels, bounds: [usize; 4], color: [u8; 3], line: usize) {
    let [x0, y0, x1, y1] = bounds;
    for y in y0..y1.min(pixels.height as usize) {
        let inside = y - y0 >= line && y1 - y > line && x1.saturating_sub(x0) > 2 * line;
        let parts = if inside { [x0..x0 + line, x1 - line..x1] } else { [x0..x1, x1..x1] };
        for part in parts {
            run(pixels, y, part).chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&color));
        }
    }
}

/// The values of a run of pixels within the image.
fn run(pixels: &mut Pixels, row: usize, columns: Range<usize>) -> &mut [u8] {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let end = columns.end.min(width);
    if row >= height || columns.start >= end {
        return &mut [];
    }
    pixels.rgb.get_mut(3 * (row * width + columns.start)..3 * (row * width + end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray() -> Pixels {
        Pixels { width: 6, height: 5, rgb: vec![100; 6 * 5 * 3] }
    }

    #[test]
    fn a_tint_is_mixed_into_its_runs() {
        let mut pixels = gray();
        tint(&mut pixels, &[(2, 2, 3), (4, 5, 90), (9, 0, 3), (1, 8, 9)], [0, 200, 100], 128);
        let at = |x: usize, y: usize| &pixels.rgb[3 * (y * 6 + x)..][..3];
        assert_eq!((at(2, 2), at(5, 4)), (&[50, 150, 100][..], &[50, 150, 100][..]));
        assert_eq!(pixels.rgb.chunks(3).filter(|pixel| **pixel != [100; 3]).count(), 2);
    }

    #[test]
    fn a_frame_has_its_lines_within_the_box() {
        let drawn = |bounds: [usize; 4], line: usize| {
            let mut pixels = gray();
            frame(&mut pixels, bounds, [0; 3], line);
            let row = |y: usize| pixels.rgb[18 * y..18 * (y + 1)].chunks(3).map(|p| if p[0] == 0 { '#' } else { '.' });
            (0..5).map(|y| row(y).collect::<String>()).collect::<Vec<_>>()
        };
        assert_eq!(drawn([1, 1, 5, 5], 1), ["......", ".####.", ".#..#.", ".#..#.", ".####."]);
        assert_eq!(drawn([1, 1, 4, 4], 2), ["......", ".###..", ".###..", ".###..", "......"]);
        assert_eq!(drawn([4, 3, 9, 9], 1), ["......", "......", "......", "....##", "....#."]);
        assert_eq!(drawn([3, 3, 3, 2], 1), ["......"; 5]);
    }
}
