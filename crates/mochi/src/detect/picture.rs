//! An image with the objects that were found: boxes and masks in the color of their class, as a PNG file. Names are in the page beside it.

use std::path::Path;

use mochi_detection_metrics::Detection;
use mochi_files::write_atomic;
use mochi_views::decode::Pixels;

use crate::failure::{Failure, Outcome};

/// Colors of the classes (Okabe and Ito's, which color-blind people tell apart), repeated after eight.
const COLORS: [[u8; 3]; 8] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [0, 114, 178],
    [213, 94, 0],
    [204, 121, 167],
    [0, 0, 0],
];

/// How much of a mask's color is mixed into a pixel, of 256.
const MASK: u16 = 110;

/// Draws the objects over the image, the best last.
pub fn draw<'a>(pixels: &mut Pixels, objects: impl DoubleEndedIterator<Item = &'a Detection>) {
    let line = (pixels.width.max(pixels.height) / 300).max(1) as usize;
    for object in objects.rev() {
        let color = COLORS[object.class % COLORS.len()];
        if let Some(mask) = &object.mask
            && (mask.width, mask.height) == (pixels.width, pixels.height)
        {
            let inside = mask.to_rows();
            for (pixel, _) in pixels.rgb.chunks_exact_mut(3).zip(inside).filter(|(_, inside)| *inside) {
                for (value, color) in pixel.iter_mut().zip(color) {
                    let mixed = (u16::from(*value) * (256 - MASK) + u16::from(color) * MASK) / 256;
                    *value = u8::try_from(mixed).unwrap_or(u8::MAX);
                }
            }
        }
        outline(pixels, object.bounds, color, line);
    }
}

/// The border of a box, `line` pixels wide, within the box.
fn outline(pixels: &mut Pixels, bounds: [f32; 4], color: [u8; 3], line: usize) {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let side = |value: f32, most: usize| (value.round().max(0.0) as usize).min(most);
    let [x0, y0, x1, y1] =
        [side(bounds[0], width), side(bounds[1], height), side(bounds[2], width), side(bounds[3], height)];
    for y in y0..y1 {
        for x in x0..x1 {
            if y - y0 < line || y1 - y <= line || x - x0 < line || x1 - x <= line {
                let at = 3 * (y * width + x);
                pixels.rgb[at..at + 3].copy_from_slice(&color);
            }
        }
    }
}

/// Writes the picture; `software` is what it says of the program.
pub fn write(path: &Path, pixels: &Pixels, software: &str) -> Outcome<()> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width, pixels.height);
    encoder.set_color(png::ColorType::Rgb);
    let text = encoder.add_text_chunk("Software".to_owned(), software.to_owned());
    let written = text.and_then(|()| encoder.write_header()).and_then(|mut writer| {
        writer.write_image_data(&pixels.rgb)?;
        writer.finish()
    });
    written.map_err(|e| Failure::new(format!("cannot encode {}: {e}", path.display()), "please report this defect"))?;
    Ok(write_atomic(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use mochi_annotations::Rle;

    use super::*;

    #[test]
    fn boxes_are_outlined_and_masks_mixed_in() {
        let mut pixels = Pixels { width: 6, height: 5, rgb: vec![100; 6 * 5 * 3] };
        let mut inside = vec![false; 30];
        inside[2 * 6 + 2] = true;
        let mask = Rle::from_rows(&inside, 5, 6).unwrap();
        let object = Detection { image: 0, class: 9, bounds: [1.0, 1.0, 5.2, 40.0], score: 0.9, mask: Some(mask) };
        draw(&mut pixels, [&object].into_iter());
        let at = |x: usize, y: usize| &pixels.rgb[3 * (y * 6 + x)..][..3];
        assert_eq!((at(0, 0), at(5, 2), at(3, 2)), (&[100; 3][..], &[100; 3][..], &[100; 3][..]));
        assert_eq!((at(1, 1), at(4, 4)), (&COLORS[1][..], &COLORS[1][..]));
        assert_eq!(at(2, 2), [93, 134, 157]);
    }
}
