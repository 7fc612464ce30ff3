//! `cargo xtask gpu-check`: checks the path of NVIDIA GPUs in minutes, and prints a table for an issue. Most of Mochi's own tests run on a CPU; this is
//! for whoever has a card.

mod assess;
mod budget;
mod card;
mod page;
mod pictures;
mod row;
mod rows;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::cargo::{build_release, cargo};
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::{demo, setup};
use budget::{Budget, run_within};
use card::Card;
use row::{Ended, Finished, Program, Row, Task};
use rows::{Scene, rows};

pub(crate) const HELP: &str = "\
cargo xtask gpu-check [options]

    --dry-run        list the checks with their commands; needs no GPU
    --minutes N      time of all checks (8), after set-up and build; those for which no time is left are skipped
    --python PATH    use this interpreter (with torch and torchvision) for PyTorch instead of making an environment
    --json           print one JSON object to stdout instead of the Markdown table
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    dry_run: bool,
    minutes: f64,
    python: Option<PathBuf>,
    json: bool,
}

impl Options {
    /// `None` if help was requested.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut options = Options { dry_run: false, minutes: 8.0, python: None, json: false };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("dry-run") => options.dry_run = true,
                Long("minutes") => options.minutes = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if !(0.0..=1e4).contains(&options.minutes) {
            return Err(Failure::new("--minutes must be a number from 0 to 10000"));
        }
        Ok(Some(options))
    }
}

/// The command: `gpu-check [options]`.
pub(crate) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    if options.dry_run {
        print!("{}", page::plan(&rows(&scene(place, None))));
        return Ok(ExitCode::SUCCESS);
    }
    let cards = card::find()?;
    let mut scene = scene(place, Some(&cards));
    let programs = prepare(place, &options, &mut scene)?;
    let budget = Budget::of(Duration::from_secs_f64(options.minutes * 60.0));
    let results = check(rows(&scene), &budget, |task| programs.command(place, task));
    let heading = heading(place, &cards);
    if options.json {
        println!("{}", page::json(&heading, &results));
    } else {
        print!("{}", page::markdown(&heading, &results));
    }
    say(&page::summary(&results));
    let failed = results.iter().any(|row| matches!(row.ended, Ended::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(line: &str) {
    eprintln!("gpu-check: {line}");
}

/// What the rows depend on. `None`: a machine that lacks nothing.
fn scene(place: &Place, cards: Option<&[Card]>) -> Scene {
    let folder = place.private().join("gpu-check");
    let scratch = place.short(&folder);
    let first = cards.and_then(<[Card]>::first);
    Scene {
        cards: cards.map_or(2, <[Card]>::len),
        has_tf32: first.is_none_or(Card::is_ampere),
        batch: first.map_or(64, Card::batch),
        pictures: format!("{scratch}/pictures"),
        data: format!("{scratch}/pictures"),
        scratch,
        folder,
        no_peer: None,
    }
}

/// The programs of the rows.
struct Programs {
    mochi: PathBuf,
    peer: Option<Peer>,
}

impl Programs {
    fn command(&self, place: &Place, task: &Task) -> Command {
        let mut command = match (task.program, &self.peer) {
            (Program::NvidiaSmi, _) => Command::new("nvidia-smi"),
            (Program::Mochi, _) => Command::new(&self.mochi),
            (Program::Cargo, _) => cargo(place),
            (Program::Python, Some(peer)) => peer.command(),
            (Program::Python, None) => Command::new("python3"),
        };
        command.current_dir(place.root()).args(&task.words);
        command
    }
}

/// Installs and builds what the rows run, and writes the pictures. Nothing of it counts towards the time of the checks.
fn prepare(place: &Place, options: &Options, scene: &mut Scene) -> Outcome<Programs> {
    setup::ensure(place, true)?;
    say("building mochi and the tests of NCCL (takes several minutes the first time)");
    let mochi = build_release(place, "mochi")?;
    let mut tests = cargo(place);
    tests.args(["test", "--release", "--package", "mochi-tensor", "--lib", "--no-run"]);
    if !command::status(&mut tests)?.success() {
        say("the tests of NCCL cannot be built; their check will fail");
    }
    let peer = match Peer::find(place, options.python.clone()) {
        Ok(peer) => Some(peer),
        Err(failure) => {
            eprintln!("{failure}");
            scene.no_peer = Some("there is no PyTorch to compare with".to_owned());
            None
        }
    };
    setup::clear(&scene.folder)?;
    pictures::write(&scene.folder.join("pictures"))?;
    if let Some(images) = demo::images(place) {
        scene.data = place.short(&images);
    }
    Ok(Programs { mochi, peer })
}

/// Runs all rows. A row that fails, or whose program cannot be started, does not stop the others.
fn check(rows: Vec<Row>, budget: &Budget, mut command: impl FnMut(&Task) -> Command) -> Vec<Finished> {
    let count = rows.len();
    let mut results = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        say(&format!("{} of {count}: {} ({} left)", at + 1, row.what, command::duration(budget.left())));
        let begun = Instant::now();
        let not_run = |reason: &str| (Ended::Skipped(reason.to_owned()), String::new(), Duration::ZERO);
        let (ended, output, took) = match &row.not_here {
            Some(reason) => not_run(reason),
            None if budget.left().is_zero() => not_run("the time ran out"),
            None => {
                let (ended, output) = ended(&row, budget, &mut command);
                (ended, output, begun.elapsed())
            }
        };
        let (word, text) = page::told(&ended);
        say(&format!("    {word}: {text}"));
        let lines = row.tasks.iter().map(Task::line).collect();
        results.push(Finished { what: row.what, lines, ended, took, timed: row.timed, output });
    }
    results
}

/// Runs the commands of a row and assesses them; with the output of the last one.
fn ended(row: &Row, budget: &Budget, command: &mut impl FnMut(&Task) -> Command) -> (Ended, String) {
    let mut outputs = Vec::new();
    for task in &row.tasks {
        let ran = match run_within(budget, &mut command(task)) {
            Ok(ran) => ran,
            Err(failure) => return (Ended::Failed(failure.what().to_owned()), String::new()),
        };
        match ran.status {
            None => {
                let spent = command::duration(budget.spent());
                return (Ended::Skipped(format!("the time ran out after {spent}")), ran.stdout);
            }
            Some(status) if !status.success() && !row.assessed_anyway => {
                return (Ended::Failed(format!("{}: {} ({status})", task.program.name(), ran.complaint())), ran.stdout);
            }
            Some(_) => outputs.push(ran.stdout),
        }
    }
    let ended = match (row.assess)(&outputs) {
        Ok(figure) => Ended::Passed(figure),
        Err(reason) => Ended::Failed(reason),
    };
    (ended, outputs.pop().unwrap_or_default())
}

/// What was checked, and where.
fn heading(place: &Place, cards: &[Card]) -> String {
    let mut git = Command::new("git");
    git.current_dir(place.root()).args(["describe", "--always", "--dirty", "--exclude", "*"]);
    let commit = command::capture(&mut git).ok().filter(|said| said.status.success());
    let commit = commit.map_or_else(|| "unknown".to_owned(), |said| said.output.trim().to_owned());
    let names = cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>().join(", ");
    let names = if names.is_empty() { "a card that nvidia-smi does not name" } else { &names };
    format!("Mochi, commit {commit}, on {names}: `cargo xtask gpu-check`")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
