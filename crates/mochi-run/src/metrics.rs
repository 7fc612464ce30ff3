//! `metrics.jsonl` and `curves.jsonl`: one JSON object a line, flushed a line at a time, so that a killed run loses at most the line that
//! it was writing. A resumed run cuts what lies after its checkpoint: those steps are done again.

use std::fs::File;
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::curve::CurveRecord;
use crate::error::RunError;
use crate::lines::{open_lines, read_lines};
use crate::record::Record;

/// A line of a log.
pub trait Line: Serialize + DeserializeOwned {
    /// Steps done when it was measured.
    fn step(&self) -> u64;

    /// Its values with their TensorBoard tags.
    fn scalars(&self) -> Vec<(&'static str, f64)>;
}

/// A line that does not exist, for a task without curves.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum NoCurve {}

impl Line for NoCurve {
    fn step(&self) -> u64 {
        match *self {}
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        match *self {}
    }
}

impl Line for Record {
    fn step(&self) -> u64 {
        self.step
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        self.values.iter().map(|(metric, value)| (metric.tag, value)).collect()
    }
}

impl Line for CurveRecord {
    fn step(&self) -> u64 {
        self.step
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        CurveRecord::scalars(self).collect()
    }
}

/// `metrics.jsonl`
pub type MetricsLog = Log<Record>;

/// `curves.jsonl`
pub type CurvesLog = Log<CurveRecord>;

/// The open log of a run.
#[derive(Debug)]
pub struct Log<T> {
    path: PathBuf,
    file: File,
    lines: PhantomData<T>,
}

impl<T: Line> Log<T> {
    /// Starts a new log; an old one at the path is emptied.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let file = open_lines(path, |_, _| Ok(false))?;
        Ok(Self { path: path.to_owned(), file, lines: PhantomData })
    }

    /// Opens the log of a run that resumes after `step`: records of later steps and a torn last line are cut off.
    /// A log that is not there starts empty.
    pub fn resume(path: &Path, step: u64) -> Result<Self, RunError> {
        let file = open_lines(path, |number, line| Ok(parse::<T>(path, number, line)?.step() <= step))?;
        Ok(Self { path: path.to_owned(), file, lines: PhantomData })
    }

    /// Writes one record. Numbers that are not finite are written as `null`, which JSON has in their place.
    pub fn append(&mut self, record: &T) -> Result<(), RunError> {
        append_line(&mut self.file, &self.path, record)
    }

    /// Waits until everything written so far is on the disk. Call it before a checkpoint is committed: the checkpoint must not be ahead of the log.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(RunError::io("sync", &self.path))
    }

    /// Every whole record of a log, a torn last line left out. A log that is not there is empty.
    pub fn read(path: &Path) -> Result<Vec<T>, RunError> {
        let mut records = Vec::new();
        read_lines(path, |number, line| {
            records.push(parse(path, number, line)?);
            Ok(())
        })?;
        Ok(records)
    }
}

/// One line of JSON in a single write: readers see whole lines or a torn last one, nothing else.
pub(crate) fn append_line<T: Serialize>(file: &mut File, path: &Path, record: &T) -> Result<(), RunError> {
    let unwritable = |source| RunError::Unwritable { path: path.to_owned(), source };
    let mut line = serde_json::to_vec(record).map_err(unwritable)?;
    line.push(b'\n');
    file.write_all(&line).map_err(RunError::io("write", path))
}

/// The record of one line.
fn parse<T: Line>(path: &Path, number: usize, line: &[u8]) -> Result<T, RunError> {
    serde_json::from_slice(line).map_err(|source| RunError::BadRecord { path: path.to_owned(), line: number, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Metrics, general};

    fn record(step: u64, loss: f64) -> Record {
        Record { step, values: Metrics::new().with(&general::LOSS, loss) }
    }

    #[test]
    fn resume_cuts_later_steps_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::create(&path).unwrap();
        for step in [10, 20, 30] {
            log.append(&record(step, f64::from(step as u32) / 4.0)).unwrap();
        }
        drop(log);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":40,\"lo").unwrap();
        assert_eq!(MetricsLog::read(&path).unwrap().len(), 3, "the torn line is no record");

        let mut log = MetricsLog::resume(&path, 20).unwrap();
        log.append(&record(25, f64::NAN)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"step\":10,\"loss\":2.5}\n{\"step\":20,\"loss\":5.0}\n{\"step\":25,\"loss\":null}\n");
        let steps: Vec<u64> = MetricsLog::read(&path).unwrap().iter().map(|record| record.step).collect();
        assert_eq!(steps, [10, 20, 25]);
    }

    #[test]
    fn a_spoilt_line_in_the_middle_is_told_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"step\":1}\nnonsense\n{\"step\":2}\n").unwrap();
        let error = MetricsLog::read(&path).unwrap_err();
        assert!(error.to_string().contains("metrics.jsonl, line 2: expected"), "{error}");
        assert_eq!(error.hint().as_deref(), Some("remove line 2 from the file"));
    }

    #[test]
    fn unknown_keys_are_ignored_and_known_ones_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"step\":1,\"a_new_metric\":{\"x\":3},\"epoch\":2,\"loss\":null}\n").unwrap();
        let records = MetricsLog::read(&path).unwrap();
        assert_eq!(records.len(), 1);
        let values = &records[0].values;
        assert_eq!(values.iter().count(), 2);
        assert_eq!(values.get(&general::EPOCH), Some(2.0));
        assert!(values.get(&general::LOSS).unwrap().is_nan(), "null is a value that was not finite");
        for bad in ["{\"step\":1,\"loss\":\"low\"}\n", "{\"loss\":1.0}\n", "{\"step\":-1}\n"] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(MetricsLog::read(&path), Err(RunError::BadRecord { line: 1, .. })), "{bad}");
        }
    }

    #[test]
    fn counts_are_whole_numbers_and_other_values_keep_their_bits() {
        let values = Metrics::new().with(&general::IMAGES, 2560.0).with(&general::LOSS, 0.1 + 0.2);
        let text = serde_json::to_string(&Record { step: 3, values: values.clone() }).unwrap();
        assert_eq!(text, "{\"step\":3,\"images\":2560,\"loss\":0.30000000000000004}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap().values, values);
    }
}
