//! Detections in images (detectron2 `modeling/meta_arch/rcnn.py`, `modeling/postprocessing.py`).

use mochi_annotations::Rle;
use mochi_nets::NormMode;
use mochi_tensor::{Tensor, TensorError, no_grad};

use crate::batch::ImageGroup;
use crate::box_head::{Detected, detections};
use crate::boxes::{BoundingBox, ImageSize, clip, is_empty};
use crate::detector::Detector;
use crate::host::floats;
use crate::mask_head::of_classes;
use crate::paste::paste;
use crate::proposals::proposals;
use crate::pyramid::Pyramid;
use crate::roi_align::Region;

/// An object found in an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Its box in pixels of the original image.
    pub bounds: BoundingBox,
    /// Its class.
    pub class: usize,
    /// The softmax of its class.
    pub score: f32,
    /// Its pixels, from a detector with masks.
    pub mask: Option<Rle>,
}

impl Detector {
    /// The objects in each image, best first. `originals`: the size of each image before it was resized, in which the results are.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short.
    pub fn detect(&self, images: &ImageGroup, originals: &[ImageSize]) -> Result<Vec<Vec<Prediction>>, TensorError> {
        self.detect_in(&self.compute.input(&images.pixels)?, &images.sizes, originals)
    }

    /// [`Self::detect`] with the pixels in the type that the network computes in.
    pub(crate) fn detect_in(
        &self,
        pixels: &Tensor,
        sizes: &[ImageSize],
        originals: &[ImageSize],
    ) -> Result<Vec<Vec<Prediction>>, TensorError> {
        no_grad(|| {
            let maps = self.maps(std::slice::from_ref(pixels), NormMode::Eval)?;
            let found = self.detections(&maps, sizes)?;
            let masks = self.mask_probabilities(&maps, &found)?;
            let side = usize::from(self.spec.architecture.parts().mask_side);
            let mut masks = masks.chunks(side * side);
            let mut results = Vec::with_capacity(found.len());
            for ((found, &size), &original) in found.iter().zip(sizes).zip(originals) {
                let mut own = Vec::with_capacity(found.len());
                for detected in found {
                    let mask = masks.next();
                    let bounds = clip(scaled(detected.bounds, size, original), original);
                    if !is_empty(bounds) {
                        let mask = mask.map(|mask| paste(mask, side, bounds, original));
                        own.push(Prediction { bounds, class: detected.class, score: detected.score, mask });
                    }
                }
                results.push(own);
            }
            Ok(results)
        })
    }

    /// Boxes and classes in network coordinates, by image.
    fn detections(&self, maps: &[Pyramid], sizes: &[ImageSize]) -> Result<Vec<Vec<Detected>>, TensorError> {
        let map = &maps[0];
        let anchors = self.anchors(map);
        let mut regions = Vec::new();
        for (image, (host, &size)) in self.rpn.forward(&map.levels)?.to_host()?.iter().zip(sizes).enumerate() {
            let found = proposals(&host.logits, &host.deltas, &anchors, size, self.spec.test_proposals);
            regions.extend(found.iter().map(|proposal| Region { image, bounds: proposal.bounds }));
        }
        let regions = [regions];
        let pooled = self.pool(maps, &regions, NormMode::Eval)?;
        let output = self.boxes.forward(&pooled[0].boxes)?;
        let mut first = 0;
        let mut results = Vec::with_capacity(sizes.len());
        for (image, &size) in sizes.iter().enumerate() {
            let bounds: Vec<_> = regions[0].iter().filter(|region| region.image == image).map(|r| r.bounds).collect();
            let (start, count) = (first as i64, bounds.len() as i64);
            first += bounds.len();
            let own = |x: &Tensor| x.f_narrow(0, start, count);
            let (scores, deltas) = (own(&output.scores)?, own(&output.deltas)?);
            results.push(detections(&scores, &deltas, &bounds, size, self.spec.detections)?);
        }
        Ok(results)
    }

    /// Probabilities of the cells of each detection, of its class; empty for a detector without masks.
    fn mask_probabilities(&self, maps: &[Pyramid], found: &[Vec<Detected>]) -> Result<Vec<f32>, TensorError> {
        let Some(head) = &self.masks else { return Ok(Vec::new()) };
        let all = found.iter().enumerate().flat_map(|(image, found)| found.iter().map(move |d| (image, d)));
        let (regions, classes): (Vec<Region>, Vec<i64>) =
            all.map(|(image, d)| (Region { image, bounds: d.bounds }, d.class as i64)).unzip();
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let x = self.mask_input_of(&maps[0], &regions, NormMode::Eval)?;
        floats(&of_classes(&head.forward(&x)?, &classes)?.f_sigmoid()?)
    }
}

/// A box of an image of one size in an image of another.
fn scaled(b: BoundingBox, from: ImageSize, to: ImageSize) -> BoundingBox {
    let (x, y) = (to.width as f32 / from.width as f32, to.height as f32 / from.height as f32);
    [b[0] * x, b[1] * y, b[2] * x, b[3] * y]
}
