//! Opening datasets in the background, with a count of the images found so far.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use mochi_config::plan::Place;
use mochi_data::{Cancel, Counter, DataError, Dataset, OpenOptions, Split, display_source, is_remote};
use mochi_term::Progress;

use crate::failure::{Failure, Outcome};

/// No count is shown for datasets that are opened within this time.
const QUIET: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// A dataset that is being opened.
pub struct Discovery {
    begun: Instant,
    counter: Counter,
    opened: Receiver<Result<Dataset, DataError>>,
    /// The first address among the sources.
    remote: Option<String>,
    cancel: Cancel,
}

/// Starts opening several sources as one dataset, on a thread of its own.
pub fn begin(sources: Vec<PathBuf>, split: Split, cancel: Cancel) -> Discovery {
    let remote = sources.iter().find(|source| is_remote(source)).map(|source| display_source(source));
    let options = OpenOptions { cancel: cancel.clone(), ..OpenOptions::from(split) };
    let counter = options.counter.clone();
    let (sender, opened) = channel();
    let look = move || {
        // The receiver is gone if the program has failed meanwhile.
        let _ = sender.send(Dataset::open_all(&sources, &options));
    };
    // If no thread can be started, the channel is closed and `wait` reports it.
    let _ = std::thread::Builder::new().name("mochi-open".into()).spawn(look);
    Discovery { begun: Instant::now(), counter, opened, remote, cancel }
}

impl Discovery {
    /// Waits for the dataset; after one second, shows the number of images found so far.
    pub fn wait(self, progress: &Progress) -> Outcome<Dataset> {
        Ok(self.opened(progress)?)
    }

    /// Waits for the dataset that a plan file names, if it does.
    pub fn wait_at(self, place: Option<&Place>, progress: &Progress) -> Outcome<Dataset> {
        self.opened(progress).map_err(|error| match place {
            Some(place) => Failure::of_plan_data(error, place),
            None => error.into(),
        })
    }

    fn opened(mut self, progress: &Progress) -> Result<Dataset, DataError> {
        let mut shown = None;
        loop {
            match self.opened.recv_timeout(if self.begun.elapsed() < QUIET { QUIET } else { TICK }) {
                Ok(dataset) => {
                    if let Some(task) = shown {
                        finish(task, &dataset);
                    }
                    return dataset;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let detail = "the thread that opens the dataset exited unexpectedly".to_owned();
                    return Err(DataError::Threads { detail });
                }
                // A call that hangs in the file system cannot be interrupted, so it is abandoned.
                Err(RecvTimeoutError::Timeout) if self.cancel.requested() => return Err(DataError::Canceled),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(address) = self.remote.take() {
                progress.note(&format!("waiting for {address}"));
            }
            let count = self.counter.count();
            shown.get_or_insert_with(|| progress.search("images found", count, self.begun)).reach(count);
        }
    }
}

fn finish(mut task: mochi_term::Task, opened: &Result<Dataset, DataError>) {
    // A failure has its own message.
    if let Ok(dataset) = opened {
        task.reach(dataset.len() as u64);
        task.finish();
    }
}
