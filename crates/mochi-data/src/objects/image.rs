//! One image for a detector (detectron2 `data/dataset_mapper.py`): read with its EXIF orientation, resized by its shorter side, mirrored or not.

use mochi_annotations::{AnnotatedImage, Placement};
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::ImageResizer;
use mochi_views::{BadReason, DecodeError};

use crate::read_error::ReadError;
use crate::read_file::read_image;

/// How an image is resized and mirrored.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectImageOptions {
    /// Lengths of the shorter side in pixels, of which one is drawn.
    pub short_sides: Vec<u32>,
    /// The longer side is at most this.
    pub longest_side: u32,
    /// Probability of mirroring.
    pub flip: f64,
}

/// Width and height of an image of (width, height) pixels resized to a shorter side, unless the longer side would exceed its limit (detectron2
/// `ResizeShortestEdge`).
pub fn shortest_edge((width, height): (u32, u32), short: u32, longest: u32) -> (u32, u32) {
    let (w, h, short, longest) = (f64::from(width), f64::from(height), f64::from(short), f64::from(longest));
    let factor = short / w.min(h);
    let (mut wide, mut high) = if h < w { (factor * w, short) } else { (short, factor * h) };
    let most = wide.max(high);
    if most > longest {
        let shrink = longest / most;
        (wide, high) = (wide * shrink, high * shrink);
    }
    let rounded = |side: f64| ((side + 0.5) as u32).max(1);
    (rounded(wide), rounded(high))
}

/// Pixels with where the image was placed.
#[derive(Default)]
pub(crate) struct Loaded {
    pub(crate) pixels: Pixels,
    pub(crate) mirrored: bool,
}

impl Loaded {
    pub(crate) fn placement(&self, image: &AnnotatedImage) -> Placement {
        let Pixels { width, height, .. } = self.pixels;
        Placement::resize((image.width, image.height), (width, height), self.mirrored)
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    resizer: ImageResizer,
}

impl Reader {
    /// Reads and decodes an image, whose size has to be the annotated one. Returns width and height.
    pub(crate) fn decode(&mut self, image: &AnnotatedImage) -> Result<(u32, u32), ReadError> {
        read_image(&image.file, &mut self.bytes)?;
        let decode = DecodeOptions { exif_orientation: image.exif_orientation, ..DecodeOptions::default() };
        self.decoder.decode(&self.bytes, &decode, &mut self.pixels)?;
        let found = (self.pixels.width, self.pixels.height);
        if found != (image.width, image.height) {
            let detail = format!(
                "the image has {} x {} pixels, its annotation says {} x {}",
                found.0, found.1, image.width, image.height
            );
            return Err(DecodeError::new(BadReason::Corrupt, detail).into());
        }
        Ok(found)
    }

    /// Image number `index` as step `step` of a run of seed `seed` takes it.
    pub(crate) fn load(
        &mut self,
        image: &AnnotatedImage,
        options: &ObjectImageOptions,
        (seed, step, index): (u64, u64, u32),
    ) -> Result<Loaded, ReadError> {
        let found = self.decode(image)?;
        let mut stream = Stream::new(seed, Purpose::Object, step, index, 0);
        let sides = &options.short_sides;
        let choice = stream.below(u32::try_from(sides.len()).unwrap_or(u32::MAX).max(1)) as usize;
        let mirrored = stream.chance(options.flip);
        let short = sides.get(choice).copied().unwrap_or(image.width.min(image.height));
        let (width, height) = shortest_edge(found, short, options.longest_side);
        let pixels = self.resizer.resize(&self.pixels, width, height);
        Ok(Loaded { pixels, mirrored })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of detectron2's rule.
    #[test]
    fn sizes_are_detectron2s() {
        for ((height, width), short, wanted) in [
            ((375, 500), 800, (800, 1067)),
            ((500, 333), 480, (721, 480)),
            ((427, 640), 800, (800, 1199)),
            ((480, 640), 672, (672, 896)),
            ((200, 1000), 800, (267, 1333)),
            ((640, 640), 736, (736, 736)),
            ((353, 500), 544, (544, 771)),
        ] {
            assert_eq!(shortest_edge((width, height), short, 1333), (wanted.1, wanted.0));
        }
    }
}
