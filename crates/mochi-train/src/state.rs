//! `state.json`, format 3: everything about a checkpoint that is not a tensor.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_tensor::TensorError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TrainError;
use crate::task::DataIdentity;

/// The layout of this file; checkpoints of another are refused.
const FORMAT: u32 = 3;
/// Longest training time that is believed: 300 years in seconds.
const LONGEST_S: f64 = 1e10;

/// What `state.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Layout of this file.
    pub format: u32,
    /// Name of the task.
    pub task: String,
    /// Processes that trained together.
    pub world_size: usize,
    /// Steps done; the next one has this number.
    pub step: u64,
    /// Whether the run's last step was among them.
    pub finished: bool,
    /// Seconds of the run's time budget, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_s: Option<f64>,
    /// Images seen so far.
    pub images_seen: u64,
    /// Seconds of training so far, over all sessions.
    pub elapsed_s: f64,
    /// Those of them that were spent before the first step and count for the time budget.
    #[serde(default)]
    pub before_s: f64,
    /// The dataset.
    pub data: Data,
    /// The images of evaluations during training. Absent where there are none, and in checkpoints of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Data>,
    /// Settings with which the steps were taken.
    pub settings: BTreeMap<String, String>,
    /// Each part's value, by the part's name.
    pub parts: BTreeMap<String, Value>,
    /// Version of Mochi that wrote it.
    pub version: String,
    /// In the dump of a failed step: what failed, and which state the parts are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What identifies a dataset of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Number of images.
    pub images: usize,
    /// Fingerprint in hexadecimal.
    pub fingerprint: String,
}

impl From<&DataIdentity> for Data {
    fn from(data: &DataIdentity) -> Self {
        Self { images: data.images, fingerprint: format!("{:016x}", data.fingerprint) }
    }
}

impl State {
    pub(crate) const FORMAT: u32 = FORMAT;

    /// Writes `state.json` into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join("state.json");
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| std::fs::write(&path, text + "\n"))
            .map_err(|source| TensorError::File { action: "write", path, source }.into())
    }

    /// Reads a checkpoint's `state.json`.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another format, and values that cannot be: training time that is not a time.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join("state.json");
        let file = |source| TensorError::File { action: "read", path: path.clone(), source };
        let text = std::fs::read_to_string(&path).map_err(file)?;
        let bad = |reason: String| TrainError::Checkpoint { path: path.clone(), reason };
        let value: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) => return Err(bad(format!("its format is {format}, this version reads {FORMAT}"))),
            None => return Err(bad("it has no \"format\"".into())),
        }
        let state: Self = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
        if !(0.0..=LONGEST_S).contains(&state.elapsed_s) {
            return Err(bad(format!("its training time is {} s", state.elapsed_s)));
        }
        Ok(state)
    }
}
