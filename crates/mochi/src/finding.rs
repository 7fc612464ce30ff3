//! Opening data sets beside other work, with a count to look at while large folders on slow disks are gone through.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use mochi_data::{Cancel, DataError, Dataset, OpenOptions, Split, Tally, display_source, is_remote};
use mochi_run::Progress;

use crate::failure::Outcome;

/// What is found sooner is not worth a word.
const QUIET: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// A data set on its way.
pub struct Finding {
    begun: Instant,
    tally: Tally,
    opened: Receiver<Result<Dataset, DataError>>,
    /// The first address among the sources.
    remote: Option<String>,
    cancel: Cancel,
}

/// Begins to look for the images of several sources, on a thread of its own.
pub fn begin(sources: Vec<PathBuf>, split: Split, cancel: Cancel) -> Finding {
    let remote = sources.iter().find(|source| is_remote(source)).map(|source| display_source(source));
    let options = OpenOptions { cancel: cancel.clone(), ..OpenOptions::from(split) };
    let tally = options.tally.clone();
    let (sender, opened) = channel();
    let look = move || {
        // Nobody waits any more where the program has failed meanwhile.
        let _ = sender.send(Dataset::open_all(&sources, &options));
    };
    // Where no thread can be had, the receiver's end is closed, and `wait` says so.
    let _ = std::thread::Builder::new().name("mochi-open".into()).spawn(look);
    Finding { begun: Instant::now(), tally, opened, remote, cancel }
}

impl Finding {
    /// The data set; from the second second on, how many images there are so far.
    pub fn wait(mut self, progress: &Progress) -> Outcome<Dataset> {
        let mut shown = None;
        loop {
            match self.opened.recv_timeout(if self.begun.elapsed() < QUIET { QUIET } else { TICK }) {
                Ok(dataset) => {
                    if let Some(task) = shown {
                        finish(task, &dataset);
                    }
                    return Ok(dataset?);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let detail = "the one that opens the data set has ended early".to_owned();
                    return Err(DataError::Threads { detail }.into());
                }
                // What hangs in the file system cannot be interrupted: nobody waits for it.
                Err(RecvTimeoutError::Timeout) if self.cancel.requested() => return Err(DataError::Canceled.into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(address) = self.remote.take() {
                progress.note(&format!("waiting for {address}"));
            }
            let count = self.tally.count();
            shown.get_or_insert_with(|| progress.search("images found", count, self.begun)).reach(count);
        }
    }
}

fn finish(mut task: mochi_run::Task, opened: &Result<Dataset, DataError>) {
    // A failure has words of its own.
    if let Ok(dataset) = opened {
        task.reach(dataset.len() as u64);
        task.finish();
    }
}
