//! The processes of a command that trains in several: they meet before it starts, and tell each other why one of them failed.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mochi_files::shell_word;
use mochi_run::RunFolder;
use mochi_system::Launched;
use mochi_tensor::collectives::{Address, Member, Store};
use mochi_tensor::{Engine, Group, TensorError};
use mochi_term::{Progress, StopFlag, printable, write_stderr};
use mochi_train::Destination;

use crate::failure::{Failure, Outcome};

/// How long another rank than 0 waits to learn whether rank 0 reports the same error, so that it is printed once.
const SAME_ERROR: Duration = Duration::from_secs(1);

/// Set for the processes of `mochi launch`: its process id.
pub const PARENT: &str = "MOCHI_LAUNCHER";

/// Commands whose second word is a command as well.
const SUBCOMMANDS: [&str; 3] = ["bench", "detect", "eval"];

/// Longest attempt to reach rank 0.
const CONNECTING: Duration = Duration::from_secs(5);
/// Shortest and longest time that an answer of the store is waited for: a busy machine is slow, and a store that does not answer any more holds up the end.
const ANSWER: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(60)];
/// Shortest time between two attempts.
const BETWEEN: Duration = Duration::from_secs(1);

/// The processes of this command, this one among them.
#[derive(Debug, Default)]
pub struct Ranks {
    group: Option<Arc<Group>>,
    /// Number of processes on this machine.
    local: usize,
    restarts: usize,
    /// The run that is trained, for hints.
    run: Rc<RefCell<Option<PathBuf>>>,
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
        self.trains(path);
        if !self.is_first() {
            return Ok(Destination::of_rank_0(path));
        }
        let folder = RunFolder::create(path)?;
        if let Some(warning) = folder.warning() {
            progress.warning(&warning);
        }
        Ok(folder.into())
    }

    /// Remembers the run, for hints.
    pub fn trains(&self, run: &Path) {
        *self.run.borrow_mut() = Some(run.to_owned());
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
pub fn in_group(
    launched: Option<&Launched>,
    engine: &Engine,
    stop: &StopFlag,
    work: impl FnOnce(&Ranks) -> Outcome,
) -> Outcome {
    let Some(launched) = launched else { return work(&Ranks::default()) };
    let rank = launched.rank;
    let group = join(launched, engine, stop).map_err(|error| match stop.requested() {
        true => Failure::stopped("stopped while waiting for the other processes"),
        false => Failure::from(error).of_rank(rank),
    })?;
    let ranks = Ranks { group: Some(Arc::new(group)), restarts: launched.restarts, ..Ranks::default() };
    let Some(group) = ranks.group() else { return work(&ranks) };
    match meet(&ranks, engine).and_then(|ranks| work(&ranks)) {
        Ok(status) => {
            group.close();
            Ok(status)
        }
        Err(failure) => Err(explain(group, ranks.run.take().as_deref(), failure).of_rank(rank)),
    }
}

/// Compares versions and commands, and counts the processes of this machine.
fn meet(ranks: &Ranks, engine: &Engine) -> Outcome<Ranks> {
    let mut words = std::env::args().skip(1);
    let mut command = words.next().unwrap_or_default();
    if SUBCOMMANDS.contains(&command.as_str()) {
        command = format!("{command} {}", words.next().unwrap_or_default());
    }
    let version = env!("CARGO_PKG_VERSION");
    ranks.agree("versions or commands", &format!("Mochi {version}\nlibtorch {}\n`mochi {command}`", engine.version))?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let (mut local, mut restarts) = (1, ranks.restarts);
    if let Some(group) = ranks.group() {
        local = group.share_text(&host)?.iter().filter(|other| **other == host).count();
        // torchrun counts on each machine for itself, and only the failures there.
        let counts = group.share_text(&restarts.to_string())?;
        restarts = counts.iter().filter_map(|count| count.parse().ok()).max().unwrap_or(restarts);
    }
    let (group, run) = (ranks.group.clone(), Rc::clone(&ranks.run));
    Ok(Ranks { group, local, restarts, run })
}

fn join(launched: &Launched, engine: &Engine, stop: &StopFlag) -> Result<Group, TensorError> {
    let Launched { rank, world_size, local_rank, host, port, launcher_serves, job, timeout, .. } = launched;
    let address = Address { host: host.clone(), port: *port };
    let serve = *rank == 0 && !launcher_serves;
    let (begun, mut told) = (Instant::now(), false);
    let answer = (*timeout).clamp(ANSWER[0], ANSWER[1]);
    let store = loop {
        // In short attempts, so that a stop signal ends them.
        let attempted = Instant::now();
        let within = CONNECTING.min(timeout.saturating_sub(begun.elapsed())).max(BETWEEN);
        match Store::connect(&address, serve, *world_size, job, within, answer) {
            Ok(store) => break store.stopped_by(stop.flag()),
            Err(error) if serve || stop.requested() || begun.elapsed() >= *timeout => return Err(error),
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    let seconds = timeout.as_secs();
                    write_stderr(&printable(&format!("rank {rank}: {error}; trying again, up to {seconds} s")));
                }
                // An unknown name is refused at once; it can still become known.
                std::thread::sleep(BETWEEN.saturating_sub(attempted.elapsed()));
            }
        }
    };
    let member = Member { rank: *rank, size: *world_size, local_rank: *local_rank };
    let waiting = |other: usize| {
        if *rank == 0 {
            let seconds = timeout.as_secs();
            write_stderr(&format!("waiting for rank {other} of {world_size} processes, up to {seconds} s"));
        }
    };
    Group::join(store, engine.cuda_devices > 0, &address, member, *timeout, *timeout, &waiting)
}

/// Why a command ended: by an error of this rank, which the others are told, or by another rank.
fn explain(group: &Group, run: Option<&Path>, failure: Failure) -> Failure {
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
            let hint = match run {
                Some(run) if has_checkpoint(run) => format!(
                    "remove the cause, then continue from the last checkpoint: {}",
                    resume_command(&shell_word(run), group.size())
                ),
                _ => "remove the cause, then repeat the command; there is no checkpoint yet".to_owned(),
            };
            return Failure::new(format!("{said} ({})", failure.what()), hint);
        }
    }
    group.report_failure(failure.what());
    // Processes of `mochi launch` share a terminal; others can be on machines of their own.
    let shared = std::env::var_os(PARENT).is_some();
    if rank > 0 && shared && first_says(group, failure.what()) { failure.silent() } else { failure }
}

/// How a run of several processes is continued.
pub fn resume_command(run: &str, processes: usize) -> String {
    match std::env::var_os(PARENT) {
        Some(_) => format!("`mochi launch --processes {processes} -- resume {run}`"),
        None => format!("`mochi resume {run}`, with the same launcher"),
    }
}

/// Whether a run can be continued.
pub fn has_checkpoint(run: &Path) -> bool {
    RunFolder::read(run).is_ok_and(|run| run.checkpoints().latest().is_ok_and(|newest| newest.is_some()))
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
