//! The losses of a training step (detectron2 `modeling/meta_arch/rcnn.py`): objectness and boxes of anchors, classes, boxes and masks of regions. Their sum
//! is minimized.
//!
//! Each loss has its divisor within a group of images; the loss of several groups is their mean, as that of several workers in detectron2.

use mochi_nets::NormMode;
use mochi_tensor::{Tensor, TensorError};

use crate::batch::{ImageGroup, Truth};
use crate::box_head::{self, SampledRegions};
use crate::boxes::BoundingBox;
use crate::detector::Detector;
use crate::mask_head;
use crate::proposals::proposals;
use crate::pyramid::Pyramid;
use crate::regions::Pooled;
use crate::roi_align::Region;
use crate::rpn::{RpnOutput, RpnTargets};
use crate::sampling::Permute;

/// Losses of a step, scalars.
#[derive(Debug)]
pub struct Losses {
    /// Of the RPN's logits.
    pub rpn_objectness: Tensor,
    /// Of the RPN's boxes.
    pub rpn_boxes: Tensor,
    /// Of the regions' classes.
    pub classes: Tensor,
    /// Of the regions' boxes.
    pub boxes: Tensor,
    /// Of the regions' masks, for a detector with masks.
    pub masks: Option<Tensor>,
    /// Regions that hold an object, as a fraction of all.
    pub foreground: f64,
}

impl Losses {
    /// Their sum.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn total(&self) -> Result<Tensor, TensorError> {
        let heads = self.classes.f_add(&self.boxes)?.f_add(&self.rpn_objectness)?.f_add(&self.rpn_boxes)?;
        Ok(match &self.masks {
            Some(masks) => heads.f_add(masks)?,
            None => heads,
        })
    }
}

/// One group on its way from the RPN to the heads.
struct GroupState {
    rpn_losses: [Tensor; 2],
    regions: Vec<Region>,
    samples: Vec<SampledRegions>,
}

impl Detector {
    /// The losses of groups of images with one [`Truth`] for each image. `mode`: training, or [`NormMode::Collect`] to measure batch statistics.
    /// `permute` draws the samples: for each group the anchors of each image (positives, negatives), then its regions in the same way.
    ///
    /// # Errors
    /// libtorch's error, e.g. when memory is short or the number of truths differs from that of images.
    pub fn losses(
        &self,
        groups: &[ImageGroup],
        truths: &[Vec<Truth>],
        mode: NormMode,
        permute: &mut Permute,
    ) -> Result<Losses, TensorError> {
        if groups.len() != truths.len() || groups.iter().zip(truths).any(|(g, t)| g.sizes.len() != t.len()) {
            return Err(TensorError::Mismatch("every image needs its ground truth".to_owned()));
        }
        let pixels: Vec<Tensor> =
            groups.iter().map(|group| self.compute.input(&group.pixels)).collect::<Result<_, _>>()?;
        self.losses_of(&pixels, groups, truths, mode, permute)
    }

