//! Evaluation during training: what is observed, by rank 0, and its metrics.

use mochi_config::Resolved;
use mochi_data::{DataError, Dataset};
use mochi_eval::{EvalError, Monitor, MonitorOptions, Observation, ViewOptions};
use mochi_nets::Encoder;
use mochi_run::Metrics;
use mochi_run::metric::online;
use mochi_tensor::Group;
use mochi_term::StopFlag;
use mochi_text::counted;
use serde::{Deserialize, Serialize};

use crate::task::Evaluated;
use crate::{TrainError, augmentation};

/// The monitor that the settings ask for, on labeled images or without labels on those of training.
pub(super) fn monitor(
    settings: &Resolved,
    training: &Dataset,
    labeled: Option<Dataset>,
) -> Result<Option<Monitor>, TrainError> {
    if settings.evaluation.every_steps == 0 {
        return Ok(None);
    }
    let (data, has_labels) = (&settings.data, labeled.is_some());
    let views = ViewOptions {
        threads: data.threads,
        max_bad_fraction: data.max_bad_fraction,
        ..ViewOptions::new(augmentation(settings)?, data.size)
    };
    let options = MonitorOptions { images: settings.evaluation.images, seed: settings.seed, views };
    let monitor = Monitor::new(labeled.unwrap_or_else(|| training.clone()), has_labels, options);
    monitor.map(Some).map_err(|source| TrainError::Evaluation { has_labels, source, config: None })
}

/// What the log says of it at the start.
pub(super) fn note(settings: &Resolved) -> String {
    let evaluation = &settings.evaluation;
    let on = match evaluation.source.as_str() {
        "" => "training images, without labels".to_owned(),
        source => format!("images of {source}, a third of them held out"),
    };
    format!(
        "evaluated every {} on at most {} {on}, in at most {} % of the time",
        counted(evaluation.every_steps, "step"),
        evaluation.images,
        100.0 * evaluation.time_fraction
    )
}

/// What rank 0 tells the others.
#[derive(Serialize, Deserialize)]
enum Told {
    Observed(Observation),
    Canceled,
    Failed(String),
}

/// Evaluates the encoder; on rank 0, if there are several, for which the others wait. A failure is a remark, since what is learned does not depend on it.
pub(super) fn evaluate(
    monitor: &mut Monitor,
    encoder: &Encoder,
    group: Option<&Group>,
    stop: &StopFlag,
) -> Result<Evaluated, TrainError> {
    let mut observe = || match monitor.observe(encoder, &stop.flag().into()) {
        Ok(observation) => Told::Observed(observation),
        Err(EvalError::Data(DataError::Canceled)) => Told::Canceled,
        Err(error) => Told::Failed(error.to_string()),
    };
    let told = match group {
        None => observe(),
        Some(group) => {
            let unreadable = |error: serde_json::Error| TrainError::Internal(format!("an evaluation: {error}"));
            let text = group.broadcast_text(|| serde_json::to_string(&observe()).map_err(unreadable))?;
            serde_json::from_str(&text).map_err(unreadable)?
        }
    };
    match told {
        Told::Observed(observation) => Ok(metrics(&observation).into()),
        Told::Canceled => Err(DataError::Canceled.into()),
        Told::Failed(reason) => {
            let note = Some(format!("the evaluation failed, and training goes on without it: {reason}"));
            Ok(Evaluated { note, ..Evaluated::default() })
        }
    }
}

fn metrics(observation: &Observation) -> Metrics {
    Metrics::new()
        .with(&online::ONLINE_KNN, observation.knn)
        .with(&online::ONLINE_LINEAR, observation.linear)
        .with(&online::ONLINE_IMAGES, observation.held_out.map(|images| images as f64))
        .with(&online::ONLINE_RANK_ME, observation.rank_me)
        .with(&online::ONLINE_UNIFORMITY, observation.uniformity)
        .with(&online::ONLINE_SPREAD, observation.spread)
        .with(&online::ONLINE_STABILITY, observation.stability)
}
