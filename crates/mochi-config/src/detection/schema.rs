//! The schema of detection.

use super::heads::{Detections, Proposals, Regions};
use super::sections::{Data, Evaluation, Log, Model, Optimizer};
use crate::choice::Task;
use crate::kind::{Key, Kind, MANY};
use crate::presets::{Preset, presets};
use crate::schema::Schema;
use crate::sections::{Checkpoint, Compute};

/// Keys outside any section.
const TOP: &[Key] = &[
    Key {
        name: "seed",
        kind: Kind::Integer { min: 0, max: i64::MAX },
        auto: false,
        doc: "Seed of every random number: initial weights of the heads, order of images, sizes, mirroring, samples of anchors and regions. On a CPU \
              with the same number of threads, the same seed, data and settings give bitwise identical weights.",
    },
    Key {
        name: "iterations",
        kind: Kind::Integer { min: 1, max: MANY },
        auto: true,
        doc: "Training iterations, each of `data.batch` images. auto: 25 passes over the training images, from 300 to 3000 iterations on a GPU and to 400 on a CPU.",
    },
];

const PRESETS: &[Preset] =
    presets!["detection/": "small", "voc-r50-c4-24k", "coco-r50-c4-1x", "coco-r50-c4-2x", "coco-r50-fpn-1x"];

/// Keys and presets of `mochi detect train`.
pub static DETECTION: Schema = Schema {
    task: Task::Detection,
    sections: &[
        TOP,
        Data::KEYS,
        Model::KEYS,
        Proposals::KEYS,
        Regions::KEYS,
        Detections::KEYS,
        Optimizer::KEYS,
        Evaluation::KEYS,
        Compute::KEYS,
        Checkpoint::KEYS,
        Log::KEYS,
    ],
    presets: PRESETS,
    default_preset: "small",
    published: "voc-r50-c4-24k",
    format: 2,
    repeat: "mochi detect train --data DIR --config FILE",
    page: "docs/reference/detection-settings.md",
};
