//! `cargo xtask test [--fast]`: everything a change is held to, in one go; a failing part does not hide the others.

mod report;

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::cargo::cargo;
use crate::command;
use crate::failure::Outcome;
use crate::place::Place;
use crate::setup;
use crate::table;
use report::Report;

/// How one part ended.
enum Ended {
    Well,
    Badly,
    Skipped(&'static str),
}

/// One part of the whole, as the summary shows it.
struct Part {
    name: &'static str,
    ended: Ended,
    took: Duration,
}

/// The verb: `test [--fast]`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let mut fast = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("fast") => fast = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let mut parts = Vec::new();
    let mut part = |name, work: &mut dyn FnMut() -> Outcome<Ended>| -> Outcome<()> {
        eprintln!("\n== {name} ==");
        let started = Instant::now();
        let ended = work()?;
        parts.push(Part { name, ended, took: started.elapsed() });
        Ok(())
    };

    part("set-up", &mut || setup::ensure(place, false).map(|_| Ended::Well))?;
    part("format", &mut || match missing(place, "fmt") {
        true => Ok(left_out("no rustfmt here: rustup component add rustfmt")),
        false => plain(cargo(place).args(["fmt", "--all", "--check"])),
    })?;
    part("lints", &mut || match (fast, missing(place, "clippy")) {
        (true, _) => Ok(Ended::Skipped("--fast")),
        (_, true) => Ok(left_out("no clippy here: rustup component add clippy")),
        _ => plain(cargo(place).args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
    })?;
    let mut report = Report::default();
    part("tests", &mut || tests(place, &mut report))?;
    part("documentation", &mut || match fast {
        true => Ok(Ended::Skipped("--fast")),
        false => plain(cargo(place).args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings")),
    })?;
    part("licences", &mut || match fast {
        true => Ok(Ended::Skipped("--fast")),
        false => licences(place),
    })?;

    let good = parts.iter().all(|part| !matches!(part.ended, Ended::Badly));
    eprintln!("\n{}", summary(&parts));
    for skipped in &report.skipped {
        eprintln!("{skipped}");
    }
    let (passed, failed) = (report.passed, report.failed);
    match parts.iter().find(|part| part.name == "tests").map(|part| &part.ended) {
        // The sum is only printed where it is the whole truth.
        Some(Ended::Badly) if failed == 0 => eprintln!("the tests did not all run: what stopped them stands above"),
        _ => println!("{passed} passed, {failed} failed"),
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Licences, sources and bans of `deny.toml`. Not the advisories: they change with the world and not with what is tested here.
fn licences(place: &Place) -> Outcome<Ended> {
    let program = match setup::cargo_deny(place) {
        Ok(program) => program,
        Err(why) => {
            eprintln!("{why}");
            return Ok(left_out("cargo-deny could not be brought: see above"));
        }
    };
    let mut deny = Command::new(program);
    deny.current_dir(place.root()).args([
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]);
    plain(&mut deny)
}

/// Whether this cargo lacks a subcommand: Rust alone comes without rustfmt and clippy, and the tests are worth running all the same.
fn missing(place: &Place, subcommand: &str) -> bool {
    let asked = command::capture(cargo(place).args([subcommand, "--version"]));
    !asked.is_ok_and(|asked| asked.status.success())
}

/// A part that this machine has no tool for: said in the summary, and a failure in CI, where nobody reads it.
fn left_out(why: &'static str) -> Ended {
    if std::env::var_os("CI").is_some() { Ended::Badly } else { Ended::Skipped(why) }
}

fn ended(status: ExitStatus) -> Ended {
    if status.success() { Ended::Well } else { Ended::Badly }
}

fn plain(command: &mut Command) -> Outcome<Ended> {
    command::status(command).map(ended)
}

/// All tests of the workspace. What passing tests print is asked for and sifted: a test that has to leave something out says
/// `skipped: ...`, and the test runner would swallow that.
fn tests(place: &Place, report: &mut Report) -> Outcome<Ended> {
    let mut run = cargo(place);
    run.args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    let mut child = run.stdout(Stdio::piped()).spawn().map_err(|error| command::not_started(&run, &error))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if report.take(&line) {
                eprintln!("{line}");
            }
        }
    }
    child.wait().map(ended).map_err(|error| command::not_started(&run, &error))
}

fn summary(parts: &[Part]) -> String {
    let rows: Vec<Vec<String>> = parts
        .iter()
        .map(|part| {
            let (word, time) = match part.ended {
                Ended::Well => ("ok".to_owned(), command::duration(part.took)),
                Ended::Badly => ("FAILED".to_owned(), command::duration(part.took)),
                Ended::Skipped(why) => (format!("skipped ({why})"), String::new()),
            };
            vec![part.name.to_owned(), time, word]
        })
        .collect();
    table::aligned(&rows)
}
