//! `cargo xtask test [--fast]`: every check that a change must pass, in one command. A failing check does not hide the later ones.
//!
//! Checks that need no libtorch run first, so that most mistakes show within a minute. Tests whose names start with `slow_` are left out by `--fast`.

mod imports;
mod packages;
mod report;

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cargo::cargo;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup;
use crate::table;
use packages::Packages;
use report::Report;

/// How a check ended.
enum Ended {
    Passed,
    Failed,
    Skipped(&'static str),
}

/// One check, as the summary shows it.
struct Check {
    name: &'static str,
    ended: Ended,
    took: Duration,
}

/// The checks so far; each is timed and announced.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn run(&mut self, name: &'static str, work: impl FnOnce() -> Outcome<Ended>) -> Outcome<()> {
        eprintln!("\n== {name} ==");
        let started = Instant::now();
        let ended = work()?;
        self.0.push(Check { name, ended, took: started.elapsed() });
        Ok(())
    }

    fn failed(&self) -> bool {
        self.0.iter().any(|check| matches!(check.ended, Ended::Failed))
    }

    fn summary(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .0
            .iter()
            .map(|check| {
                let (word, time) = match check.ended {
                    Ended::Passed => ("ok".to_owned(), command::duration(check.took)),
                    Ended::Failed => ("FAILED".to_owned(), command::duration(check.took)),
                    Ended::Skipped(why) => (format!("skipped ({why})"), String::new()),
                };
                vec![check.name.to_owned(), time, word]
            })
            .collect();
        table::aligned(&rows)
    }
}

/// The command: `test [--fast]`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let mut fast = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("fast") => fast = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let not_when_fast = |work: &dyn Fn() -> Outcome<Ended>| if fast { Ok(Ended::Skipped("--fast")) } else { work() };
    let packages = Packages::read(place)?;
    let (mut checks, mut report) = (Checks::default(), Report::default());

    checks.run("format", || match missing(place, "fmt") {
        true => Ok(unavailable("no rustfmt: rustup component add rustfmt")),
        false => status(cargo(place).args(["fmt", "--all", "--check"])),
    })?;
    checks.run("import cycles", || import_cycles(place))?;
    checks.run("build tools", || setup::ensure_tools(place).map(|()| Ended::Passed))?;
    // libtorch downloads while the tests that do not need it are built.
    std::thread::scope(|scope| {
        let libtorch = scope.spawn(|| setup::ensure(place, false));
        checks.run("tests without libtorch", || tests(place, &packages.without_libtorch, fast, &mut report))?;
        let installed = || libtorch.join().unwrap_or_else(|_| Err(Failure::new("the setup of libtorch panicked")));
        checks.run("libtorch", || installed().map(|_| Ended::Passed))
    })?;
    checks.run("tests with libtorch", || tests(place, &packages.with_libtorch, fast, &mut report))?;
    checks.run("lints", || {
        not_when_fast(&|| match missing(place, "clippy") {
            true => Ok(unavailable("no clippy: rustup component add clippy")),
            false => status(cargo(place).args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
        })
    })?;
    checks.run("build without remote data", || {
        not_when_fast(&|| status(cargo(place).args(["check", "--package", "mochi-data", "--no-default-features"])))
    })?;
    checks.run("fuzz targets", || {
        not_when_fast(&|| {
            let check = ["check", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target"];
            status(cargo(place).args(check))
        })
    })?;
    checks.run("documentation", || {
        not_when_fast(&|| {
            status(cargo(place).args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
        })
    })?;
    checks.run("licenses", || not_when_fast(&|| licenses(place)))?;

    eprintln!("\n{}", checks.summary());
    for skipped in &report.skipped {
        eprintln!("{skipped}");
    }
    for failure in &report.failures {
        eprintln!("failed: {failure}");
    }
    let (passed, failed) = (report.passed, report.failed);
    let broke_off =
        checks.0.iter().any(|check| check.name.starts_with("tests") && matches!(check.ended, Ended::Failed));
    if broke_off && failed == 0 {
        eprintln!("not all tests ran: see the error above");
    } else {
        println!("{passed} passed, {failed} failed");
    }
    Ok(if checks.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Files of one crate that import each other in a cycle.
fn import_cycles(place: &Place) -> Outcome<Ended> {
    let crates = place.root().join("crates");
    let found = imports::cycles(&crates)?;
    for cycle in &found {
        let short = |file: &PathBuf| file.strip_prefix(&crates).unwrap_or(file).display().to_string();
        eprintln!("these files import each other: {}", cycle.iter().map(short).collect::<Vec<_>>().join(" "));
    }
    Ok(if found.is_empty() { Ended::Passed } else { Ended::Failed })
}

/// Licenses, sources and bans of `deny.toml`. Advisories are checked by `.ci/advisories`, because they do not depend on the change under test.
fn licenses(place: &Place) -> Outcome<Ended> {
    let program = match setup::cargo_deny(place) {
        Ok(program) => program,
        Err(why) => {
            eprintln!("{why}");
            return Ok(unavailable("cargo-deny cannot be installed; see above"));
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
    status(&mut deny)
}

/// Whether cargo lacks a subcommand: a plain Rust installation has neither rustfmt nor clippy, and the tests are worth running without them.
fn missing(place: &Place, subcommand: &str) -> bool {
    let asked = command::capture(cargo(place).args([subcommand, "--version"]));
    !asked.is_ok_and(|asked| asked.status.success())
}

/// A check whose tool is not installed: skipped on a developer's machine, a failure in CI.
fn unavailable(why: &'static str) -> Ended {
    if std::env::var_os("CI").is_some() { Ended::Failed } else { Ended::Skipped(why) }
}

fn ended(status: ExitStatus) -> Ended {
    if status.success() { Ended::Passed } else { Ended::Failed }
}

fn status(command: &mut Command) -> Outcome<Ended> {
    command::status(command).map(ended)
}

fn each_line(output: impl Read, mut take: impl FnMut(&str)) {
    BufReader::new(output).split(b'\n').map_while(Result::ok).for_each(|line| take(&String::from_utf8_lossy(&line)));
}

/// The tests of some packages. The output of passing tests is requested and filtered, because a test that cannot run here prints
/// `skipped: ...` and the test harness would hide it.
fn tests(place: &Place, packages: &[String], fast: bool, report: &mut Report) -> Outcome<Ended> {
    let mut run = cargo(place);
    run.arg("test").args(packages.iter().flat_map(|name| ["--package", name])).args([
        // Without this, mochi-data is tested without remote shards unless mochi is built with it.
        "--all-features",
        "--no-fail-fast",
        "--",
        "--show-output",
    ]);
    if fast {
        run.args(["--skip", "slow_"]);
    }
    // On a terminal cargo shows its progress, which a pipe would hide.
    if !std::io::stderr().is_terminal() {
        run.stderr(Stdio::piped());
    }
    let mut child = run.stdout(Stdio::piped()).spawn().map_err(|error| command::not_started(&run, &error))?;
    let report = Mutex::new(report);
    let report = || report.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        if let Some(stderr) = child.stderr.take() {
            scope.spawn(|| {
                each_line(stderr, |line| {
                    report().take_error(line);
                    eprintln!("{line}");
                });
            });
        }
        if let Some(stdout) = child.stdout.take() {
            each_line(stdout, |line| {
                if report().take(line) {
                    eprintln!("{line}");
                }
            });
        }
    });
    child.wait().map(ended).map_err(|error| command::not_started(&run, &error))
}
