//! Model, optimizer and queue as parts of a checkpoint.
//!
//! `model` holds f_q under torchvision's names and f_k under `key.` + the same (a shared encoder has no f_k). `queue` holds the rows with their images and
//! labels, and the position and fill of the ring; a method without a queue has no such part.

use std::collections::BTreeMap;

use mochi_contrast::{Queue, SampleMetadata};
use mochi_tensor::{Device, Tensor};
use mochi_text::counted;
use serde::{Deserialize, Serialize};

use super::learner::Learner;
use crate::TrainError;
use crate::part::{Part, Parts};

/// Prefix of f_k's tensors.
pub(crate) const KEY_PREFIX: &str = "key.";

/// Where the ring of the queue is.
#[derive(Serialize, Deserialize)]
struct Ring {
    /// Row that the next key overwrites.
    position: usize,
    /// Rows that hold keys.
    filled: usize,
}

/// The learner's parts.
pub(super) fn save(learner: &Learner) -> Result<Vec<Part>, TrainError> {
    let mut model = learner.query.store().export("");
    if let Some(key) = &learner.key {
        model.extend(key.store().export(KEY_PREFIX));
    }
    let mut parts = vec![Part::tensors("model", model), Part::tensors("optimizer", learner.optimizer.export())];
    if learner.method.queue {
        parts.push(queue(&learner.queue)?);
    }
    Ok(parts)
}

fn queue(queue: &Queue) -> Result<Part, TrainError> {
    let mut tensors = BTreeMap::from([("rows".to_owned(), queue.rows().f_to_device(Device::Cpu)?)]);
    let metadata = queue.metadata();
    for (name, values) in [("images", metadata.images), ("labels", metadata.labels)] {
        if let Some(values) = values {
            tensors.insert(name.to_owned(), Tensor::f_from_slice(values)?);
        }
    }
    let ring = Ring { position: queue.position(), filled: queue.filled() };
    let value = serde_json::to_value(ring).map_err(|e| TrainError::Internal(e.to_string()))?;
    Ok(Part { name: "queue", tensors, value })
}

/// Restores what [`save`] returned.
pub(super) fn restore(learner: &mut Learner, parts: &mut Parts) -> Result<(), TrainError> {
    let (model, _) = parts.take("model")?;
    learner.query.store().load_ignoring(&model, "", &[KEY_PREFIX])?;
    if let Some(key) = &learner.key {
        key.store().load(&model, KEY_PREFIX)?;
    }
    let (optimizer, _) = parts.take("optimizer")?;
    learner.optimizer.load(&optimizer)?;
    if learner.method.queue {
        learner.queue = restore_queue(&learner.queue, parts)?;
    }
    Ok(())
}

fn restore_queue(queue: &Queue, parts: &mut Parts) -> Result<Queue, TrainError> {
    let (mut tensors, value) = parts.take("queue")?;
    let ring: Ring = serde_json::from_value(value).map_err(|e| parts.invalid(format!("the queue: {e}")))?;
    let mut tensor =
        |name: &str| tensors.remove(name).ok_or_else(|| parts.invalid(format!("the queue has no \"{name}\"")));
    let rows = tensor("rows")?;
    if rows.size() != queue.rows().size() {
        let (saved, wanted) = (rows.size(), queue.rows().size());
        return Err(parts.invalid(format!("the queue has shape {saved:?}, the settings give {wanted:?}")));
    }
    let (images, labels) = (Vec::<i64>::try_from(tensor("images")?)?, Vec::<i64>::try_from(tensor("labels")?)?);
    let Ring { position, filled } = ring;
    // Keys enter at the position: a ring that is not full is filled up to there.
    if position >= queue.len() || filled > queue.len() || (filled < queue.len() && position != filled) {
        let (rows, keys) = (counted(queue.len(), "row"), counted(filled, "key"));
        return Err(parts.invalid(format!("the queue of {rows} has position {position} and {keys}")));
    }
    let metadata = SampleMetadata { images: Some(&images), labels: Some(&labels) };
    let rows = rows.f_to_device(queue.rows().device())?;
    Ok(Queue::restore(rows, metadata, position, filled)?)
}
