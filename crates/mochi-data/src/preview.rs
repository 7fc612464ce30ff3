//! Preview of training views with their random parameters.
//!
//! The images are the first ones of an epoch's order. A view is made as in the loader: `Stream(seed, View, epoch, image, view)` ->
//! [`ViewPlan`] -> [`ViewMaker`], without the normalization. A bad image is replaced as in the loader.

mod sheet;
mod strip;

use std::time::{Duration, Instant};

use mochi_views::Augmentation;
use mochi_views::DecodeError;
use mochi_views::average::Averager;
use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::plan::{Crop, ViewPlan};
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::ViewMaker;
use std::collections::HashSet;

use crate::dataset::Dataset;
use crate::error::{BadImage, DataError};
use crate::loader::shrink_to;
use crate::read_error::ReadError;
use crate::thumbnail::{self, Thumbnail};

pub use sheet::{png_of_view, sheet};
pub use strip::strip;

/// Options of a preview.
#[derive(Clone, Debug)]
pub struct PreviewOptions {
    /// Number of images.
    pub images: usize,
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Views of each image.
    pub views: u16,
    /// Width and height of a view in pixels.
    pub size: u32,
    /// Augmentation pipeline.
    pub augmentation: Augmentation,
    /// See [`crate::LoaderOptions::fast_decode`].
    pub fast_decode: bool,
    /// Longest side of the thumbnail of the source image, in pixels.
    pub thumbnail: u32,
    /// Time after which no further image is begun; the first one always is.
    pub within: Option<Duration>,
}

/// An image and its views.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Index of the image in the dataset.
    pub index: usize,
    /// Name of the image.
    pub name: String,
    /// Thumbnail of the whole image. Crops are in pixels of its `source` size.
    pub source: Thumbnail,
    /// Its views, in order.
    pub views: Vec<View>,
}

/// One view.
#[derive(Clone, Debug)]
pub struct View {
    /// Plan of the view.
    pub plan: ViewPlan,
    /// Pixels before normalization: (size, size, 3) interleaved RGB.
    pub rgb: Vec<u8>,
}

impl View {
    /// Part of the image that the view shows; of a center crop only the window.
    pub fn shown(&self, size: u32) -> Crop {
        let Crop { left, top, width, height } = self.plan.crop;
        let part = |whole: u32, from: u32, resized: u32| {
            let at =
                |position: u32| (f64::from(position) * f64::from(whole) / f64::from(resized.max(1))).round() as u32;
            (at(from), at(from + size).max(at(from) + 1) - at(from))
        };
        let (x, w) = part(width, self.plan.window.0, self.plan.resized.0);
        let (y, h) = part(height, self.plan.window.1, self.plan.resized.1);
        Crop { left: left + x, top: top + y, width: w, height: h }
    }

    /// This view of `size` pixels as a JPEG whose sides are at most `side` pixels.
    ///
    /// # Errors
    /// An error of the encoder.
    pub fn thumbnail(&self, size: u32, side: u32) -> Result<Thumbnail, DecodeError> {
        let pixels = Pixels { width: size, height: size, rgb: self.rgb.clone() };
        thumbnail::shrink(&pixels, side, &mut Averager::default())
    }
}

/// Makes the views of single images as the loader has made them in an epoch.
pub struct Previewer<'a> {
    dataset: &'a Dataset,
    options: PreviewOptions,
    bad: HashSet<usize>,
    order: Vec<u32>,
    painter: Painter,
}

impl<'a> Previewer<'a> {
    /// Of the epoch of `options`, whose number of images has no influence, in which the images `bad` could not be read.
    ///
    /// # Errors
    /// An invalid augmentation pipeline, or a size of 0.
    pub fn new(dataset: &'a Dataset, options: PreviewOptions, bad: &[BadImage]) -> Result<Self, DataError> {
        options.check()?;
        let bad = bad.iter().map(|image| image.index).collect();
        let order = dataset.order(options.seed, options.epoch);
        Ok(Self { dataset, bad, order, painter: Painter::new(&options), options })
    }

