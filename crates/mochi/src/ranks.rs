//! The processes of a command that trains in several: they meet before it starts, and tell each other why one of them failed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mochi_run::RunFolder;
use mochi_system::Launched;
use mochi_tensor::collectives::{Address, Member, Store};
use mochi_tensor::{Engine, Group, TensorError};
use mochi_term::Progress;
use mochi_train::Destination;

use crate::failure::{Failure, Outcome};

/// How long another rank than 0 waits to learn whether rank 0 reports the same error, so that it is printed once.
const SAME_ERROR: Duration = Duration::from_secs(1);

/// The processes of this command, this one among them.
#[derive(Debug, Default)]
pub struct Ranks {
    group: Option<Arc<Group>>,
    /// Number of processes on this machine.
    local: usize,
    restarts: usize,
}

impl Ranks {
    /// The group; `None` for a process on its own.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.group.as_ref()
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.group.as_ref().map_or(1, |group| group.size())
    }

    /// Number of processes on this machine, which share its cores.
    pub fn local(&self) -> usize {
        self.local.max(1)
    }

    /// Whether the launcher has started the same command again, after a process had failed.
    pub fn restarted(&self) -> bool {
        self.restarts > 0
    }

    /// Whether this process writes and prints: the only one, or rank 0.
    pub fn is_first(&self) -> bool {
        self.group.as_ref().is_none_or(|group| group.rank() == 0)
    }

    /// Progress on stderr, from one process.
    pub fn progress(&self) -> Progress {
        if self.is_first() { Progress::detect() } else { Progress::silent() }
    }

    /// ", 4 processes", where there are several.
    pub fn described(&self) -> String {
        if self.size() > 1 { format!(", {} processes", self.size()) } else { String::new() }
    }

    /// Where a new run is written: a fresh folder, by this process or by rank 0.
    pub fn destination(&self, path: &Path, progress: &Progress) -> Outcome<Destination> {
        if !self.is_first() {
            return Ok(Destination::of_rank_0(path));
        }
        let folder = RunFolder::create(path)?;
        if let Some(warning) = folder.warning() {
            progress.warning(&warning);
        }
        Ok(folder.into())
    }

    /// A text that rank 0 makes for all.
    pub fn broadcast_text(&self, text: impl FnOnce() -> Outcome<String>) -> Outcome<String> {
        match &self.group {
            None => text(),
            Some(group) => group.broadcast_text(text),
        }
    }

    /// Checks that all processes hold the same.
    pub fn agree(&self, what: &str, mine: &str) -> Outcome<()> {
        match &self.group {
            None => Ok(()),
            Some(group) => group.agree(what, mine).map_err(|error| {
                let hint = "start every process with the same program, the same command and the same data";
                Failure::new(error.to_string(), hint)
            }),
        }
    }
}

/// What the launcher started this process as, for a command that can train in several processes.
pub fn launched() -> Outcome<Option<Launched>> {
    Ok(mochi_system::launched()?)
}

/// Refuses several processes, for all other commands.
pub fn refuse_several(command: &str) -> Outcome<()> {
    match mochi_system::launched() {
        Ok(Some(launched)) => Err(Failure::new(
            format!("`mochi {command}` runs in one process, and {} were started", launched.world_size),
            "start it without torchrun, srun or `mochi launch`, or unset WORLD_SIZE",
        )),
        // What is wrong with variables that are not needed is no concern.
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Runs `work` together with the other processes, if there are any.
pub fn in_group(launched: Option<&Launched>, engine: &Engine, work: impl FnOnce(&Ranks) -> Outcome) -> Outcome {
    let Some(launched) = launched else { return work(&Ranks::default()) };
    let rank = launched.rank;
    let group = join(launched, engine).map_err(|error| Failure::from(error).of_rank(rank))?;
    let ranks = Ranks { group: Some(Arc::new(group)), local: launched.local_world_size, restarts: launched.restarts };
    let Some(group) = ranks.group() else { return work(&ranks) };
    let version = format!("Mochi {}, libtorch {}", env!("CARGO_PKG_VERSION"), engine.version);
    match ranks.agree("versions", &version).and_then(|()| work(&ranks)) {
        Ok(status) => {
            group.close();
            Ok(status)
        }
        Err(failure) => Err(explain(group, failure).of_rank(rank)),
    }
}

fn join(launched: &Launched, engine: &Engine) -> Result<Group, TensorError> {
    let Launched { rank, world_size, local_rank, host, port, launcher_serves, attempt, timeout, .. } = launched;
    let address = Address { host: host.clone(), port: *port };
    let serve = *rank == 0 && !launcher_serves;
    let store = Store::connect(&address, serve, *world_size, attempt, *timeout)?;
    let member = Member { rank: *rank, size: *world_size, local_rank: *local_rank };
    Group::join(store, engine.cuda_devices > 0, &address, member, *timeout, *timeout)
}

/// Why a command ended: by an error of this rank, which the others are told, or by another rank.
fn explain(group: &Group, failure: Failure) -> Failure {
    let rank = group.rank();
    let own = format!("rank {rank} failed: ");
    let _ = group.store().set(&reason_of(rank), failure.what());
    let by_another = group.reported_failure().filter(|text| !text.starts_with(&own));
    match by_another {
        // Of this rank, or one that all have found by themselves.
        None if !group.failed() => {}
        Some(text) if text.ends_with(failure.what()) && text != failure.what() => {}
        // Told while waiting for the other.
        Some(text) if !group.failed() => return Failure::new(text, "the message of that rank says what to do"),
        other => {
            let said = other.unwrap_or_else(|| group.verdict());
            let hint = "remove the cause, then continue with `mochi resume RUN` and the same launcher: the last checkpoint is unchanged";
            return Failure::new(format!("{said} ({})", failure.what()), hint);
        }
    }
    group.report_failure(failure.what());
    if rank > 0 && first_says(group, failure.what()) { failure.silent() } else { failure }
}

/// Key of the error of a rank.
fn reason_of(rank: usize) -> String {
    format!("reason/{rank}")
}

/// Whether rank 0 has the same error, and prints it.
fn first_says(group: &Group, error: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SAME_ERROR {
        match group.store().get(&reason_of(0)) {
            Ok(Some(reason)) => return reason == error,
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(_) => return false,
        }
    }
    false
}
