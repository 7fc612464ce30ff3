//! The logs of a run: `metrics.jsonl`, `curves.jsonl`, TensorBoard events, `bad-images.jsonl`.

use std::collections::HashSet;

use mochi_data::BadImage;
use mochi_run::{BadImageLog, EventWriter, Line, Log, MetricsLog, Record, RunError, RunFolder};

use crate::TrainError;

/// Open logs; `C` is a line of `curves.jsonl`.
pub(crate) struct Records<C> {
    metrics: MetricsLog,
    curves: Log<C>,
    events: EventWriter,
    bad: BadImageLog,
    listed: HashSet<usize>,
}

impl<C: Line> Records<C> {
    /// New logs, or those of a run that continues after `step`.
    pub fn open(run: &RunFolder, resumed: bool, step: u64) -> Result<Self, TrainError> {
        let (metrics, curves, events) = if resumed {
            let events = EventWriter::resume(run.path(), step)?;
            (MetricsLog::resume(&run.metrics_path(), step)?, Log::resume(&run.curves_path(), step)?, events)
        } else {
            let events = EventWriter::create(run.path())?;
            (MetricsLog::create(&run.metrics_path())?, Log::create(&run.curves_path())?, events)
        };
        // A resumed run finds the same bad images again; each is listed once.
        let listed = BadImageLog::listed(&run.bad_images_path())?;
        Ok(Self { metrics, curves, events, bad: BadImageLog::open(&run.bad_images_path()), listed })
    }

    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        self.metrics.append(record)?;
        self.events.append(record)
    }

    pub fn curve(&mut self, curve: &C) -> Result<(), RunError> {
        self.curves.append(curve)?;
        self.events.append(curve)
    }

    /// Lists a bad image; false if it already was.
    pub fn bad_image(&mut self, image: &BadImage) -> Result<bool, RunError> {
        if !self.listed.insert(image.index) {
            return Ok(false);
        }
        self.bad.append(image)?;
        Ok(true)
    }

    /// Waits until all logs are on the disk. A checkpoint is committed after that, so it is never ahead of its logs.
    pub fn sync(&self) -> Result<(), RunError> {
        self.metrics.sync()?;
        self.curves.sync()?;
        self.events.sync()?;
        self.bad.sync()
    }
}
