//! An image with the objects that were found: boxes and masks in the color of their class, as on the page, as a PNG file. Names are in the page beside it.

use std::path::Path;

use mochi_detection_metrics::Detection;
use mochi_files::write_atomic;
use mochi_report::CLASS_COLORS;
use mochi_views::decode::Pixels;
use mochi_views::paint;

use crate::failure::{Failure, Outcome};

/// How much of a mask's color is mixed into a pixel, of 256.
const MASK: u8 = 110;

/// Draws the objects over the image, the best last.
pub fn draw<'a>(pixels: &mut Pixels, objects: impl DoubleEndedIterator<Item = &'a Detection>) {
    let (width, height) = (pixels.width, pixels.height);
    let line = (width.max(height) / 300).max(1) as usize;
    let side = |value: f32, most: u32| (value.round().max(0.0) as usize).min(most as usize);
    for object in objects.rev() {
        let color = CLASS_COLORS[object.class % CLASS_COLORS.len()];
        if let Some(mask) = object.mask.as_ref().filter(|mask| (mask.width, mask.height) == (width, height)) {
            paint::tint(pixels, &mask.row_runs(), color, MASK);
        }
        let [x0, y0, x1, y1] = object.bounds;
        paint::frame(pixels, [side(x0, width), side(y0, height), side(x1, width), side(y1, height)], color, line);
    }
}

/// Writes the picture; `software` is what it says of the program.
pub fn write(path: &Path, pixels: &Pixels, software: &str) -> Outcome<()> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width, pixels.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
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
        assert_eq!((at(1, 1), at(4, 4)), (&CLASS_COLORS[9][..], &CLASS_COLORS[9][..]));
        assert_eq!(at(2, 2), [150, 126, 109]);
    }
}
