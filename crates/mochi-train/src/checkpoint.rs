//! Saving a learner whole and bringing it back: `checkpoints/step-N/{model,optimizer,queue}.safetensors + state.json`.
//!
//! `model.safetensors` holds f_q under torchvision's names and f_k under `key.` + the same; `queue.safetensors` the rows with their images and labels. What is not a
//! tensor stands in `state.json`, which is written last: a checkpoint without it is not taken for whole. The folder appears under its
//! name only when everything in it is on the disk (`mochi_run`).

use std::collections::BTreeMap;
use std::path::Path;

use mochi_contrast::{Known, Queue};
use mochi_run::{Checkpoint, Checkpoints};
use mochi_tensor::{Device, Tensor, TensorError, read_tensors, write_tensors};
use serde::{Deserialize, Serialize};

use crate::{Learner, TrainError};

/// `state.json`'s layout; a checkpoint of another is refused.
const FORMAT: u32 = 1;
pub(crate) const KEY_PREFIX: &str = "key.";

/// Everything about a checkpoint that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Layout of this file.
    pub format: u32,
    /// Steps taken; the next one has this number.
    pub step: u64,
    /// Images of the data set.
    pub images: usize,
    /// The data set's fingerprint, in hexadecimal.
    pub fingerprint: String,
    /// Row of the queue that the next key overwrites.
    pub queue_position: usize,
    /// Rows of the queue that hold real keys.
    pub queue_filled: usize,
    /// Seconds of training so far, over all sessions.
    pub elapsed_s: f64,
    /// Version of Mochi that wrote it.
    pub version: String,
}

impl State {
    /// The state after `step` steps on a data set.
    pub fn new(learner: &Learner, step: u64, images: usize, fingerprint: u64, elapsed_s: f64) -> Self {
        Self {
            format: FORMAT,
            step,
            images,
            fingerprint: format!("{fingerprint:016x}"),
            queue_position: learner.queue.position(),
            queue_filled: learner.queue.filled(),
            elapsed_s,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Writes the tensors and the state into a folder.
pub(crate) fn write(folder: &Path, learner: &Learner, state: &State) -> Result<(), TrainError> {
    let none = BTreeMap::new();
    let mut model = learner.query.store().export("");
    model.extend(learner.key.store().export(KEY_PREFIX));
    write_tensors(&folder.join("model.safetensors"), &model, &none)?;
    write_tensors(&folder.join("optimizer.safetensors"), &learner.optimizer.export(), &none)?;
    let mut queue = BTreeMap::from([("rows".to_owned(), learner.queue.rows().to_device(Device::Cpu))]);
    let known = learner.queue.known();
    for (name, values) in [("images", known.images), ("labels", known.labels)] {
        if let Some(values) = values {
            queue.insert(name.to_owned(), Tensor::f_from_slice(values)?);
        }
    }
    write_tensors(&folder.join("queue.safetensors"), &queue, &none)?;
    let path = folder.join("state.json");
    let text = serde_json::to_string_pretty(state).map_err(std::io::Error::from);
    text.and_then(|text| std::fs::write(&path, text + "\n"))
        .map_err(|source| TensorError::File { action: "write", path, source }.into())
}

/// Saves a learner as `step-N`.
pub(crate) fn save(checkpoints: &Checkpoints, learner: &Learner, state: &State) -> Result<Checkpoint, TrainError> {
    let pending = checkpoints.begin(state.step)?;
    write(pending.path(), learner, state)?;
    Ok(pending.commit()?)
}

/// Reads a checkpoint's `state.json`.
///
/// # Errors
/// A file that is missing, damaged, or of another layout.
pub fn load_state(folder: &Path) -> Result<State, TrainError> {
    let path = folder.join("state.json");
    let text = std::fs::read_to_string(&path).map_err(|source| TensorError::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let bad = |reason: String| TrainError::Checkpoint { path: path.clone(), reason };
    let state: State = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    if state.format == FORMAT {
        Ok(state)
    } else {
        Err(bad(format!("its format is {}, this version reads {FORMAT}", state.format)))
    }
}

/// Brings a learner to what [`save`] wrote.
pub(crate) fn restore(folder: &Path, learner: &mut Learner, state: &State) -> Result<(), TrainError> {
    let bad = |reason: String| TrainError::Checkpoint { path: folder.to_owned(), reason };
    let model = folder.join("model.safetensors");
    learner.query.store().load_file(&model, "", &[KEY_PREFIX])?;
    learner.key.store().load_file(&model, KEY_PREFIX, &[])?;
    let (optimizer, _) = read_tensors(&folder.join("optimizer.safetensors"))?;
    learner.optimizer.load(&optimizer)?;
    let (mut queue, _) = read_tensors(&folder.join("queue.safetensors"))?;
    let rows = queue.remove("rows").ok_or_else(|| bad("queue.safetensors holds no \"rows\"".into()))?;
    if rows.size() != learner.queue.rows().size() {
        return Err(bad(format!(
            "the queue has shape {:?}, the settings say {:?}",
            rows.size(),
            learner.queue.rows().size()
        )));
    }
    let rows = rows.f_to_device(learner.queue.rows().device())?;
    // Checkpoints of before the guards hold neither: all unknown.
    let mut whole = |name: &str| queue.remove(name).map(Vec::<i64>::try_from).transpose();
    let (images, labels) = (whole("images")?, whole("labels")?);
    let known = Known { images: images.as_deref(), labels: labels.as_deref() };
    learner.queue = Queue::restore(rows, known, state.queue_position, state.queue_filled)?;
    Ok(())
}
