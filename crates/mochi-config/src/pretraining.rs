//! The schema of pre-training. Presets of the MoCHi paper are named as in the paper, MoCHi (N, s, s').

use crate::choice::Task;
use crate::kind::{Key, Kind};
use crate::presets::{Preset, presets};
use crate::schema::Schema;
use crate::sections;

/// Keys outside any section.
const TOP: &[Key] = &[
    Key {
        name: "seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        auto: false,
        doc: "Seed of every random number: initial weights, order of images, augmentation, synthesis. On a CPU with the same \
              number of threads, the same seed, data and settings give bitwise identical weights.",
    },
    Key {
        name: "epochs",
        kind: Kind::Number { min: 0.0, max: 1e6 },
        auto: true,
        doc: "Passes over the dataset. 0 writes the untrained encoder as a run. auto: as many as `time` allows at the measured speed, which may be \
              a fraction; without a time limit 100 sqrt(20,000 / images), from 50 to 400, with more than two views fewer in proportion.",
    },
    Key {
        name: "time",
        kind: Kind::Time,
        auto: true,
        doc: "Training time, such as `20m` or `1h 30m`. The machine's speed is measured first, and the `auto` values follow from it. The \
              learning rate follows the time, so the run ends in time on a machine that becomes slower, also over several sessions. \
              `none`: as long as the epochs take. auto: the time in which 32 x size x size \
              views are made, from 20 minutes to an hour and on a CPU at most two core-hours where that is between them, or `none` if `epochs` is given. `--time` on the command line sets \
              this key.",
    },
];

const PRESETS: &[Preset] = presets![
    "":
    "small",
    "small-mochi",
    "demo",
    "moco-v1",
    "moco-v2",
    "moco-v2-cifar",
    "mochi-1024-1024-128",
    "mochi-1024-256-512",
    "mochi-1024-128-256",
    "mochi-1024-512-256",
    "mochi-512-1024-512",
    "mochi-256-512-0",
    "mochi-256-512-256",
    "mochi-256-2048-2048",
    "mochi-128-1024-512",
    "simclr",
    "supcon",
    "nnclr",
    "un-mix",
    "i-mix",
    "mixco",
    "feature-transformation",
    "synco",
];

/// Keys and presets of `mochi pretrain`.
pub static PRETRAINING: Schema = Schema {
    task: Task::Pretraining,
    sections: &[
        TOP,
        sections::Data::KEYS,
        sections::Model::KEYS,
        sections::Moco::KEYS,
        sections::Negatives::KEYS,
        sections::Mix::KEYS,
        sections::Optimizer::KEYS,
        sections::Compute::KEYS,
        sections::Checkpoint::KEYS,
        sections::Log::KEYS,
        sections::Evaluation::KEYS,
    ],
    presets: PRESETS,
    default_preset: "small",
    published: "moco-v2",
    format: 4,
    repeat: "mochi pretrain DATA --config FILE",
    page: "docs/reference/configuration.md",
};
