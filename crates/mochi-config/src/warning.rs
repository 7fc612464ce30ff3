//! Settings that can stand but deserve a word.

/// A doubtful combination of settings, told before the run starts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Warning {
    /// The queue is longer than the keys of one epoch.
    #[error(
        "moco.queue holds {queue} keys but one epoch of {images} images yields {keys}: every image meets its own older \
         key as a negative and is pushed away from itself"
    )]
    QueueLargerThanData {
        /// K.
        queue: usize,
        /// Images of the data set.
        images: usize,
        /// Keys of one epoch.
        keys: usize,
        /// The queue that `auto` would take.
        suggested: usize,
    },
    /// The queue cannot hold one batch.
    #[error("moco.queue holds {queue} keys but a batch brings {keys}: only the last {queue} of each batch are kept")]
    QueueSmallerThanBatch {
        /// K.
        queue: usize,
        /// Keys of one step.
        keys: usize,
    },
    /// N was larger than K.
    #[error("negatives.hardest is {hardest} but a query meets {columns} columns: all {columns} are mixed, hard or not")]
    HardestClamped {
        /// N as written.
        hardest: usize,
        /// Columns that a query meets, which N is now.
        columns: usize,
    },
    /// Synthesis never begins.
    #[error("negatives.warmup_epochs is {warmup} of {epochs} epochs: no synthetic negative is ever made")]
    SynthesisNeverStarts {
        /// Warm-up epochs.
        warmup: u32,
        /// All epochs.
        epochs: u32,
    },
    /// `distinct` with a single key to choose from.
    #[error("negatives.distinct needs two keys to mix but negatives.hardest is 1: pairs mix the key with itself")]
    NothingDistinct,
    /// The standard stem on pictures of few pixels.
    #[error("model.stem \"standard\" leaves {cells} x {cells} cells of a view of {size} pixels")]
    StemTooCoarse {
        /// Side of the view in pixels.
        size: u32,
        /// Side of the last feature map.
        cells: u32,
    },
    /// `model.stem` for a network that has its own.
    #[error("model.stem has no effect on {arch}, which has its own 3x3 stem")]
    StemIgnored {
        /// The backbone.
        arch: crate::Arch,
    },
    /// Milestones that the run never reaches.
    #[error("optimizer.milestones {milestones:?} lie beyond {epochs} epochs: the learning rate never falls there")]
    MilestonesBeyondEnd {
        /// Those that are not reached.
        milestones: Vec<u32>,
        /// All epochs.
        epochs: u32,
    },
    /// The learning rate climbs to the end.
    #[error("optimizer.warmup_epochs is {warmup} of {epochs} epochs: the learning rate climbs to the end")]
    OnlyWarmup {
        /// Warm-up epochs.
        warmup: u32,
        /// All epochs.
        epochs: u32,
    },
    /// One group on one device: the leak that shuffle-BN exists for is open.
    #[error(
        "moco.bn_groups is 1: on one device batch-norm lets each query see its own key's batch, which training can \
         use to cheat"
    )]
    BatchNormLeak,
    /// `symmetric` for an encoder that sees both views at once.
    #[error("moco.symmetric has no effect with a shared encoder, whose loss always has both directions")]
    SymmetricIgnored,
    /// bf16 where nothing makes it fast.
    #[error("compute.precision is bf16 but this machine has no fast bf16 arithmetic: float32 may be faster")]
    SlowBf16,
    /// The batch probably does not fit.
    #[error("a batch of {batch} needs about {need_mib} MiB but {have_mib} MiB are there")]
    MemoryTight {
        /// Images a step.
        batch: usize,
        /// Estimate, MiB.
        need_mib: u64,
        /// Memory of the machine, MiB.
        have_mib: u64,
    },
}

impl Warning {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Warning::QueueLargerThanData { suggested, .. } => {
                format!("moco.queue=auto (here {suggested}) keeps that rare")
            }
            Warning::QueueSmallerThanBatch { keys, .. } => format!("set moco.queue to at least {keys}"),
            Warning::HardestClamped { .. } => "negatives.hardest=auto takes a sixteenth of them".to_owned(),
            Warning::SynthesisNeverStarts { epochs, .. } => {
                format!("set negatives.warmup_epochs below {epochs}, or auto")
            }
            Warning::NothingDistinct => "set negatives.hardest to 2 or more".to_owned(),
            Warning::StemTooCoarse { .. } => "model.stem=cifar keeps the resolution of small pictures".to_owned(),
            Warning::MilestonesBeyondEnd { .. } => {
                "set optimizer.milestones below the epochs, or optimizer.schedule=cosine".to_owned()
            }
            Warning::OnlyWarmup { epochs, .. } => format!("set optimizer.warmup_epochs below {epochs}"),
            Warning::BatchNormLeak => "moco.bn_groups=auto splits the batch".to_owned(),
            Warning::SlowBf16 => "compute.precision=auto takes what is fast here".to_owned(),
            Warning::MemoryTight { .. } => "moco.batch=auto takes a batch that fits".to_owned(),
            Warning::StemIgnored { .. } | Warning::SymmetricIgnored => return None,
        })
    }
}
