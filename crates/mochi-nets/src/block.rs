//! Residual blocks: `relu(f(x) + shortcut(x))`.

use crate::arch::BlockKind;
use crate::layers::{Builder, Forward, Unit, UnitShape};
use mochi_tensor::{Tensor, TensorError};

/// How the input reaches the sum.
#[derive(Debug)]
enum Shortcut {
    Identity,
    /// 1x1 convolution and norm (torchvision's `downsample`).
    Projection(Unit),
    /// Every second pixel, zero channels on both sides (He et al. 2016, option A): no parameters.
    Pad {
        channels: i64,
    },
}

impl Shortcut {
    fn forward(&self, xs: &[Tensor], cx: &Forward) -> Result<Vec<Tensor>, TensorError> {
        let pad = |x: &Tensor, channels: i64| -> Result<Tensor, TensorError> {
            let x = x.f_slice(2, None, None, 2)?.f_slice(3, None, None, 2)?;
            Ok(x.f_constant_pad_nd([0, 0, 0, 0, channels, channels])?)
        };
        match self {
            Self::Identity => Ok(xs.iter().map(Tensor::shallow_clone).collect()),
            Self::Projection(unit) => unit.forward(xs, cx, false, None),
            Self::Pad { channels } => xs.iter().map(|x| pad(x, *channels)).collect(),
        }
    }
}

/// A chain of convolutions with norms; all but the last followed by a ReLU, the last by the sum and a ReLU.
/// Two 3x3 make torchvision's `BasicBlock`; 1x1, 3x3 (with the stride), 1x1 its `Bottleneck`.
#[derive(Debug)]
pub(crate) struct Block {
    chain: Vec<Unit>,
    shortcut: Shortcut,
}

impl Block {
    /// Block number `name` ("layer2.0"): `input` channels in, [`BlockKind::channels`] of `planes` out.
    pub fn new(
        b: &mut Builder,
        name: &str,
        input: i64,
        planes: i64,
        stride: i64,
        kind: BlockKind,
    ) -> Result<Self, TensorError> {
        let chain = match kind {
            BlockKind::Bottleneck => vec![(planes, 1, 1), (planes, 3, stride), (kind.channels(planes), 1, 1)],
            BlockKind::Basic | BlockKind::Cifar => vec![(planes, 3, stride), (planes, 3, 1)],
        };
        let (chain, out) = Self::chain(b, name, input, &chain)?;
        let shortcut = match kind {
            _ if stride == 1 && input == out => Shortcut::Identity,
            BlockKind::Cifar => Shortcut::Pad { channels: (out - input) / 2 },
            BlockKind::Basic | BlockKind::Bottleneck => {
                let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
                Shortcut::Projection(b.unit(&names[0], &names[1], UnitShape { out, input, kernel: 1, stride })?)
            }
        };
        Ok(Self { chain, shortcut })
    }

    fn chain(
        b: &mut Builder,
        name: &str,
        input: i64,
        plan: &[(i64, i64, i64)],
    ) -> Result<(Vec<Unit>, i64), TensorError> {
        let (mut chain, mut channels) = (Vec::new(), input);
        for (i, &(out, kernel, stride)) in plan.iter().enumerate() {
            let names = [format!("{name}.conv{}", i + 1), format!("{name}.bn{}", i + 1)];
            chain.push(b.unit(&names[0], &names[1], UnitShape { out, input: channels, kernel, stride })?);
            channels = out;
        }
        Ok((chain, channels))
    }

    /// (B, C, H, W) -> (B, C', H', W'), for each part of the batch.
    pub fn forward(&self, xs: &[Tensor], cx: &Forward) -> Result<Vec<Tensor>, TensorError> {
        let shortcuts = self.shortcut.forward(xs, cx)?;
        let mut ys: Vec<Tensor> = xs.iter().map(Tensor::shallow_clone).collect();
        for (i, unit) in self.chain.iter().enumerate() {
            let last = i + 1 == self.chain.len();
            ys = unit.forward(&ys, cx, true, last.then_some(&shortcuts))?;
        }
        Ok(ys)
    }

    /// Lets the block pass its input through at first: the scale of its last norm is 0 (torchvision's `zero_init_residual`).
    pub fn start_as_identity(&mut self) {
        if let Some(last) = self.chain.last_mut() {
            last.norm_mut().zero_scale();
        }
    }

    /// Every convolution with its norm.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        let projection = match &self.shortcut {
            Shortcut::Projection(unit) => Some(unit),
            Shortcut::Identity | Shortcut::Pad { .. } => None,
        };
        self.chain.iter().chain(projection)
    }

    /// As [`Self::units`].
    pub fn units_mut(&mut self) -> impl Iterator<Item = &mut Unit> {
        let projection = match &mut self.shortcut {
            Shortcut::Projection(unit) => Some(unit),
            Shortcut::Identity | Shortcut::Pad { .. } => None,
        };
        self.chain.iter_mut().chain(projection)
    }
}
