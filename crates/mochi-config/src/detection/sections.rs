//! `[data]`, `[model]`, `[optimizer]`, `[evaluation]` and `[log]` of detection. `[compute]` and `[checkpoint]` are pre-training's.

use super::choice::{Architecture, DataFormat, Freeze, Norm};
use crate::choice::{Arch, Stem};
use crate::kind::{Kind, MANY};
use crate::section::section;

/// Image sides in pixels.
const SIDE: Kind = Kind::Integer { min: 16, max: 16_384 };

section! {
    /// Images with objects: their source, sizes and batches.
    Data, DataSettings, "data" {
        /// Folder of images with annotations. `--data` on the command line sets this key.
        plain source: String = Kind::Text;
        /// Format of the annotations: `auto` (found from the folder), `voc` (PASCAL VOC), `coco` or `yolo`.
        plain format: DataFormat = Kind::Choice(DataFormat::WORDS);
        /// Split to train on, by the name that the folder gives it. Empty: the folder's training split.
        plain split: String = Kind::Text;
        /// Images per iteration. The learning rate and the iterations of published presets are for 16.
        plain batch: usize = Kind::Integer { min: 1, max: 1 << 16 };
        /// Number of groups of equal size that the batch is split into. Each has its own padding and its own divisors of the losses, whose mean over
        /// the groups is the loss; batch-norm statistics are the mean of the groups' statistics. Published numbers are of 8 (8 GPUs with 2
        /// images each and `naiveSyncBN`). 1: one group, as in a single process.
        plain groups: usize = Kind::Integer { min: 1, max: 1 << 16 };
        /// Shorter side of a training image in pixels, drawn uniformly from this list (detectron2's `ResizeShortestEdge`).
        plain short_sides: Vec<u32> = Kind::Rising { min: 16, max: 16_384 };
        /// Shorter side of an image in evaluation, in pixels.
        plain test_short_side: u32 = SIDE;
        /// Longest side of an image in pixels, in training and evaluation: an image whose longer side would exceed it is made smaller.
        plain longest_side: u32 = SIDE;
        /// Probability that a training image is mirrored horizontally.
        plain flip: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Put only wide or only tall images into a group (detectron2's `AspectRatioGroupedDataset`), so that little is padded.
        plain aspect_grouping: bool = Kind::Switch;
        /// Threads that decode and resize images. auto: all cores but one with a GPU, at most 32; a quarter of the cores on a CPU, at most 8,
        /// because the network needs the others.
        auto threads: usize = Kind::Integer { min: 1, max: 1024 };
        /// Batches prepared in advance.
        plain prefetch: usize = Kind::Integer { min: 1, max: 1024 };
        /// Largest fraction of bad images (images that cannot be read or decoded). Bad images are reported and replaced by the next one;
        /// the run stops if their fraction exceeds this value. One bad image never ends a run, however few images there are, unless the value
        /// is 0.
        plain max_bad_fraction: f64 = Kind::Number { min: 0.0, max: 1.0 };
    }
}

section! {
    /// The detector: Faster R-CNN or, with masks, Mask R-CNN.
    Model, ModelSettings, "model" {
        /// Feature maps and heads: `c4` (one map; the last stage of the backbone is the head, followed by a batch norm, as MoCo's
        /// `Res5ROIHeadsExtraNorm`) or `fpn` (a feature pyramid with two linear layers for boxes and four convolutions for masks, detectron2's
        /// `R50-FPN`). `fpn` finds small objects better and takes less time; published comparisons of encoders on PASCAL VOC are `c4`.
        plain architecture: Architecture = Kind::Choice(Architecture::WORDS);
        /// Backbone: a torchvision ResNet (`resnet18` to `resnet101`) or a CIFAR ResNet (`resnet20` to `resnet56`).
        plain arch: Arch = Kind::Choice(Arch::WORDS);
        /// First layers of `resnet18` to `resnet101`: `standard` (7x7 convolution of stride 2, max-pooling) or `cifar` (3x3 convolution of
        /// stride 1, no max-pooling). It must be that of `init`.
        plain stem: Stem = Kind::Choice(Stem::WORDS);
        /// Weights that the backbone starts from: a run folder, a weight file, or `none` for random weights. `--init` on the command line sets
        /// this key.
        plain init: String = Kind::Text;
        /// Whether masks are predicted (Mask R-CNN). auto: if the training objects have masks.
        auto masks: bool = Kind::Switch;
        /// Batch norms of the backbone: `batch` (trained, with statistics of the batch; the convolutions of the feature pyramid of `fpn` have such
        /// norms as well) or `frozen` (stored statistics, weights and biases, as detectron2's `FrozenBN`; the pyramid has no norms). Encoders that were pre-trained without labels need `batch`: with `frozen` and the published
        /// learning rate their training diverges (facebookresearch/moco, issue 40).
        plain norm: Norm = Kind::Choice(Norm::WORDS);
        /// Last stage of the backbone that is not trained, with all before it and their batch norms: `none`, `stem`, `res2`, `res3` or `res4`
        /// (torchvision's `layer1` to `layer3`). MoCo's protocol trains every stage.
        plain freeze: Freeze = Kind::Choice(Freeze::WORDS);
        /// Sizes of the anchors: square roots of their areas, in pixels of the resized image. `c4`: those of each cell of the feature map. `fpn`: one
        /// for each map of the pyramid, the finest map first; there are 5 maps, 4 with a CIFAR ResNet.
        plain anchor_sizes: Vec<f64> = Kind::Numbers { max: 16_384.0 };
        /// Ratios of height to width of the anchors of each size.
        plain anchor_ratios: Vec<f64> = Kind::Numbers { max: 100.0 };
    }
}

section! {
    /// SGD and its learning-rate schedule: a linear warm-up from a thousandth of the learning rate, then times 0.1 at each milestone.
    Optimizer, OptimizerSettings, "optimizer" {
        /// Learning rate after the warm-up. auto: 0.02 x batch / 16 (detectron2's linear rule).
        auto learning_rate: f64 = Kind::Number { min: 0.0, max: 1000.0 };
        /// Momentum of SGD.
        plain momentum: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Weight decay of the weights and biases of convolutions and linear layers. Batch norms have none.
        plain weight_decay: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Iterations over which the learning rate rises from a thousandth of its value.
        plain warmup_iterations: u64 = Kind::Integer { min: 0, max: MANY };
        /// Iterations at which the learning rate is multiplied by 0.1. auto: 3/4 and 11/12 of the iterations, as 18,000 and 22,000 of 24,000.
        auto milestones: Vec<u64> = Kind::Rising { min: 1, max: MANY };
        /// Largest L2 norm of the gradient of all parameters together, in each iteration (`torch.nn.utils.clip_grad_norm_`). 0 disables clipping, as
        /// in the published protocol.
        plain clip_norm: f64 = Kind::Number { min: 0.0, max: 1e6 };
    }
}

section! {
    /// Evaluation during and after training.
    Evaluation, "evaluation" {
        /// Folder of images with annotations. Empty: that of `data.source`.
        plain source: String = Kind::Text;
        /// Split to evaluate on, by the name that the folder gives it. Empty: the folder's evaluation split.
        plain split: String = Kind::Text;
        /// Iterations between evaluations. 0: only at the end, as in the published protocol.
        plain every_iterations: u64 = Kind::Integer { min: 0, max: MANY };
        /// Training batches that the running statistics of batch norms are computed from before an evaluation (detectron2's `PreciseBN`: 200).
        /// 0 keeps those of training. No effect if `model.norm` is `frozen`.
        plain precise_bn_iterations: u64 = Kind::Integer { min: 0, max: 1_000_000 };
    }
}

section! {
    /// Metrics.
    Log, "log" {
        /// Iterations between records in `metrics.jsonl` and in the TensorBoard file.
        plain every_steps: u64 = Kind::Integer { min: 1, max: MANY };
    }
}