    /// The views of image `index` where the epoch has it first: at its own place, or at that of a bad image that it replaces.
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    pub fn make(&mut self, index: usize) -> Result<Preview, ReadError> {
        let count = self.dataset.len();
        let shown_at = |meant: u32| {
            let places = (0..count).map(|step| (meant as usize + step) % count);
            places.into_iter().find(|place| !self.bad.contains(place)) == Some(index)
        };
        let meant = self.order.iter().copied().find(|&meant| shown_at(meant));
        let meant = meant.unwrap_or_else(|| u32::try_from(index).unwrap_or(u32::MAX));
        self.painter.paint(self.dataset, index, meant, &self.options)
    }
}

/// Makes the views of the first images of an epoch. Also returns the bad images that were replaced.
///
/// # Errors
/// An invalid augmentation pipeline, a size of 0, or a dataset without a readable image.
pub fn preview(dataset: &Dataset, options: &PreviewOptions) -> Result<(Vec<Preview>, Vec<BadImage>), DataError> {
    options.check()?;
    let mut painter = Painter::new(options);
    let (mut previews, mut bad) = (Vec::new(), Vec::new());
    let (count, begun) = (dataset.len(), Instant::now());
    for meant in dataset.order(options.seed, options.epoch).into_iter().take(options.images) {
        if !previews.is_empty() && options.within.is_some_and(|within| begun.elapsed() > within) {
            break;
        }
        for step in 0..count {
            let index = (meant as usize + step) % count;
            match painter.paint(dataset, index, meant, options) {
                Ok(preview) => {
                    previews.push(preview);
                    break;
                }
                Err(ReadError::Storage(error)) => return Err(error),
                Err(ReadError::Image(DecodeError { reason, detail })) => {
                    bad.push(BadImage { index, name: dataset.name_of(index), reason, detail });
                }
            }
        }
        // No image is readable, so other slots cannot be filled either.
        if previews.is_empty() {
            let first = bad.iter().take(5).map(|b| format!("{} ({})", b.name, b.reason)).collect::<Vec<_>>().join(", ");
            return Err(DataError::NoneReadable { images: bad.len(), first });
        }
    }
    bad.sort_by_key(|image| image.index);
    bad.dedup_by_key(|image| image.index);
    Ok((previews, bad))
}

#[derive(Default)]
struct Painter {
    decode: DecodeOptions,
    bytes: Vec<u8>,
    decoder: Decoder,
    pixels: Pixels,
    maker: ViewMaker,
    averager: Averager,
}

impl PreviewOptions {
    fn check(&self) -> Result<(), DataError> {
        self.augmentation.check()?;
        if self.size == 0 {
            return Err(DataError::Setting { what: "size", detail: "expected at least 1 pixel, got 0".into() });
        }
        Ok(())
    }
}

impl Painter {
    fn new(options: &PreviewOptions) -> Self {
        let shrink_to = shrink_to(options.fast_decode, options.size);
        Self { decode: DecodeOptions { shrink_to, ..DecodeOptions::default() }, ..Self::default() }
    }

    /// The views of image `index` that stands where `meant` was meant to.
    fn paint(
        &mut self,
        dataset: &Dataset,
        index: usize,
        meant: u32,
        options: &PreviewOptions,
    ) -> Result<Preview, ReadError> {
        dataset.read(index, &mut self.bytes)?;
        dataset.decode(index, &self.bytes, &mut self.decoder, &self.decode, &mut self.pixels)?;
        let mut views = Vec::new();
        for view in 0..options.views {
            let mut stream = Stream::new(options.seed, Purpose::View, options.epoch, meant, view);
            let mut plan = ViewPlan::default();
            plan.draw(&options.augmentation, self.pixels.width, self.pixels.height, options.size, &mut stream);
            let rgb = self.maker.render_rgb(&self.pixels, &plan, options.size)?;
            views.push(View { plan, rgb });
        }
        let source = thumbnail::shrink(&self.pixels, options.thumbnail, &mut self.averager)?;
        Ok(Preview { index, name: dataset.name_of(index), source, views })
    }
}
