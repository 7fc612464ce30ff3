//! Resolution of the settings of detection: `"auto"` values by the rules in [`super::rules`], then the checks of the result.

use super::facts::Facts;
use super::resolved::Resolved;
use super::schema::DETECTION;
use super::sections::{Data, Model, Optimizer};
use super::settings::Settings;
use super::{checks, rules};
use crate::error::ConfigError;
use crate::resolve::pick::Choices;
use crate::resolve::{compute, rules as shared};
use crate::sections::Checkpoint;
use crate::warning::Warning;

impl Settings {
    /// Resolves every `"auto"` value and checks the result. Warnings are questionable but valid settings.
    ///
    /// # Errors
    /// Every contradiction between settings, data and machine, in one error: no images or classes, groups that do not divide the batch, milestones
    /// after the end, masks of data that has none, sides above the longest, a frozen part that has random weights or is the head, a device that
    /// this machine does not have.
    pub fn resolve(self, facts: &Facts) -> Result<(Resolved, Vec<Warning>), ConfigError> {
        let Settings { seed, iterations, data, model, optimizer, compute, checkpoint, .. } = self;
        let mut choices = Choices { origins: self.origins };
        let pick = &mut choices;

        let (compute, on) = compute::resolve(compute, &facts.machine(), rules::precision, pick);
        let iterations =
            pick.pick("iterations", iterations, || rules::iterations(facts.images, data.batch, compute.device));
        let threads = pick.pick("data.threads", data.threads, || shared::data_threads(compute.device, facts.cores));
        let data = Data {
            source: data.source,
            format: data.format,
            split: data.split,
            batch: data.batch,
            groups: data.groups,
            short_sides: data.short_sides,
            test_short_side: data.test_short_side,
            longest_side: data.longest_side,
            flip: data.flip,
            aspect_grouping: data.aspect_grouping,
            threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
        };
        let masks = pick.pick("model.masks", model.masks, || {
            (facts.masks, if facts.masks { "the objects have masks" } else { "the objects have no masks" }.to_owned())
        });
        let model = Model {
            architecture: model.architecture,
            arch: model.arch,
            stem: model.stem,
            init: model.init,
            masks,
            norm: model.norm,
            freeze: model.freeze,
            anchor_sizes: model.anchor_sizes,
            anchor_ratios: model.anchor_ratios,
        };
        let learning_rate =
            pick.pick("optimizer.learning_rate", optimizer.learning_rate, || rules::learning_rate(data.batch));
        let milestones = pick.pick("optimizer.milestones", optimizer.milestones, || rules::milestones(iterations));
        let optimizer = Optimizer {
            learning_rate,
            momentum: optimizer.momentum,
            weight_decay: optimizer.weight_decay,
            warmup_iterations: optimizer.warmup_iterations,
            milestones,
            clip_norm: optimizer.clip_norm,
        };
        let every_steps =
            pick.pick("checkpoint.every_steps", checkpoint.every_steps, || rules::checkpoint_steps(iterations));
        let keep_every =
            pick.pick("checkpoint.keep_every", checkpoint.keep_every, || (0, "only the newest are used".to_owned()));
        let checkpoint = Checkpoint { every_steps, keep_last: checkpoint.keep_last, keep_every };

        let resolved = Resolved {
            seed,
            iterations,
            data,
            model,
            proposals: self.proposals,
            regions: self.regions,
            detections: self.detections,
            optimizer,
            evaluation: self.evaluation,
            compute,
            checkpoint,
            log: self.log,
            preset: self.preset,
            origins: choices.origins,
        };
        ConfigError::unless_empty(&DETECTION, checks::problems(&resolved, facts))?;
        let warnings = checks::warnings(&resolved, facts, on);
        Ok((resolved, warnings))
    }
}
