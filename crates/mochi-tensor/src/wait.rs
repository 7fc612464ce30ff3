//! How libtorch's threads wait for each other: spinning on idle cores, sleeping where other work needs them.
//!
//! OpenMP's threads spin for 3 to 9 ms before they sleep. On idle cores this makes a step of thousands of short parallel regions fast; next
//! to a busy process it makes the step several times slower, because a spinning thread takes the core from the one that it waits for. A
//! follower thread therefore measures how long this process's threads wait for a core (the run delay in `/proc/self/task/*/schedstat`) and
//! switches (`shim/wait.cpp` tells how). Results do not depend on it.
//!
//! `MOCHI_WAIT=spin` or `=sleep` fixes one of the two; with `GOMP_SPINCOUNT` or `OMP_WAIT_POLICY` set, OpenMP's own setting is left alone.

use crate::{TensorError, ffi};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How often the follower measures.
const INTERVAL: Duration = Duration::from_millis(200);
/// Threads that wait for a core, on average over an interval, from which on spinning costs more than it gains.
const BUSY: f64 = 0.1;
/// Below this, cores are free again.
const IDLE: f64 = 0.03;
/// Intervals in a row below [`IDLE`] before spinning is switched on again.
const CALM: u32 = 10;

/// The thread that owns the sleeping team, while there is one.
static TEAM: Mutex<Option<Team>> = Mutex::new(None);

struct Team {
    /// Dropped to end the thread.
    _running: Sender<()>,
    thread: JoinHandle<()>,
}

/// How libtorch's threads wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// They spin for some ms, then sleep: fast on idle cores.
    Spin,
    /// They sleep almost at once.
    Sleep,
}

/// Switches how libtorch's threads wait, for the whole process; returns once it holds. Without GNU OpenMP it has no effect.
///
/// # Errors
/// Where no thread can be started.
pub fn set_waiting(waiting: Waiting) -> Result<(), TensorError> {
    let mut team = TEAM.lock().unwrap_or_else(PoisonError::into_inner);
    match (waiting, team.take()) {
        (Waiting::Sleep, None) => *team = Some(start_team()?),
        (Waiting::Sleep, running) => *team = running,
        (Waiting::Spin, Some(running)) => {
            drop(running._running);
            let _ = running.thread.join();
        }
        (Waiting::Spin, None) => {}
    }
    Ok(())
}

fn start_team() -> Result<Team, TensorError> {
    let (running, ended) = channel::<()>();
    let (report, started) = channel();
    let thread = Builder::new()
        .name("mochi-sleepers".to_owned())
        .spawn(move || {
            // SAFETY: no arguments.
            let _ = report.send(unsafe { ffi::mochi_start_sleeping_team() });
            // Until the other side is dropped.
            let _ = ended.recv();
        })
        .map_err(|error| TensorError::Torch(format!("cannot start a thread: {error}")))?;
    // Fewer threads than asked for, e.g. under OMP_THREAD_LIMIT, only make less of a difference.
    let _ = started.recv();
    Ok(Team { _running: running, thread })
}

/// Starts the follower, once a process.
pub(crate) fn follow_load() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        if ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"].iter().any(|name| std::env::var_os(name).is_some()) {
            return;
        }
        match std::env::var("MOCHI_WAIT").as_deref() {
            Ok("spin") => {}
            Ok("sleep") => {
                let _ = set_waiting(Waiting::Sleep);
            }
            _ => {
                // Where no thread can be started, OpenMP's own way stays.
                let _ = Builder::new().name("mochi-load".to_owned()).spawn(follow);
            }
        }
    });
}

/// Ends where the kernel keeps no run delays.
fn follow() {
    let (mut at, Some(mut before)) = (Instant::now(), run_delay()) else { return };
    let mut switch = Switch::default();
    loop {
        std::thread::sleep(INTERVAL);
        let (now, Some(delay)) = (Instant::now(), run_delay()) else { return };
        let waiting = delay.saturating_sub(before).as_secs_f64() / now.duration_since(at).as_secs_f64();
        (at, before) = (now, delay);
        if let Some(waiting) = switch.after(waiting)
            && set_waiting(waiting).is_err()
        {
            return;
        }
    }
}

/// Decides with hysteresis: one busy interval switches to sleeping, [`CALM`] idle ones back.
#[derive(Debug, Default)]
struct Switch {
    sleeping: bool,
    calm: u32,
}

impl Switch {
    /// What to switch to after an interval in which this many threads waited for a core on average.
    fn after(&mut self, waiting: f64) -> Option<Waiting> {
        self.calm = if waiting < IDLE { self.calm + 1 } else { 0 };
        let sleeping = if self.sleeping { self.calm < CALM } else { waiting > BUSY };
        let changed = sleeping != self.sleeping;
        self.sleeping = sleeping;
        changed.then_some(if sleeping { Waiting::Sleep } else { Waiting::Spin })
    }
}

/// Time that this process's threads have been ready to run without a core, summed over those that live.
fn run_delay() -> Option<Duration> {
    let mut sum = None;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        // A thread may end in between.
        let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else { continue };
        let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
        *sum.get_or_insert(Duration::ZERO) += Duration::from_nanos(nanoseconds);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_interval_switches_and_only_lasting_calm_switches_back() {
        let mut switch = Switch::default();
        assert_eq!(switch.after(0.05), None);
        assert_eq!(switch.after(0.6), Some(Waiting::Sleep));
        assert_eq!(switch.after(0.6), None);
        for _ in 0..CALM - 1 {
            assert_eq!(switch.after(0.0), None);
        }
        assert_eq!(switch.after(0.05), None, "neither busy nor idle: the count begins again");
        for _ in 0..CALM - 1 {
            assert_eq!(switch.after(0.0), None);
        }
        assert_eq!(switch.after(0.0), Some(Waiting::Spin));
    }
}
