//! Resolution of settings: `"auto"` values by the rules in [`rules`], then the checks of the result.
//!
//! Each rule may use the values resolved before it: epochs, device, precision, layout, batch, queue, hard negatives, the rest.

mod budget;
mod checks;
pub(crate) mod compute;
mod flows;
pub(crate) mod pick;
pub mod rules;

use mochi_text::counted;

use self::pick::{Choices, OF_WEIGHTS};
use crate::choice::{EncoderKind, FirstFilters, NegativesFrom, Positive};
use crate::error::ConfigError;
use crate::facts::Facts;
use crate::pretraining::PRETRAINING;
use crate::resolved::Resolved;
use crate::sections::{Checkpoint, Data, Evaluation, Log, Mix, Moco, Model, NO_WEIGHTS, Negatives, Optimizer};
use crate::settings::Settings;
use crate::warning::Warning;

impl Settings {
    /// Resolves every `"auto"` value and checks the result. Warnings are questionable but valid settings.
    ///
    /// # Errors
    /// Every contradiction between settings, dataset and machine, in one error: a batch larger than the dataset, batch-norm groups that do not
    /// divide the batch, an unsupported combination of methods, a device that this machine does not have.
    pub fn resolve(self, facts: &Facts) -> Result<(Resolved, Vec<Warning>), ConfigError> {
        let mut problems = Vec::new();
        let (time, epochs) = budget::written(&self).unwrap_or_else(|problem| {
            problems.push(problem);
            (self.time, self.epochs)
        });
        let Settings {
            seed, data, model, moco, negatives, mix, optimizer, compute, checkpoint, log, evaluation, ..
        } = self;
        let mut choices = Choices { origins: self.origins };
        let pick = &mut choices;

        let length = budget::length(time, epochs, facts.images.saturating_mul(data.views), facts);
        let size = pick.pick("data.size", data.size, || budget::size(time, data.views, facts));
        let time = pick.pick("time", time, || budget::time(facts, size, data.views));
        let epochs = pick.pick("epochs", epochs, || {
            budget::epochs(time, size, facts).unwrap_or_else(|| rules::epochs(facts.images, data.views))
        });
        let (compute, on) = compute::resolve(compute, &facts.machine(), rules::precision, pick);
        let (device, precision) = (compute.device, compute.precision);

        let arch = match facts.start {
            Some(start) => pick.follow("model.arch", model.arch, start.arch, OF_WEIGHTS),
            None => pick.pick("model.arch", model.arch, || rules::arch(length, device, compute.threads)),
        };
        let first_filters = match model.init == NO_WEIGHTS {
            true => pick.pick("model.first_filters", model.first_filters, || rules::first_filters(arch)),
            false => pick.follow("model.first_filters", model.first_filters, FirstFilters::Random, OF_WEIGHTS),
        };
        let stem = match facts.start.and_then(|start| start.stem) {
            Some(stem) => pick.follow("model.stem", model.stem, stem, OF_WEIGHTS),
            None => pick.pick("model.stem", model.stem, || rules::stem(arch, size)),
        };
        let model = Model { arch, stem, init: model.init, first_filters, head: model.head, dim: model.dim };
        let threads = pick.pick("data.threads", data.threads, || rules::data_threads(device, facts.cores));
        let data = Data {
            source: data.source,
            also: data.also,
            size,
            views: data.views,
            augment: pick.pick("data.augment", data.augment, || rules::augment(facts.grayscale)),
            crop_min_scale: data.crop_min_scale,
            threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
            fast_decode: data.fast_decode,
            cache: data.cache,
        };

        // The step keeps the activations of the views that have a gradient.
        let kept_views = if moco.encoder == EncoderKind::Shared { data.views as u64 } else { 1 };
        let per_image = rules::bytes_per_view(&model, size, precision).saturating_mul(kept_views);
        let batch =
            pick.pick("moco.batch", moco.batch, || rules::batch(facts.images, data.views, on.memory_bytes, per_image));
        let unused = negatives.from == NegativesFrom::Batch && moco.positive != Positive::Nearest;
        let queue = pick.pick("moco.queue", moco.queue, || match unused {
            true => (1, "the queue is not used".to_owned()),
            false => rules::queue(facts.images, batch, moco.symmetric),
        });
        let bn_groups = pick.pick("moco.bn_groups", moco.bn_groups, || rules::bn_groups(batch, facts.processes));
        let momentum = pick.pick("moco.momentum", moco.momentum, || rules::momentum(queue, batch));
        let (temperature, symmetric) = (moco.temperature, moco.symmetric);
        let moco = Moco {
            batch,
            queue,
            encoder: moco.encoder,
            positive: moco.positive,
            extrapolate: moco.extrapolate,
            momentum,
            temperature,
            loss: moco.loss,
            symmetric,
            bn_groups,
        };
        let columns = flows::candidate_keys(negatives.from, queue, batch);

        let mut hardest = pick.pick("negatives.hardest", negatives.hardest, || rules::hardest(columns));
        let pairs = pick.pick("negatives.pairs", negatives.pairs, || rules::pairs(hardest, columns));
        let query_mixes = pick.pick("negatives.query_mixes", negatives.query_mixes, || {
            let (pairs, _) = rules::pairs(hardest, columns);
            (pairs / 8, format!("{pairs} / 8"))
        });
        let mut warnings = Vec::new();
        if hardest > columns {
            // Without synthesis N has no effect, so that no warning is needed.
            if pairs + query_mixes > 0 || !negatives.extra.is_empty() {
                warnings.push(Warning::HardestClamped { hardest, columns });
            }
            pick.adjust("negatives.hardest", format!("{hardest} exceeds the {}", counted(columns, "candidate key")));
            hardest = columns;
        }
        let warmup_epochs = pick.pick("negatives.warmup_epochs", negatives.warmup_epochs, || {
            rules::synthesis_warmup(epochs, facts.images.checked_div(batch).unwrap_or(0), queue / batch.max(1))
        });
        let negatives = Negatives {
            from: negatives.from,
            interpolate: negatives.interpolate,
            hardest,
            pairs,
            query_mixes,
            warmup_epochs,
            extra: negatives.extra,
            filters: negatives.filters,
        };

        let mix = Mix {
            images: mix.images,
            alpha: mix.alpha,
            region: mix.region,
            weight: mix.weight,
            temperature: mix.temperature,
        };

        let learning_rate = pick.pick("optimizer.learning_rate", optimizer.learning_rate, || {
            rules::learning_rate(optimizer.name, moco.encoder, batch, data.views)
        });
        let optimizer_warmup = pick.pick("optimizer.warmup_epochs", optimizer.warmup_epochs, || {
            (rules::three_digits(0.03 * epochs), format!("3 % of {}", counted(epochs, "epoch")))
        });
        let optimizer = Optimizer {
            name: optimizer.name,
            learning_rate,
            momentum: optimizer.momentum,
            weight_decay: optimizer.weight_decay,
            schedule: optimizer.schedule,
            milestones: optimizer.milestones,
            per: optimizer.per,
            warmup_epochs: optimizer_warmup,
        };

        let every_steps = pick.pick("checkpoint.every_steps", checkpoint.every_steps, || {
            let steps = facts.images.checked_div(batch).unwrap_or(0).max(1) as u64;
            budget::checkpoint_steps((epochs * steps as f64) as u64, steps, batch, size, facts)
        });
        let keep_every = pick.pick("checkpoint.keep_every", checkpoint.keep_every, || {
            rules::keep_every(epochs, facts.images.checked_div(batch).unwrap_or(0), every_steps)
        });
        let checkpoint = Checkpoint { every_steps, keep_last: checkpoint.keep_last, keep_every };
        let diagnostics_every_steps = pick.pick("log.diagnostics_every_steps", log.diagnostics_every_steps, || {
            rules::diagnostics_every_steps(facts.images.checked_div(batch).unwrap_or(0) as u64)
        });
        let log = Log { every_steps: log.every_steps, diagnostics_every_steps };
        let every_steps = pick.pick("evaluation.every_steps", evaluation.every_steps, || {
            let steps_per_epoch = facts.images.checked_div(batch).unwrap_or(0) as u64;
            rules::evaluation_every_steps(!evaluation.source.is_empty(), time, steps_per_epoch)
        });
        let (images, time_fraction) = (evaluation.images, evaluation.time_fraction);
        let evaluation = Evaluation { source: evaluation.source, every_steps, images, time_fraction };

        let (preset, origins) = (self.preset, choices.origins);
        let resolved = Resolved {
            seed,
            epochs,
            time,
            data,
            model,
            moco,
            negatives,
            mix,
            optimizer,
            compute,
            checkpoint,
            log,
            evaluation,
            preset,
            origins,
        };
        problems.extend(checks::problems(&resolved, facts));
        problems.extend(flows::problems(&resolved, facts));
        ConfigError::unless_empty(&PRETRAINING, problems)?;
        checks::warnings(&resolved, facts.images, on, per_image, &mut warnings);
        Ok((resolved, warnings))
    }
}
