//! Encoders, queue and optimizer of a run.

use std::path::Path;
use std::sync::Arc;

use mochi_config::{EncoderKind, OptimizerName, Resolved};
use mochi_contrast::{Objective, Queue};
use mochi_data::Dataset;
use mochi_nets::{Encoder, EncoderSpec, NormMode};
use mochi_tensor::{Compute, Group, Optimizer, ParameterGroup, Update, with_seed};
use mochi_term::StopFlag;

use super::first_filters;
use super::method::Method;
use super::ranks::{Ranks, copy_from_first, groups_of_rank};
use crate::start_weights::{self, StartWeights, needed, weight_file};
use crate::{TrainError, encoder_spec, objective};

/// Encoders, queue and optimizer of a run.
#[derive(Debug)]
pub struct Learner {
    /// f_q, the encoder that learns and is kept.
    pub query: Encoder,
    /// f_k, its moving average; a shared encoder has none.
    pub key: Option<Encoder>,
    /// Keys of past steps.
    pub queue: Queue,
    /// The optimizer and its state.
    pub optimizer: Optimizer,
    pub(crate) method: Method,
    pub(crate) seed: u64,
    pub(crate) momentum: f64,
    /// Batch-norm groups of this rank.
    pub(crate) groups: i64,
    /// Whether there is more than one group, over all ranks: then keys are shuffled across groups.
    pub(crate) shuffles: bool,
    /// The other ranks, if there are any.
    pub(crate) ranks: Option<Ranks>,
    objective: Objective,
    /// The objective of warm-up epochs.
    warmup: Objective,
}

impl Learner {
    /// Fresh encoders and queue from the settings' seed; f_k starts as a copy of f_q. In a `group` every rank starts with those of rank 0.
    ///
    /// # Errors
    /// Settings that the networks or several ranks do not support, or no memory.
    pub fn new(settings: &Resolved, compute: Compute, group: Option<&Arc<Group>>) -> Result<Self, TrainError> {
        let groups = groups_of_rank(settings, group)?;
        let spec: EncoderSpec = encoder_spec(settings)?;
        let shared = settings.moco.encoder == EncoderKind::Shared;
        let (mut query, mut key, queue) = with_seed(settings.seed, || -> Result<_, TrainError> {
            let query = Encoder::new(&spec, compute)?;
            let queue = Queue::new(settings.moco.queue, settings.model.dim, compute.device)?;
            let key = if shared { None } else { Some(Encoder::new(&spec, compute)?) };
            Ok((query, key, queue))
        })?;
        if let Some(key) = &mut key {
            key.freeze();
            key.store().copy_from(query.store())?;
        }
        let join = |group| Ranks::join(group, settings, &mut query, key.as_mut(), &queue);
        let ranks = group.map(join).transpose()?;
        let update = match settings.optimizer.name {
            OptimizerName::Sgd => Update::Sgd,
            OptimizerName::Lars => Update::Lars,
            OptimizerName::Adamw => Update::AdamW,
        };
        let (momentum, decay) = (settings.optimizer.momentum, settings.optimizer.weight_decay);
        let group = ParameterGroup::new(1.0, decay).with(query.store(), "", |_| true);
        let optimizer = Optimizer::new(update, momentum, vec![group])?;
        let objective = objective(settings);
        objective.check().map_err(mochi_contrast::ContrastError::from)?;
        Ok(Self {
            query,
            key,
            queue,
            optimizer,
            method: Method::new(settings),
            seed: settings.seed,
            momentum: settings.moco.momentum,
            groups: i64::try_from(groups)
                .map_err(|_| TrainError::Internal(format!("moco.bn_groups is {}", settings.moco.bn_groups)))?,
            ranks,
            shuffles: settings.moco.bn_groups > 1,
            warmup: objective.without_synthesis(),
            objective,
        })
    }

    /// Starts the backbone of f_q from the weights at `init`, a run or a file; f_k gets them too, and every rank those of rank 0.
    ///
    /// # Errors
    /// A run or a file that cannot be read, weights that do not fit; a rank that is lost.
    pub(super) fn start_from(&mut self, init: &Path, arch: &str) -> Result<StartWeights, TrainError> {
        let start = start_weights::load(arch, &needed(self.query.backbone_tensors()), &weight_file(init)?)?;
        self.share_query()?;
        Ok(start)
    }

    /// Learns the first filters of f_q from images (`model.first_filters = "k-means"`); f_k gets them too, and every rank those of rank 0. Returns the numbers of
    /// patches and images.
    ///
    /// # Errors
    /// As [`first_filters::learn`]; a rank that is lost.
    pub(super) fn learn_first_filters(
        &mut self,
        settings: &Resolved,
        dataset: &Dataset,
        stop: &StopFlag,
    ) -> Result<(usize, usize), TrainError> {
        let learned = first_filters::learn(settings, dataset, &self.query, stop)?;
        self.share_query()?;
        Ok(learned)
    }

    /// Gives every rank f_q of rank 0, and f_k the weights of f_q.
    fn share_query(&self) -> Result<(), TrainError> {
        if let Some(ranks) = &self.ranks {
            copy_from_first(ranks.group(), &self.query)?;
        }
        if let Some(key) = &self.key {
            key.store().copy_from(self.query.store())?;
        }
        Ok(())
    }

    pub(crate) fn objective_of(&self, synthesize: bool) -> &Objective {
        if synthesize { &self.objective } else { &self.warmup }
    }

    /// How f_q and f_k take their batch statistics.
    pub(crate) fn mode(&self) -> NormMode {
        NormMode::Train { groups: self.groups }
    }
}