    /// [`Self::losses`] with the pixels in the type that the network computes in.
    pub(crate) fn losses_of(
        &self,
        pixels: &[Tensor],
        groups: &[ImageGroup],
        truths: &[Vec<Truth>],
        mode: NormMode,
        permute: &mut Permute,
    ) -> Result<Losses, TensorError> {
        let maps = self.maps(pixels, mode)?;
        let mut states = Vec::with_capacity(groups.len());
        for ((map, group), truths) in maps.iter().zip(groups).zip(truths) {
            states.push(self.sample(map, group, truths, permute)?);
        }
        let regions: Vec<Vec<Region>> = states.iter().map(|state| state.regions.clone()).collect();
        let pooled = self.pool(&maps, &regions, mode)?;
        let mut sums: Option<Vec<Tensor>> = None;
        let (mut foreground, mut all) = (0, 0);
        for (((state, truths), pooled), map) in states.iter().zip(truths).zip(&pooled).zip(&maps) {
            let mut own: Vec<Tensor> = state.rpn_losses.iter().map(Tensor::shallow_clone).collect();
            own.extend(self.head_losses(pooled, map, state, truths)?);
            sums = Some(match sums {
                None => own,
                Some(sums) => sums.iter().zip(&own).map(|(a, b)| a.f_add(b)).collect::<Result<_, _>>()?,
            });
            foreground += state.samples.iter().map(|sample| sample.truths.len()).sum::<usize>();
            all += state.regions.len();
        }
        let count = groups.len().max(1) as f64;
        let sums = sums.ok_or_else(|| TensorError::Mismatch("a step needs an image".to_owned()))?;
        let mut means = sums.iter().map(|sum| sum.f_div_scalar(count)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let mut next = || means.next().ok_or_else(|| TensorError::Mismatch("a loss is missing".to_owned()));
        Ok(Losses {
            rpn_objectness: next()?,
            rpn_boxes: next()?,
            classes: next()?,
            boxes: next()?,
            masks: self.masks.as_ref().map(|_| next()).transpose()?,
            foreground: foreground as f64 / all.max(1) as f64,
        })
    }

    /// The RPN on a group: its losses, and the regions for the heads.
    fn sample(
        &self,
        map: &Pyramid,
        group: &ImageGroup,
        truths: &[Truth],
        permute: &mut Permute,
    ) -> Result<GroupState, TensorError> {
        let output: RpnOutput = self.rpn.forward(&map.levels)?;
        let anchors = self.anchors(map);
        let mut targets = RpnTargets::default();
        for truth in truths {
            targets.add(&truth.bounds, anchors.boxes(), permute);
        }
        let rpn_losses = targets.losses(&output.logits, &output.deltas)?;
        let (mut regions, mut samples) = (Vec::new(), Vec::new());
        for (image, ((host, truth), &size)) in output.to_host()?.iter().zip(truths).zip(&group.sizes).enumerate() {
            let found = proposals(&host.logits, &host.deltas, &anchors, size, self.spec.train_proposals);
            let mut candidates: Vec<BoundingBox> = found.iter().map(|proposal| proposal.bounds).collect();
            candidates.extend(&truth.bounds);
            if candidates.is_empty() {
                // A norm needs values: the image as a whole is background.
                candidates.push([0.0, 0.0, size.width as f32, size.height as f32]);
            }
            let (classes, sampling) = (self.spec.classes, self.spec.regions);
            let sample = SampledRegions::draw(&truth.bounds, &truth.classes, &candidates, classes, sampling, permute);
            regions.extend(sample.bounds.iter().map(|&bounds| Region { image, bounds }));
            samples.push(sample);
        }
        Ok(GroupState { rpn_losses, regions, samples })
    }

    /// Class, box and mask losses of a group.
    fn head_losses(
        &self,
        pooled: &Pooled,
        map: &Pyramid,
        state: &GroupState,
        truths: &[Truth],
    ) -> Result<Vec<Tensor>, TensorError> {
        let output = self.boxes.forward(&pooled.boxes)?;
        let bounds: Vec<BoundingBox> = state.regions.iter().map(|region| region.bounds).collect();
        let classes: Vec<i64> = state.samples.iter().flat_map(|sample| sample.classes.iter().copied()).collect();
        let matched =
            || state.samples.iter().zip(truths).flat_map(|(s, truth)| s.truths.iter().map(move |&at| (truth, at)));
        let targets: Vec<BoundingBox> = matched().map(|(truth, at)| truth.bounds[at]).collect();
        let losses = box_head::losses(&output.scores, &output.deltas, &bounds, &classes, &targets)?;
        let mut losses: Vec<Tensor> = losses.into();
        if let Some(head) = &self.masks {
            let (background, side) = (self.spec.classes as i64, self.spec.architecture.parts().mask_side);
            let rows: Vec<i64> = (0..classes.len()).filter(|&i| classes[i] < background).map(|i| i as i64).collect();
            let own: Vec<i64> = rows.iter().map(|&i| classes[i as usize]).collect();
            let cells: Vec<bool> = rows
                .iter()
                .zip(matched())
                .flat_map(|(&row, (truth, at))| match truth.masks.get(at) {
                    Some(mask) => mask.rasterize(bounds[row as usize], side),
                    None => vec![false; usize::from(side) * usize::from(side)],
                })
                .collect();
            let logits = head.forward(&self.mask_input(pooled, map, &state.regions, &rows)?)?;
            losses.push(mask_head::loss(&logits, &own, &cells)?);
        }
        Ok(losses)
    }
}
