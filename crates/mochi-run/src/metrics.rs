//! `metrics.jsonl` and `curves.jsonl`: one JSON object a line, flushed a line at a time, so that a killed run loses at most the line that
//! it was writing. A resumed run cuts what lies after its checkpoint: those steps are done again.

use std::fs::File;
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::curve::CurveRecord;
use crate::error::RunError;
use crate::lines::{open_lines, read_lines};
use crate::record::StepRecord;

/// What a log's lines are.
pub trait Record: Serialize + DeserializeOwned {
    /// Steps done when it was taken.
    fn step(&self) -> u64;
}

impl Record for StepRecord {
    fn step(&self) -> u64 {
        self.step
    }
}

impl Record for CurveRecord {
    fn step(&self) -> u64 {
        self.step
    }
}

/// `metrics.jsonl`
pub type MetricsLog = Log<StepRecord>;

/// `curves.jsonl`
pub type CurvesLog = Log<CurveRecord>;

/// The open log of a run.
#[derive(Debug)]
pub struct Log<T> {
    path: PathBuf,
    file: File,
    lines: PhantomData<T>,
}

impl<T: Record> Log<T> {
    /// Starts a new log; an old one at the path is emptied.
    pub fn create(path: &Path) -> Result<Self, RunError> {
        let file = open_lines(path, |_, _| Ok(false))?;
        Ok(Self { path: path.to_owned(), file, lines: PhantomData })
    }

    /// Opens the log of a run that goes on after `step`: records of later steps and a torn last line are cut off.
    /// A log that is not there starts empty.
    pub fn resume(path: &Path, step: u64) -> Result<Self, RunError> {
        let file = open_lines(path, |number, line| Ok(parse::<T>(path, number, line)?.step() <= step))?;
        Ok(Self { path: path.to_owned(), file, lines: PhantomData })
    }

    /// Writes one record. Numbers that are not finite are written as `null`, which JSON has in their place.
    pub fn append(&mut self, record: &T) -> Result<(), RunError> {
        append_line(&mut self.file, &self.path, record)
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
fn parse<T: Record>(path: &Path, number: usize, line: &[u8]) -> Result<T, RunError> {
    serde_json::from_slice(line).map_err(|source| RunError::BadRecord { path: path.to_owned(), line: number, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_cuts_later_steps_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::create(&path).unwrap();
        for step in [10, 20, 30] {
            log.append(&StepRecord { step, loss: Some(f64::from(step as u32) / 4.0), ..Default::default() }).unwrap();
        }
        drop(log);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":40,\"lo").unwrap();
        assert_eq!(MetricsLog::read(&path).unwrap().len(), 3, "the torn line is no record");

        let mut log = MetricsLog::resume(&path, 20).unwrap();
        log.append(&StepRecord { step: 25, loss: Some(f64::NAN), ..Default::default() }).unwrap();
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
    fn fields_of_a_later_version_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"step\":1,\"a_new_measure\":3}\n").unwrap();
        assert_eq!(MetricsLog::read(&path).unwrap(), [StepRecord { step: 1, ..Default::default() }]);
    }
}
