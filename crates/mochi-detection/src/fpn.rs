//! The feature pyramid (Lin et al. 2017; detectron2 `modeling/backbone/fpn.py` with `LastLevelMaxPool`): from the maps C of a backbone's stages
//! to maps P of 256 channels.
//!
//! ```text
//! top = lateral(C_last),  inner_i = lateral_i(C_i) + nearest2x(inner_(i+1)),  P_i = output_i(inner_i),  P_(last+1) = every second cell of P_last
//! ```

use mochi_nets::{FeatureMaps, NormMode, ShapeSpec};
use mochi_tensor::{BatchNorm, Tensor, TensorError};

use crate::layers::{Builder, Initial, NormedConv};
use crate::pyramid::Level;

/// Channels of every map of the pyramid.
pub(crate) const CHANNELS: i64 = 256;

/// The two convolutions of a level.
#[derive(Debug)]
struct Rung {
    lateral: NormedConv,
    output: NormedConv,
    stride: i64,
}

/// The convolutions, finest level first.
#[derive(Debug)]
pub(crate) struct Fpn {
    rungs: Vec<Rung>,
}

impl Fpn {
    /// Over stages of these shapes, finest first. Weights as fvcore's `c2_xavier_fill`. Names are detectron2's: `fpn_lateral2.weight` belongs to
    /// stride 2^2. `norm`: each convolution has a norm and no bias (`MODEL.FPN.NORM`).
    pub fn new(stages: &[ShapeSpec], norm: bool, b: &mut Builder) -> Result<Self, TensorError> {
        let mut rungs = Vec::with_capacity(stages.len());
        for stage in stages {
            let number = stage.stride.ilog2();
            let mut conv = |name, sizes| b.normed(&format!("{name}{number}"), sizes, Initial::Xavier, norm);
            let lateral = conv("fpn_lateral", [CHANNELS, stage.channels, 1])?;
            rungs.push(Rung { lateral, output: conv("fpn_output", [CHANNELS, CHANNELS, 3])?, stride: stage.stride });
        }
        Ok(Self { rungs })
    }

    /// Strides of the maps, finest first.
    pub fn strides(&self) -> Vec<i64> {
        let last = self.rungs.last().map(|rung| 2 * rung.stride);
        self.rungs.iter().map(|rung| rung.stride).chain(last).collect()
    }

    /// The sides of images must be multiples of this number: each map then has twice the cells of the next.
    pub fn divisor(&self) -> i64 {
        self.rungs.last().map_or(1, |rung| rung.stride)
    }

    /// Every norm.
    pub fn norms(&self) -> impl Iterator<Item = &BatchNorm> {
        self.rungs.iter().flat_map(|rung| [&rung.lateral, &rung.output]).filter_map(NormedConv::norm)
    }

    /// Every norm, to change how it works.
    pub fn norms_mut(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.rungs.iter_mut().flat_map(|rung| [&mut rung.lateral, &mut rung.output]).filter_map(NormedConv::norm_mut)
    }

    /// The maps of the stages of each part of a batch, finest first, to those of the pyramid.
    pub fn forward(&self, parts: &[FeatureMaps], mode: NormMode) -> Result<Vec<Vec<Level>>, TensorError> {
        let mut pyramids: Vec<Vec<Level>> = parts.iter().map(|_| Vec::with_capacity(self.rungs.len() + 1)).collect();
        let mut above: Option<Vec<Tensor>> = None;
        for (number, rung) in self.rungs.iter().enumerate().rev() {
            let stages: Vec<&Tensor> =
                parts.iter().filter_map(|part| part.iter().nth(number)).map(|map| &map.values).collect();
            let mut inner = rung.lateral.forward(&stages, mode)?;
            for (inner, above) in inner.iter_mut().zip(above.iter().flatten()) {
                let (_, _, height, width) = inner.size4()?;
                *inner = inner.f_add(&above.f_upsample_nearest2d([height, width], None, None)?)?;
            }
            let maps = rung.output.forward(&inner.iter().collect::<Vec<_>>(), mode)?;
            for (levels, map) in pyramids.iter_mut().zip(maps) {
                if levels.is_empty() {
                    let halved = map.f_max_pool2d([1, 1], [2, 2], [0, 0], [1, 1], false)?;
                    levels.push(Level { map: halved, stride: 2 * rung.stride });
                }
                levels.push(Level { map, stride: rung.stride });
            }
            above = Some(inner);
        }
        pyramids.iter_mut().for_each(|levels| levels.reverse());
        Ok(pyramids)
    }
}
