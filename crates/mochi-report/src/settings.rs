//! Settings of a run of any task, as its page shows them.

use mochi_config::{Described, EncoderKind, NO_WEIGHTS, NegativesFrom, Positive, Resolved, Task, detection};
use mochi_figures::grouped;
use mochi_run::RunFolder;
use mochi_text::counted;

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
        let Resolved { epochs, time, data, model, moco, negatives, optimizer, compute, .. } = settings;
        // Without a queue or a momentum encoder their settings have no effect.
        let of_batch = negatives.from == NegativesFrom::Batch;
        let no_queue = of_batch && moco.positive != Positive::Nearest;
        let momentum = (moco.encoder == EncoderKind::Momentum).then(|| moco.momentum.to_string());
        let mochi = match (negatives.pairs, negatives.query_mixes) {
            (0, 0) if of_batch => String::new(),
            (0, 0) => "none (MoCo)".to_owned(),
            (s, s2) => format!("({}, {s}, {s2})", negatives.hardest),
        };
        let mut brief = vec![
            ("Images", data.source.clone()),
            ("Views", format!("{} at {} px", data.augment, data.size)),
            ("Encoder", format!("{}, {} head", model.arch, model.head)),
            ("Starts from", if model.init == NO_WEIGHTS { String::new() } else { model.init.clone() }),
            ("MoCHi (N, s, s′)", mochi),
            ("Queue K", if no_queue { String::new() } else { grouped(moco.queue as u64) }),
            ("Negatives", if of_batch { "of the batch".to_owned() } else { String::new() }),
            ("Batch", format!("{} in {}", moco.batch, counted(moco.bn_groups, "batch-norm group"))),
            ("Temperature", moco.temperature.to_string()),
            ("Key momentum", momentum.unwrap_or_default()),
            (if time.limit().is_some() { "Planned epochs" } else { "Epochs" }, epochs.to_string()),
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
            ("Starts from", if model.init == NO_WEIGHTS { "random weights".to_owned() } else { model.init.clone() }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{Facts, Settings};

    /// The page of a run without queue and momentum encoder had "Queue K 1" and "Key momentum 0.999".
    #[test]
    fn what_a_run_does_not_have_is_not_shown() {
        let shown = |preset: &str| {
            let words = ["epochs=1".to_owned(), "data.size=32".to_owned()];
            let settings = Settings::load(Some(preset), None, &words).unwrap();
            let resolved = settings.resolve(&Facts { images: 5000, cores: 2, ..Facts::default() }).unwrap().0;
            RunSettings::of_pretraining(&resolved).brief
        };
        let of = |brief: &[(&str, String)], term: &str| brief.iter().find(|one| one.0 == term).map(|one| one.1.clone());
        let (small, mochi) = (shown("small"), shown("small-mochi"));
        assert_eq!(of(&small, "Negatives").as_deref(), Some("of the batch"));
        for term in ["Queue K", "Key momentum", "MoCHi (N, s, s′)"] {
            assert!(of(&small, term).is_none() && of(&mochi, term).is_some(), "{term}");
        }
        assert!(of(&small, "Batch").unwrap().ends_with(" in 1 batch-norm group"), "{small:?}");
    }
}
