//! Leases: one worker per cell, across processes and machines that share the study's folder.
//!
//! The lease of a cell is a file `ID.N`. A worker takes a free cell by creating `ID.1`, which only one can (`O_EXCL`), and renews the file's
//! time of change while it works. A lease that was not renewed within the timeout is dead: the next worker creates `ID.(N+1)`. A worker that
//! comes back to life sees the higher number and learns that it has lost the cell. Ages are measured with the clock of the file system, so
//! the clocks of the machines need not agree. A lease whose process has ended on this machine is dead at once.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::error::AblateError;

/// Renewals within the timeout.
const RENEWALS: u32 = 6;

/// The leases of a study.
#[derive(Clone, Debug)]
pub struct Leases {
    folder: PathBuf,
    timeout: Duration,
}

/// A lease file.
struct Found {
    number: u64,
    path: PathBuf,
    /// Since its last renewal.
    age: Duration,
}

impl Leases {
    /// Leases in a folder, which end `timeout` after their last renewal.
    pub fn new(folder: PathBuf, timeout: Duration) -> Self {
        Self { folder, timeout }
    }

    /// Takes the lease of a cell; `None` where another worker has it.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn acquire(&self, id: &str) -> Result<Option<Lease>, AblateError> {
        let all = self.find(id)?;
        let newest = all.iter().max_by_key(|found| found.number);
        if newest.is_some_and(|found| found.age <= self.timeout) {
            return Ok(None);
        }
        let number = newest.map_or(1, |found| found.number.saturating_add(1));
        let path = self.folder.join(format!("{id}.{number}"));
        let file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(AblateError::io("create", &path)(error)),
        };
        renew(&file).map_err(AblateError::io("write", &path))?;
        // While files come and go, a listing may show neither the dead lease that another worker removed nor the one that it made before.
        let taken = self.find(id)?.iter().any(|found| found.number > number && found.age <= self.timeout);
        if taken {
            let _ = std::fs::remove_file(&path);
            return Ok(None);
        }
        for dead in &all {
            // Another worker may have removed it.
            let _ = std::fs::remove_file(&dead.path);
        }
        Lease::keep(path, self.folder.join(format!("{id}.{}", number.saturating_add(1))), self.timeout / RENEWALS)
            .map(Some)
    }

    /// Who has the lease of a cell, e.g. `process 4711 on node-3`.
    ///
    /// # Errors
    /// [`AblateError::Io`].
    pub fn holder(&self, id: &str) -> Result<Option<String>, AblateError> {
        let newest = self.find(id)?.into_iter().max_by_key(|found| found.number);
        Ok(newest.filter(|found| found.age <= self.timeout).map(|found| {
            std::fs::read_to_string(&found.path).ok().filter(|text| !text.is_empty()).unwrap_or("another worker".into())
        }))
    }

    fn find(&self, id: &str) -> Result<Vec<Found>, AblateError> {
        let failed = || AblateError::io("read", &self.folder);
        let start = format!("{id}.");
        let mut all = Vec::new();
        let mut now = None;
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
            entries => entries.map_err(failed())?,
        };
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&start)).and_then(|n| n.parse().ok());
            let Some(number) = number else { continue };
            // It may have been removed meanwhile.
            let Ok(changed) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
            let now = match now {
                Some(now) => now,
                None => *now.insert(self.now()?),
            };
            let path = entry.path();
            let ended = std::fs::read_to_string(&path)
                .is_ok_and(|holder| Holder::parse(&holder).is_some_and(Holder::has_ended));
            let age = if ended { Duration::MAX } else { now.duration_since(changed).unwrap_or_default() };
            all.push(Found { number, path, age });
        }
        Ok(all)
    }

    /// The time of the file system.
    fn now(&self) -> Result<SystemTime, AblateError> {
        let path = self.folder.join(format!("now-{}", mochi_files::random()));
        let time = File::create_new(&path).and_then(|file| file.metadata()).and_then(|metadata| metadata.modified());
        let _ = std::fs::remove_file(&path);
        time.map_err(AblateError::io("write", &path))
    }
}

/// The right to train a cell; ends when it is dropped.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    lost: Arc<AtomicBool>,
    /// Dropped to end the thread that renews.
    ended: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

