//! `mochi launch --processes N -- pretrain DATA ...`

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use mochi_tensor::collectives::Store;
use mochi_term::stop::STOPPED;
use mochi_term::{printable, write_stderr};
use rustix::process::{Pid, Signal, kill_process};

use crate::drive::listen;
use crate::failure::{Failure, Outcome};
use crate::ranks::PARENT;

/// How often the processes are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Time that the others have to end by themselves after one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Number of processes: one for each GPU, or for each group of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    processes: u16,
    /// The command with its arguments, e.g. `pretrain DATA --out RUN`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    check(&arguments.command)?;
    let stop = listen()?;
    // Served here, the store outlives any of the processes: it can say which of them is gone.
    let (store, port) = Store::serve()?;
    let mut children = start(arguments.processes, port, |_, command| {
        command.args(&arguments.command);
    })?;
    let (mut passed_on, mut failed_at) = (false, None);
    // Killed here, or told about.
    let mut told = vec![false; children.len()];
    loop {
        let running = children.iter_mut().filter_map(|child| matches!(child.try_wait(), Ok(None)).then(|| child.id()));
        let running: Vec<u32> = running.collect();
        if running.is_empty() {
            break;
        }
        if stop.requested() && !passed_on {
            passed_on = true;
            children.iter().filter(|child| running.contains(&child.id())).for_each(|child| signal(child, Signal::TERM));
        }
        if failed_at.is_some_and(|at: Instant| at.elapsed() >= GRACE) {
            // A process that is frozen does not see its own timeout.
            for (rank, child) in children.iter().enumerate().filter(|(_, child)| running.contains(&child.id())) {
                if !std::mem::replace(&mut told[rank], true) {
                    let seconds = GRACE.as_secs();
                    write_stderr(&format!("rank {rank} has not ended {seconds} s after another, and is killed"));
                }
                signal(child, Signal::KILL);
            }
        }
        for (rank, child) in children.iter_mut().enumerate() {
            let Some(status) = child.try_wait().ok().flatten().filter(|&status| failed(status)) else { continue };
            failed_at.get_or_insert_with(Instant::now);
            tell_signal(rank, status, &mut told);
        }
        std::thread::sleep(TICK);
    }
    drop(store);
    outcome(&mut children, &mut told)
}

/// Commands that train in several processes.
const COMMANDS: [&str; 4] = ["pretrain", "resume", "eval", "detect"];

/// Refuses a command of one process once, instead of in each.
fn check(command: &[OsString]) -> Outcome<()> {
    let name = command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    if COMMANDS.contains(&name.as_str()) {
        return Ok(());
    }
    Err(Failure::new(
        format!("`mochi {name}` does not run in several processes"),
        "these do: `pretrain`, `resume`, `eval`, `detect train` and `detect eval`, e.g. `mochi launch --processes 2 -- pretrain DATA`",
    ))
}

/// Starts the processes, each with what `prepare` adds to its command. They are a process group of their own: a terminal's Ctrl-C reaches them
/// through this process, once.
fn start(processes: u16, port: u16, prepare: impl Fn(u16, &mut Command)) -> Outcome<Vec<Child>> {
    let cannot = |error: std::io::Error| {
        Failure::new(format!("cannot start a process: {error}"), "check the limit of processes (ulimit -u)")
    };
    let program = std::env::current_exe().map_err(cannot)?;
    let mut children: Vec<Child> = Vec::new();
    for rank in 0..processes {
        let mut command = Command::new(&program);
        prepare(rank, command.process_group(0));
        for (name, value) in [
            ("WORLD_SIZE", processes.to_string()),
            ("LOCAL_WORLD_SIZE", processes.to_string()),
            ("RANK", rank.to_string()),
            ("LOCAL_RANK", rank.to_string()),
            ("MASTER_ADDR", "127.0.0.1".to_owned()),
            ("MASTER_PORT", port.to_string()),
            ("TORCHELASTIC_USE_AGENT_STORE", "True".to_owned()),
            (PARENT, std::process::id().to_string()),
        ] {
            command.env(name, value);
        }
        match command.spawn() {
            Ok(child) => children.push(child),
            Err(error) => {
                end(&mut children);
                return Err(cannot(error));
            }
        }
    }
    Ok(children)
}

fn end(children: &mut [Child]) {
    for child in children {
        signal(child, Signal::KILL);
        let _ = child.wait();
    }
}

/// Runs `mochi` with these arguments in several processes; the last line that rank 0 writes to stdout.
pub fn first_says(processes: u16, arguments: &[OsString]) -> Outcome<String> {
    let (store, port) = Store::serve()?;
    let mut children = start(processes, port, |rank, command| {
        command.args(arguments).stdout(if rank == 0 { Stdio::piped() } else { Stdio::null() });
    })?;
    let mut text = String::new();
    let read = children[0].stdout.take().map(|mut out| out.read_to_string(&mut text));
    let mut told = vec![false; children.len()];
    let status = outcome(&mut children, &mut told)?;
    drop(store);
    match read {
        Some(Ok(_)) if status == ExitCode::SUCCESS => Ok(text.lines().last().unwrap_or_default().to_owned()),
        _ => Err(Failure::new(format!("{processes} processes did not end as they should"), "see their messages above")),
    }
}

/// Set for the processes of `mochi ablate`: the process id of the worker.
pub const WORKER: &str = "MOCHI_WORKER";

/// In a process of `mochi launch`, `mochi ablate` or torchrun: asks the system for a stop signal when that program ends, however it does. SIGUSR1, for
/// example, ends torchrun alone.
pub fn follow_parent() {
    let id = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
    let parent = id(PARENT).or_else(|| id(WORKER));
    if parent.is_none() && std::env::var_os("TORCHELASTIC_RUN_ID").is_none() {
        return;
    }
    // Elsewhere than on Linux a program that is killed leaves its processes to train on.
    #[cfg(target_os = "linux")]
    {
        let actual = rustix::process::getppid().map(|actual| actual.as_raw_nonzero().get());
        // SIGUSR1, since the second SIGTERM ends a process at once: the signal comes for the thread that started this process, and again for its program.
        // torchrun does not tell its number.
        if parent.is_none_or(|parent| actual == Some(parent)) {
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::USR1));
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process ended otherwise than by finishing or by a stop signal that it followed.
fn failed(status: ExitStatus) -> bool {
    !matches!(status.code(), Some(code) if code == 0 || code == i32::from(STOPPED))
}

/// Says once that a signal ended a process.
fn tell_signal(rank: usize, status: ExitStatus, told: &mut [bool]) {
    if let (Some(signal), false) = (status.signal(), std::mem::replace(&mut told[rank], true)) {
        write_stderr(&printable(&format!("the process of rank {rank} was ended by signal {signal}")));
    }
}

/// The status of the whole: that of the first process that failed; stopped if any was.
fn outcome(children: &mut [Child], told: &mut [bool]) -> Outcome {
    let statuses: Vec<ExitStatus> = children.iter_mut().filter_map(|child| child.wait().ok()).collect();
    statuses.iter().enumerate().for_each(|(rank, &status)| tell_signal(rank, status, told));
    let first = statuses.iter().copied().find(|&status| failed(status));
    let stopped = statuses.iter().any(|status| status.code() == Some(i32::from(STOPPED)));
    Ok(match first {
        Some(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        None if stopped => ExitCode::from(STOPPED),
        None => ExitCode::SUCCESS,
    })
}
