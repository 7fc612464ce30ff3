//! Warnings: valid settings that probably do not do what they should.

use mochi_text::counted;

use crate::choice::Arch;
use crate::device::Device;

/// A questionable combination of settings, reported before the run starts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Warning {
    /// The queue is longer than the keys of one epoch.
    #[error(
        "moco.queue ({queue}) exceeds the {keys} keys produced per epoch: the queue contains older keys of each query's own image, \
         which act as false negatives"
    )]
    QueueLargerThanData {
        /// K.
        queue: usize,
        /// Keys of one epoch.
        keys: usize,
        /// The value that `"auto"` resolves to.
        suggested: usize,
    },
    /// Many queries find the previous key of their own image in the queue.
    #[error(
        "moco.queue ({queue}) is large for the {keys} keys produced per epoch: {percent:.0} % of the queries have the previous key of \
         their own image in the queue, which acts as a false negative"
    )]
    QueueHoldsOwnKeys {
        /// K.
        queue: usize,
        /// Keys of one epoch.
        keys: usize,
        /// Percentage of the queries, (K / keys)^2 / 2.
        percent: f64,
        /// The value that `"auto"` resolves to.
        suggested: usize,
    },
    /// The queue cannot hold one batch.
    #[error(
        "moco.queue ({queue}) is smaller than the {keys} keys produced per step: only the last {queue} of each step are kept"
    )]
    QueueSmallerThanBatch {
        /// K.
        queue: usize,
        /// Keys of one step.
        keys: usize,
    },
    /// N was larger than the number of candidate keys.
    #[error(
        "negatives.hardest ({hardest}) exceeds the {}: all of them are used as mixing candidates",
        counted(columns, "available negative")
    )]
    HardestClamped {
        /// N as written.
        hardest: usize,
        /// Number of candidate keys, which N is now.
        columns: usize,
    },
    /// Synthesis never starts.
    #[error("negatives.warmup_epochs ({warmup}) is not below epochs ({epochs}): no negative is ever synthesized")]
    SynthesisNeverStarts {
        /// Epochs of the synthesis warm-up.
        warmup: f64,
        /// All epochs.
        epochs: f64,
    },
    /// The standard stem with small views.
    #[error("model.stem \"standard\" reduces a view of {size} pixels to a feature map of {cells} x {cells}")]
    StemTooCoarse {
        /// View size in pixels.
        size: u32,
        /// Size of the last feature map.
        cells: u32,
    },
    /// `model.stem` for a backbone that has its own.
    #[error("model.stem has no effect on {arch}, which has a stem of its own")]
    StemIgnored {
        /// The backbone.
        arch: Arch,
    },
    /// Milestones that the run does not reach.
    #[error("optimizer.milestones {milestones:?} are not reached with epochs={epochs}")]
    MilestonesBeyondEnd {
        /// Those that are not reached.
        milestones: Vec<u32>,
        /// All epochs.
        epochs: f64,
    },
    /// The learning-rate warm-up covers the whole run.
    #[error("optimizer.warmup_epochs ({warmup}) is not below epochs ({epochs}): the learning rate rises until the end")]
    OnlyWarmup {
        /// Epochs of the learning-rate warm-up.
        warmup: f64,
        /// All epochs.
        epochs: f64,
    },
    /// The learning-rate warm-up of a detector covers the whole run.
    #[error(
        "optimizer.warmup_iterations ({warmup}) is not below iterations ({iterations}): the learning rate rises until the end"
    )]
    OnlyWarmupIterations {
        /// Iterations of the learning-rate warm-up.
        warmup: u64,
        /// All iterations.
        iterations: u64,
    },
    /// Objects that a detector with masks does not learn from.
    #[error("{without} of {objects} objects have no mask: with model.masks=true they are not learned from")]
    ObjectsWithoutMasks {
        /// Objects without a mask.
        without: usize,
        /// All objects.
        objects: usize,
    },
    /// A batch that has images several times.
    #[error(
        "data.batch ({batch}) is larger than the {}: an iteration has images several times",
        counted(images, "training image")
    )]
    BatchLargerThanData {
        /// Images per iteration.
        batch: usize,
        /// Training images.
        images: usize,
    },
    /// A detector's learning rate that does not follow from the batch.
    #[error("optimizer.learning_rate ({learning_rate}) is far from the linear rule, 0.02 x {batch} / 16 = {rule}")]
    RateOffRule {
        /// As written.
        learning_rate: f64,
        /// Images per iteration.
        batch: usize,
        /// The value that `"auto"` resolves to.
        rule: f64,
    },
    /// A smaller batch with the preset's iterations.
    #[error(
        "data.batch ({batch}) is smaller than the preset's {of_preset}, and iterations ({iterations}) is the preset's: training sees {:.0} % of \
         its images",
        100.0 * *batch as f64 / *of_preset as f64
    )]
    FewerImages {
        /// Images per iteration.
        batch: usize,
        /// Those of the preset.
        of_preset: usize,
        /// Iterations of both.
        iterations: u64,
        /// Iterations that see as many images.
        needed: u64,
        /// Milestones of that many iterations.
        milestones: Vec<u64>,
    },
    /// The limits of a preset for one feature map, with a feature pyramid.
    #[error(
        "`proposals` are the limits of the preset {preset}, which is for c4: with fpn the best {before_nms} anchors of each map take part in \
         non-maximum suppression in training, not the best {of_pyramid}"
    )]
    ProposalsOfC4 {
        /// Name of the preset.
        preset: String,
        /// Its limit.
        before_nms: usize,
        /// detectron2's limit with a feature pyramid.
        of_pyramid: usize,
    },
    /// One batch-norm group on one device.
    #[error(
        "moco.bn_groups is 1: queries and keys are normalized with statistics of the same images, which leaks the identity of the \
         positive key"
    )]
    BatchNormLeak,
    /// `symmetric` for an encoder that encodes both views at once.
    #[error("moco.symmetric has no effect with a shared encoder, whose loss always has both directions")]
    SymmetricIgnored,
    /// bf16 on a device that is not fast at it.
    #[error("compute.precision is bf16 but {device} has no fast bf16 arithmetic: float32 may be faster")]
    SlowBf16 {
        /// The device that computes.
        device: Device,
    },
    /// TF32 on the CPU, which has none.
    #[error("compute.precision is tf32 but compute.device is cpu: products are computed in float32")]
    Tf32OnCpu,
    /// The batch probably does not fit into memory.
    #[error("a batch of {batch} images needs about {need_mib} MiB, but {device} has {have_mib} MiB")]
    MemoryTight {
        /// Images per step.
        batch: usize,
        /// Estimate, MiB.
        need_mib: u64,
        /// The device that computes.
        device: Device,
        /// Its memory, MiB.
        have_mib: u64,
    },
}

