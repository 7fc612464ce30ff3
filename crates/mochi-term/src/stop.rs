//! Stop signals. The first SIGINT or SIGTERM sets a flag that the program reads between two steps of its work; the second ends the process at once
//! with status 130. SIGHUP, which the end of a session sends, sets the flag and nothing more: it can come twice. A program that was started with
//! SIGHUP ignored (`nohup`) goes on ignoring it. SIGUSR1, which Slurm sends before the end of a job (`--signal`), sets the flag as well.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

/// Status of a process that a stop signal ended.
pub const STOPPED: u8 = 130;

/// Whether a stop was requested. Cheap to clone and to read, from any thread.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Listens for stop signals from here on.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<StopFlag> {
        let stop = StopFlag::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: on the first signal the flag is still down when the shutdown reads it.
            flag::register_conditional_shutdown(signal, i32::from(STOPPED), Arc::clone(&stop.0))?;
            flag::register(signal, Arc::clone(&stop.0))?;
        }
        flag::register(SIGUSR1, Arc::clone(&stop.0))?;
        if !is_ignored(SIGHUP) {
            flag::register(SIGHUP, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for what waits on other threads: readers of data, the opening of a dataset.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Requests a stop from inside the program.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether this process was started with a signal ignored, as far as the system tells (Linux: the mask `SigIgn` of `/proc/self/status`).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
