//! From written settings and facts to plain values: the rules of every `"auto"` in [`rules`], of what cannot stand in
//! `checks`.
//!
//! Order matters, each rule may use what came before: epochs -> device -> precision -> layout -> batch -> queue ->
//! hardest set -> the rest.

mod checks;
mod flows;
pub mod rules;

use std::collections::BTreeMap;

use crate::auto::Auto;
use crate::choice::{NegativesFrom, Positive};
use crate::error::ConfigError;
use crate::origin::Origin;
use crate::sections::{Checkpoint, Compute, Data, Log, Mix, Moco, Model, Negatives, Optimizer};
use crate::warning::Warning;
use crate::{Resolved, Settings};

/// What the rules know of the data set and the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Images of the data set.
    pub images: usize,
    /// Cores of the processor that this process may use.
    pub cores: usize,
    /// Memory that a step may use, in bytes: the GPU's where one is used, else the machine's. 0: unknown.
    pub memory_bytes: u64,
    /// Whether a CUDA device works.
    pub cuda: bool,
    /// Whether the device that computes is fast at bf16 (AMX or AVX512-BF16; GPUs from Ampere on).
    pub bf16_fast: bool,
    /// Whether the data set has classes.
    pub labels: bool,
}

/// Takes a written value, or works it out and writes down how.
struct Choices {
    origins: BTreeMap<&'static str, Origin>,
}

impl Choices {
    fn pick<T>(&mut self, key: &'static str, written: Auto<T>, rule: impl FnOnce() -> (T, String)) -> T {
        match written {
            Auto::Set(value) => value,
            Auto::Auto => {
                let (value, reason) = rule();
                self.origins.insert(key, Origin::Auto(reason));
                value
            }
        }
    }

    fn adjust(&mut self, key: &'static str, reason: String) {
        self.origins.insert(key, Origin::Adjusted(reason));
    }
}

impl Settings {
    /// Works out every `"auto"` and checks what only the data set and the machine can tell.
    ///
    /// # Errors
    /// Settings that cannot stand together or not with this data set, all of them at once: a batch larger than the
    /// data set, groups that do not divide the batch, a hardest set of 0 with points to make, CUDA that is not there.
    pub fn resolve(self, facts: &Facts) -> Result<(Resolved, Vec<Warning>), ConfigError> {
        let Settings { seed, epochs, data, model, moco, negatives, mix, optimizer, compute, checkpoint, log, .. } =
            self;
        let mut choices = Choices { origins: self.origins };
        let pick = &mut choices;

        let epochs = pick.pick("epochs", epochs, || rules::epochs(facts.images));
        let device = pick.pick("compute.device", compute.device, || rules::device(facts.cuda));
        let precision = pick.pick("compute.precision", compute.precision, || rules::precision(facts.bf16_fast));
        let layout = pick.pick("compute.layout", compute.layout, || rules::layout(device, precision));
        let threads = pick.pick("compute.threads", compute.threads, || (facts.cores.max(1), cores(facts.cores)));
        let compute = Compute { device, precision, layout, threads };

        let model = Model { arch: model.arch, stem: model.stem, head: model.head, dim: model.dim };
        let threads = pick.pick("data.threads", data.threads, || rules::data_threads(device, facts.cores));
        let data = Data {
            source: data.source,
            also: data.also,
            size: data.size,
            augment: data.augment,
            threads,
            prefetch: data.prefetch,
            max_bad_fraction: data.max_bad_fraction,
            fast_decode: data.fast_decode,
        };

        let per_image = rules::bytes_per_image(&model, data.size, precision);
        let batch = pick.pick("moco.batch", moco.batch, || rules::batch(facts, per_image));
        let stands_alone = negatives.from == NegativesFrom::Batch && moco.positive != Positive::Nearest;
        let queue = pick.pick("moco.queue", moco.queue, || match stands_alone {
            true => (1, "no key is kept".to_owned()),
            false => rules::queue(facts.images, batch, moco.symmetric),
        });
        let bn_groups = pick.pick("moco.bn_groups", moco.bn_groups, || rules::bn_groups(batch));
        let (momentum, temperature, symmetric) = (moco.momentum, moco.temperature, moco.symmetric);
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
        // Columns that a query meets, from which its hardest are taken.
        let columns = match negatives.from {
            NegativesFrom::Queue => queue,
            NegativesFrom::Batch => batch,
            NegativesFrom::Both => queue.saturating_add(batch),
        };

        let mut hardest = pick.pick("negatives.hardest", negatives.hardest, || rules::hardest(columns));
        let pairs = pick.pick("negatives.pairs", negatives.pairs, || (hardest, "as many as hardest".to_owned()));
        let query_mixes =
            pick.pick("negatives.query_mixes", negatives.query_mixes, || (hardest / 8, "hardest / 8".to_owned()));
        let mut warnings = Vec::new();
        if hardest > columns {
            // Without synthesis N stands for nothing: clamp in silence.
            if pairs + query_mixes > 0 || !negatives.extra.is_empty() {
                warnings.push(Warning::HardestClamped { hardest, columns });
            }
            pick.adjust("negatives.hardest", format!("{hardest} is more than the {columns} columns that there are"));
            hardest = columns;
        }
        let warmup_epochs = pick.pick("negatives.warmup_epochs", negatives.warmup_epochs, || {
            (epochs / 20, format!("{epochs} epochs / 20"))
        });
        let negatives = Negatives {
            from: negatives.from,
            interpolate: negatives.interpolate,
            hardest,
            pairs,
            query_mixes,
            warmup_epochs,
            alpha: negatives.alpha,
            alpha_value: negatives.alpha_value,
            beta: negatives.beta,
            beta_max: negatives.beta_max,
            distinct: negatives.distinct,
            query_gradient: negatives.query_gradient,
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

        let learning_rate = pick
            .pick("optimizer.learning_rate", optimizer.learning_rate, || rules::learning_rate(optimizer.name, batch));
        let optimizer = Optimizer {
            name: optimizer.name,
            learning_rate,
            momentum: optimizer.momentum,
            weight_decay: optimizer.weight_decay,
            schedule: optimizer.schedule,
            milestones: optimizer.milestones,
            per: optimizer.per,
            warmup_epochs: optimizer.warmup_epochs,
        };

        let every_steps = pick.pick("checkpoint.every_steps", checkpoint.every_steps, || {
            let steps = facts.images.checked_div(batch).unwrap_or(0).max(1) as u64;
            (steps, "once an epoch".to_owned())
        });
        let (keep_last, keep_every) = (checkpoint.keep_last, checkpoint.keep_every);
        let checkpoint = Checkpoint { every_steps, keep_last, keep_every };
        let diagnostics_every_steps = pick.pick("log.diagnostics_every_steps", log.diagnostics_every_steps, || {
            rules::diagnostics_every_steps(facts.images.checked_div(batch).unwrap_or(0) as u64)
        });
        let log = Log { every_steps: log.every_steps, diagnostics_every_steps };

        let (preset, origins) = (self.preset, choices.origins);
        let resolved = Resolved {
            seed,
            epochs,
            data,
            model,
            moco,
            negatives,
            mix,
            optimizer,
            compute,
            checkpoint,
            log,
            preset,
            origins,
        };
        let mut problems = checks::problems(&resolved, facts);
        problems.extend(flows::problems(&resolved, facts));
        ConfigError::unless_empty(problems)?;
        checks::warnings(&resolved, facts, per_image, &mut warnings);
        Ok((resolved, warnings))
    }
}

fn cores(cores: usize) -> String {
    if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") }
}