impl Warning {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Warning::QueueLargerThanData { queue, suggested, .. }
            | Warning::QueueHoldsOwnKeys { queue, suggested, .. } => {
                let filter = "set negatives.filters=[\"same-image\"], which excludes these keys";
                if suggested < queue {
                    format!("{filter}, or moco.queue=auto (here {suggested})")
                } else {
                    filter.to_owned()
                }
            }
            Warning::QueueSmallerThanBatch { keys, .. } => format!("set moco.queue to at least {keys}"),
            Warning::HardestClamped { .. } => {
                "set negatives.hardest=auto (a sixteenth of them, but at least 64)".to_owned()
            }
            Warning::SynthesisNeverStarts { epochs, .. } => {
                format!("set negatives.warmup_epochs below {epochs}, or auto")
            }
            Warning::StemTooCoarse { .. } => {
                "set model.stem=cifar, which keeps the resolution of small images".to_owned()
            }
            Warning::MilestonesBeyondEnd { .. } => {
                "set optimizer.milestones below the epochs, or optimizer.schedule=cosine".to_owned()
            }
            Warning::OnlyWarmup { epochs, .. } => format!("set optimizer.warmup_epochs below {epochs}"),
            Warning::OnlyWarmupIterations { iterations, .. } => {
                format!("set optimizer.warmup_iterations below {iterations}")
            }
            Warning::ObjectsWithoutMasks { .. } => "add their masks, or set model.masks=false".to_owned(),
            Warning::BatchLargerThanData { images, .. } => format!("set data.batch to at most {images}"),
            Warning::RateOffRule { rule, .. } => format!("set optimizer.learning_rate=auto (here {rule})"),
            Warning::FewerImages { needed, milestones, .. } => {
                format!("set iterations={needed} and optimizer.milestones={milestones:?}")
            }
            Warning::ProposalsOfC4 { .. } => {
                "use the preset coco-r50-fpn-1x, or set the four keys of `proposals` as it does".to_owned()
            }
            Warning::BatchNormLeak => {
                "set moco.bn_groups to 2 or more (it divides moco.batch), or choose a batch of at least 32".to_owned()
            }
            Warning::SlowBf16 { .. } => "set compute.precision=auto, which selects float32 on this device".to_owned(),
            Warning::Tf32OnCpu => "set compute.precision=float32, or compute.device=cuda".to_owned(),
            Warning::MemoryTight { .. } => "set moco.batch=auto, which selects a batch that fits".to_owned(),
            Warning::StemIgnored { .. } | Warning::SymmetricIgnored => return None,
        })
    }
}
