//! `mochi ablate PLAN.toml [--out STUDY]`

mod expected;
mod process;
pub mod study;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use mochi_ablate::{Cells, Format, Plan, State, StudyFolder, Table};
use mochi_files::shell_word;
use mochi_term::stop::STOPPED;
use mochi_term::{Progress, printable, write_stderr};
use mochi_text::{counted, counted_with, duration};

use crate::drive::listen;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::figures;
use study::{LEASE_TIMEOUT_S, Study};
use worker::{Ending, Worker};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Plan of the study, a TOML file: data, base settings, axes and seeds
    plan: PathBuf,
    /// Folder of the study, which several processes may share [default: runs/NAME of the plan]
    #[arg(long, value_name = "STUDY")]
    out: Option<PathBuf>,
    /// Print the cells with their state and expected time, and train nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the table of the finished cells, and train nothing
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "markdown", "csv", "latex"])]
    table: Option<String>,
    /// Write figures of the study, and those that the paper has of it, as PNG and SVG files into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Start failed cells again
    #[arg(long)]
    retry_failed: bool,
    /// Skip the remaining seeds of a variant that is significantly worse than the best one after three seeds or more
    #[arg(long)]
    prune: bool,
    /// Time after which a worker that gives no sign of life counts as dead
    #[arg(long, value_name = "SECONDS", default_value_t = LEASE_TIMEOUT_S, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    lease_timeout: u64,
    /// Print the table as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let begun = Instant::now();
    let plan = Plan::read(&arguments.plan)?;
    let whole = Study::of(plan, arguments.out.as_deref(), arguments.lease_timeout)?;
    let states = || whole.states();
    let Study { plan, folder: study, cells, leases } = &whole;
    let out = study.path();
    if let Some(name) = &arguments.table {
        let table = whole.table(&states()?);
        let format = Format::ALL.into_iter().find(|format| format.name() == name).unwrap_or(Format::Text);
        print(&table, format, arguments.json)?;
        draw(arguments.figures.as_deref(), study, plan, cells, &table)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = listen()?;
    let progress = Progress::detect();
    let mut forecast = expected::forecast(plan, study, cells, &states()?, &stop, &progress)?;
    progress.note(&format!(
        "{}: {} x {} = {}, study folder {}",
        plan.name,
        counted(cells.variants.len(), "variant"),
        counted(plan.seeds.len(), "seed"),
        counted(cells.cells.len(), "cell"),
        out.display()
    ));
    if arguments.retry_failed && !arguments.dry_run {
        for cell in &cells.cells {
            study.forget_failure(cell)?;
        }
    }
    let before = states()?;
    let open: Vec<usize> = (0..before.len()).filter(|&i| matches!(before[i], State::Pending)).collect();
    let expected: f64 = open.iter().map(|&index| forecast.of(index)).sum();
    progress.note(&format!(
        "{} to train or to evaluate, about {}{}",
        counted(open.len(), "cell"),
        duration(expected),
        match (open.is_empty(), forecast.is_of_training_only(), plan.hours) {
            (true, ..) => String::new(),
            (_, true, None) => "; evaluation comes on top".to_owned(),
            (_, true, Some(hours)) =>
                format!("; evaluation comes on top; no cell is started that would end after {hours} h"),
            (_, false, None) => String::new(),
            (_, false, Some(hours)) => format!("; no cell is started that would end after {hours} h"),
        }
    ));
    if arguments.dry_run {
        for (index, (cell, state)) in cells.cells.iter().zip(&before).enumerate() {
            let state = match state {
                State::Finished(_) => "finished".to_owned(),
                State::Failed(failed) => format!("failed: {}", failed.reason),
                State::Running(holder) => format!("running: {holder}"),
                State::Pending => format!("about {}", duration(forecast.of(index))),
            };
            print_line(&format!("{}, seed {}: {state}", cells.variants[cell.variant].name(), cell.seed))?;
        }
        return Ok(ExitCode::SUCCESS);
    }

    study.write_plan(plan)?;
    let worker = Worker { plan, cells, study, leases, stop: &stop, progress: &progress, begun };
    let after = |worker: &Worker| {
        // What the folder shows may be old for once: the runs are the truth.
        let stored =
            states().and_then(|states| store(&whole, &table(&whole, worker, arguments.prune, &states), &states));
        if let Err(failure) = stored {
            progress.warning(&format!("the study's page was not written: {}", failure.what()));
        }
    };
    let ending = worker.work(arguments.prune, &mut forecast, &after)?;
    let states = states()?;
    let table = table(&whole, &worker, arguments.prune, &states);
    // First: where it cannot be written, for example on a full disk, it is known nevertheless.
    let printed = print(&table, Format::Text, arguments.json);
    let page = store(&whole, &table, &states)?;
    printed?;
    draw(arguments.figures.as_deref(), study, plan, cells, &table)?;
    let say = |text: String| write_stderr(&printable(&text));
    let again = format!("mochi ablate {}", shell_word(&arguments.plan));
    let again = arguments.out.map_or_else(|| again.clone(), |out| format!("{again} --out {}", shell_word(&out)));
    say(format!("report: {}", page.display()));
    match ending {
        Ending::Stopped => {
            say("stopped; what was trained is saved".to_owned());
            say(format!("hint: continue with `{again}`"));
            return Ok(ExitCode::from(STOPPED));
        }
        Ending::OutOfTime => {
            say("the plan's time is over".to_owned());
            say(format!("hint: `{again}` goes on for as long again"));
        }
        Ending::Done { running: 0 } => {}
        Ending::Done { running } => {
            let verbs = ["is being trained by another worker", "are being trained by other workers"];
            say(counted_with(running, "cell", verbs));
            say(format!("hint: `{again} --table text` prints the whole table when they have finished"));
        }
    }
    let failed = table.failures.len();
    if failed > 0 {
        let what = format!(
            "{} of {} failed; {} has their logs",
            failed,
            counted(states.len(), "cell"),
            out.join("logs").display()
        );
        return Err(Failure::new(what, format!("once the cause is removed, `{again} --retry-failed`")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The table of cells in these states, with what was pruned.
fn table(study: &Study, worker: &Worker, prune: bool, states: &[State]) -> Table {
    let mut table = study.table(states);
    if prune {
        let skipped = study.cells.variants.iter().zip(worker.hopeless(states)).filter(|(_, hopeless)| *hopeless);
        table.pruned = skipped.map(|(variant, _)| variant.name()).collect();
    }
    table
}

/// Writes the table in every format, and the page, whose path is returned.
fn store(study: &Study, table: &Table, states: &[State]) -> Outcome<PathBuf> {
    for format in Format::ALL {
        study.folder.write_table(format.extension(), &format.write(table))?;
    }
    Ok(mochi_report::write_study_page(&study.folder, &study.plan, &study.cells, states, table, None)?)
}

/// Writes the figures of `--figures`. A study without results yet has none, which is no error of the study.
fn draw(folder: Option<&Path>, study: &StudyFolder, plan: &Plan, cells: &Cells, table: &Table) -> Outcome<()> {
    let Some(folder) = folder else { return Ok(()) };
    match mochi_report::write_study_figures(study, plan, cells, table, folder) {
        Err(error @ mochi_report::ReportError::NoFigures { .. }) => {
            write_stderr(&printable(&error.to_string()));
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(written) => {
            write_stderr(&printable(&format!("figures: {}", folder.display())));
            figures::tell_missing(&written);
            Ok(())
        }
    }
}

fn print(table: &Table, format: Format, json: bool) -> Outcome<()> {
    if json { print_json(table) } else { print_line(format.write(table).trim_end()) }
}
