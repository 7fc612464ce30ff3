//! Settings of a run of any task, as its page shows them.

use mochi_config::{Described, Resolved, Task, detection};
use mochi_figures::grouped;
use mochi_run::RunFolder;

use crate::ReportError;

/// What a page shows of a run's settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunSettings {
    /// What the run learns.
    pub(crate) task: Task,
    /// Name of the preset.
    pub(crate) preset: String,
    /// The seed.
    pub(crate) seed: u64,
    /// The main settings, each with a heading.
    pub(crate) brief: Vec<(&'static str, String)>,
    /// Every key with its value and origin.
    pub(crate) lines: Vec<Described>,
}

impl RunSettings {
    /// Reads a run's `config.toml`.
    pub(crate) fn read(folder: &RunFolder) -> Result<Self, ReportError> {
        let (text, path) = (folder.read_config()?, folder.config_path());
        Ok(match Task::parse(&text, &path)? {
            Task::Pretraining => Self::of_pretraining(&Resolved::parse(&text, &path)?),
            Task::Detection => Self::of_detection(&detection::Resolved::parse(&text, &path)?),
        })
    }

    pub(crate) fn of_pretraining(settings: &Resolved) -> Self {
        let Resolved { epochs, data, model, moco, negatives, optimizer, compute, .. } = settings;
        let mochi = match (negatives.pairs, negatives.query_mixes) {
            (0, 0) => "none (MoCo)".to_owned(),
            (s, s2) => format!("({}, {s}, {s2})", negatives.hardest),
        };
        let mut brief = vec![
            ("Images", data.source.clone()),
            ("Views", format!("{} at {} px", data.augment, data.size)),
            ("Encoder", format!("{}, {} head", model.arch, model.head)),
            ("MoCHi (N, s, s′)", mochi),
            ("Queue K", grouped(moco.queue as u64)),
            ("Batch", format!("{} in {} batch-norm groups", moco.batch, moco.bn_groups)),
            ("Temperature", moco.temperature.to_string()),
            ("Key momentum", moco.momentum.to_string()),
            ("Epochs", epochs.to_string()),
            ("Learning rate", format!("{}, {}", optimizer.learning_rate, optimizer.schedule)),
            ("Optimizer", format!("{}, decay {}", optimizer.name, optimizer.weight_decay)),
            ("Compute", format!("{}, {}", compute.device, compute.precision)),
        ];
        brief.retain(|(_, value)| !value.is_empty());
        let (preset, seed) = (settings.preset_name().to_owned(), settings.seed);
        Self { task: Task::Pretraining, preset, seed, brief, lines: settings.describe() }
    }

    pub(crate) fn of_detection(settings: &detection::Resolved) -> Self {
        let detection::Resolved { iterations, data, model, regions, optimizer, compute, .. } = settings;
        let sides = match data.short_sides[..] {
            [] => String::new(),
            [side] => side.to_string(),
            [first, .., last] => format!("{first} to {last}"),
        };
        let brief = vec![
            ("Images", data.source.clone()),
            (
                "Detector",
                format!(
                    "{} R-CNN {}",
                    if model.masks { "Mask" } else { "Faster" },
                    model.architecture.to_string().to_uppercase()
                ),
            ),
            ("Backbone", model.arch.to_string()),
            ("Starts from", if model.init == "none" { "random weights".to_owned() } else { model.init.clone() }),
            ("Iterations", grouped(*iterations)),
            ("Batch", format!("{} in {} groups", data.batch, data.groups)),
            ("Shorter side", format!("{sides} px, {} in evaluation", data.test_short_side)),
            ("Regions", format!("{} per image", regions.count)),
            ("Norms", model.norm.to_string()),
            ("Learning rate", format!("{}, x 0.1 at {:?}", optimizer.learning_rate, optimizer.milestones)),
            ("Compute", format!("{}, {}", compute.device, compute.precision)),
        ];
        let (preset, seed) = (settings.preset_name().to_owned(), settings.seed);
        Self { task: Task::Detection, preset, seed, brief, lines: settings.describe() }
    }
}
