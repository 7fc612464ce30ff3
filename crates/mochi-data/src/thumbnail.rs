//! Thumbnails: images of a dataset, shrunk to fit a square, as JPEG.

use mochi_annotations::AnnotatedImage;
use mochi_views::average::Averager;
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::{BadReason, DecodeError};
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use crate::dataset::Dataset;
use crate::read_error::ReadError;
use crate::read_file::read_image;

/// Thumbnail and size of its source image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// The thumbnail as a JPEG file.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Width and height of the source image.
    pub source: (u32, u32),
}

/// Makes thumbnails and reuses its buffers.
#[derive(Default)]
pub struct Thumbnailer {
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    averager: Averager,
}

impl Thumbnailer {
    /// Image `index` of `dataset`, fitted into a square of `side` pixels; never enlarged.
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    pub fn make(&mut self, dataset: &Dataset, index: usize, side: u32) -> Result<Thumbnail, ReadError> {
        dataset.read(index, &mut self.bytes)?;
        dataset.decode(index, &self.bytes, &mut self.decoder, &DecodeOptions::default(), &mut self.pixels)?;
        Ok(shrink(&self.pixels, side, &mut self.averager)?)
    }

    /// The image of a dataset with objects, in the orientation of its objects; otherwise as [`Self::make`].
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    pub fn make_annotated(&mut self, image: &AnnotatedImage, side: u32) -> Result<Thumbnail, ReadError> {
        read_image(&image.file, &mut self.bytes)?;
        let options = DecodeOptions { exif_orientation: image.exif_orientation, ..DecodeOptions::default() };
        self.decoder.decode(&self.bytes, &options, &mut self.pixels)?;
        Ok(shrink(&self.pixels, side, &mut self.averager)?)
    }
}

/// The image fitted into a square of `side` pixels; never enlarged.
pub(crate) fn shrink(pixels: &Pixels, side: u32, averager: &mut Averager) -> Result<Thumbnail, DecodeError> {
    let (width, height) = fit(pixels.width, pixels.height, side);
    let small = averager.run(pixels, width, height);
    let rgb: Vec<u8> = small.iter().map(|value| value.round() as u8).collect();
    Ok(Thumbnail { jpeg: encode(&rgb, width, height)?, width, height, source: (pixels.width, pixels.height) })
}

/// The size of a `width x height` image whose longer side is at most `side`; each side is at least 1.
pub(crate) fn fit(width: u32, height: u32, side: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= side || long == 0 {
        return (width, height);
    }
    let scaled = |length: u32| ((u64::from(length) * u64::from(side) + u64::from(long) / 2) / u64::from(long)).max(1);
    (scaled(width) as u32, scaled(height) as u32)
}

/// Encodes (height, width, 3) RGB bytes as JPEG.
pub(crate) fn encode(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, DecodeError> {
    let failed = |error: turbojpeg::Error| DecodeError::new(BadReason::Panicked, error.to_string());
    let mut compressor = Compressor::new().map_err(failed)?;
    compressor.set_quality(85).map_err(failed)?;
    compressor.set_subsamp(Subsamp::Sub2x2).map_err(failed)?;
    compressor.set_optimize(true).map_err(failed)?;
    let (width, height) = (width as usize, height as usize);
    let image = Image { pixels: rgb, width, pitch: width * 3, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_keep_the_shape_and_are_never_enlarged() {
        assert_eq!(fit(400, 300, 100), (100, 75));
        assert_eq!(fit(300, 400, 100), (75, 100));
        assert_eq!(fit(40, 30, 100), (40, 30));
        assert_eq!(fit(10_000, 2, 100), (100, 1));
    }

    #[test]
    fn a_thumbnail_is_the_mean_of_what_it_shows() {
        let rgb: Vec<u8> = (0..80 * 40).flat_map(|i| [(i % 80 * 3) as u8, 100, 40]).collect();
        let pixels = Pixels { width: 80, height: 40, rgb };
        let small = shrink(&pixels, 20, &mut Averager::default()).unwrap();
        assert_eq!((small.width, small.height, small.source), (20, 10, (80, 40)));
        let mut back = Pixels::default();
        Decoder::new().decode(&small.jpeg, &DecodeOptions::default(), &mut back).unwrap();
        assert_eq!((back.width, back.height), (20, 10));
        let error = back.rgb.chunks(3).enumerate().map(|(i, p)| {
            let red = (i % 20 * 4) as f64 * 3.0 + 4.5;
            (f64::from(p[0]) - red).abs().max((f64::from(p[1]) - 100.0).abs())
        });
        assert!(error.fold(0.0, f64::max) < 12.0);
    }
}