impl Lease {
    fn keep(path: PathBuf, next: PathBuf, interval: Duration) -> Result<Lease, AblateError> {
        let lost = Arc::new(AtomicBool::new(false));
        let (ended, end) = channel::<()>();
        let (file, flag) = (path.clone(), Arc::clone(&lost));
        let renewing = std::thread::Builder::new()
            .name("mochi-lease".to_owned())
            .spawn(move || {
                while end.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    // A file system that is away for a moment is not a lost lease; a missing file or a successor is.
                    let renewed = File::options().write(true).open(&file).and_then(|file| renew(&file));
                    let gone = renewed.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
                    if gone || next.exists() {
                        flag.store(true, Ordering::Relaxed);
                    }
                }
            })
            .map_err(AblateError::io("start a thread for", &path))?;
        Ok(Lease { path, lost, ended: Some(ended), renewing: Some(renewing) })
    }

    /// Whether another worker has taken the cell, because this one did not renew its lease in time.
    pub fn lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ended.take();
        if let Some(thread) = self.renewing.take() {
            let _ = thread.join();
        }
        // After the timeout at the latest it is free in any case.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes the holder's name again, which renews the time of change by the file system's own clock.
fn renew(mut file: &File) -> std::io::Result<()> {
    file.write_all(format!("process {} on {}", std::process::id(), machine()).as_bytes())
}

/// Name of the machine, and of what numbers its processes: in containers, a number belongs to another process.
fn machine() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} ({})", host.trim(), namespace.display())
}

/// Who has a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder<'a> {
    process: u32,
    machine: &'a str,
}

impl<'a> Holder<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (process, machine) = text.strip_prefix("process ")?.split_once(" on ")?;
        Some(Self { process: process.parse().ok()?, machine })
    }

    /// Whether it ran on this machine and has ended. Without `/proc` nothing is known.
    fn has_ended(self) -> bool {
        let processes = Path::new("/proc/self").exists();
        processes && self.machine == machine() && !Path::new("/proc").join(self.process.to_string()).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn one_worker_has_a_lease_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path().to_owned(), Duration::from_secs(60));
        let lease = leases.acquire("a").unwrap().unwrap();
        assert!(leases.acquire("a").unwrap().is_none());
        assert!(leases.acquire("b").unwrap().is_some(), "another cell is free");
        assert!(leases.holder("a").unwrap().unwrap().starts_with(&format!("process {} on ", std::process::id())));
        drop(lease);
        assert_eq!(leases.holder("a").unwrap(), None);
        assert_eq!(names(folder.path()), [""; 0]);
        assert!(leases.acquire("a").unwrap().is_some());
    }

    #[test]
    fn a_lease_is_renewed_past_its_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path().to_owned(), Duration::from_secs(2));
        let lease = leases.acquire("a").unwrap().unwrap();
        std::thread::sleep(Duration::from_secs(3));
        assert!(leases.acquire("a").unwrap().is_none() && !lease.lost());
    }

    #[test]
    fn the_lease_of_a_dead_worker_expires_and_one_that_comes_back_learns_it() {
        let folder = tempfile::tempdir().unwrap();
        // What a killed worker leaves.
        let dead = folder.path().join("a.3");
        std::fs::write(&dead, "process 1 on gone").unwrap();
        let old = File::options().write(true).open(&dead).unwrap();
        old.set_modified(SystemTime::now() - Duration::from_secs(90)).unwrap();
        let leases = Leases::new(folder.path().to_owned(), Duration::from_secs(60));
        assert_eq!(leases.holder("a").unwrap(), None);
        let lease = leases.acquire("a").unwrap().unwrap();
        assert_eq!(names(folder.path()), ["a.4"]);
        assert!(!lease.lost());
        drop(lease);

        let leases = Leases::new(folder.path().to_owned(), Duration::from_millis(300));
        let lease = leases.acquire("a").unwrap().unwrap();
        std::fs::write(folder.path().join("a.2"), "a successor").unwrap();
        std::thread::sleep(Duration::from_millis(400));
        assert!(lease.lost());
    }

    #[test]
    fn the_lease_of_a_process_that_has_ended_on_this_machine_is_free_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path().to_owned(), Duration::from_secs(60));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let lease = |process: u32, machine: &str| {
            std::fs::write(folder.path().join("a.1"), format!("process {process} on {machine}")).unwrap();
            leases.holder("a").unwrap()
        };
        assert_eq!(lease(child.id(), &machine()), None);
        assert!(lease(child.id(), "another machine (pid:[1])").is_some());
        assert!(lease(std::process::id(), &machine()).is_some());
    }

    #[test]
    fn of_many_workers_that_find_a_dead_lease_one_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..200 {
            let id = format!("cell{round}");
            let dead = folder.path().join(format!("{id}.1"));
            std::fs::write(&dead, "").unwrap();
            let old = File::options().write(true).open(&dead).unwrap();
            old.set_modified(SystemTime::now() - Duration::from_secs(90)).unwrap();
            let leases = Leases::new(folder.path().to_owned(), Duration::from_secs(60));
            let barrier = std::sync::Barrier::new(8);
            let taken = std::sync::Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        barrier.wait();
                        let lease = leases.acquire(&id).unwrap();
                        taken.lock().unwrap().extend(lease);
                    });
                }
            });
            assert_eq!(taken.lock().unwrap().len(), 1, "round {round}");
        }
    }
}
