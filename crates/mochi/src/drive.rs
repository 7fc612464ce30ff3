//! Training with progress on stderr: shared by `pretrain` and `resume`.

use std::path::Path;
use std::process::ExitCode;

use mochi_data::{display_source, is_remote};
use mochi_files::shell_word;
use mochi_run::metric::{self, general};
use mochi_run::{Metrics, MetricsLog, RunFolder, Session, suggestion};
use mochi_tensor::Engine;
use mochi_term::{Cell, Pace, Progress, Row, Snapshot, StopFlag, printable, stop::STOPPED, write_stderr};
use mochi_text::{counted, duration};
use mochi_train::{Event, Outcome as TrainOutcome, Task, Trainer};
use serde::Serialize;

use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::ranks::resume_command;

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    run: &'a str,
    finished: bool,
    step: u64,
    steps: u64,
    checkpoint: String,
    elapsed_s: f64,
}

/// Records in the run folder which command on which machine trains from here on.
fn record_session<T: Task>(run: &Trainer<T>, engine: &Engine) -> Outcome<()> {
    let session = Session {
        command: std::env::args_os().map(|argument| without_secrets(&argument.to_string_lossy())).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libtorch: engine.version.clone(),
        processor: mochi_system::processor(),
        threads: mochi_tensor::threads(),
        ..Session::begin(run.step())
    };
    Ok(session.append(&RunFolder::read(run.folder())?.sessions_path())?)
}

/// An argument without the secrets of an address, as the run's settings have it.
fn without_secrets(argument: &str) -> String {
    let (key, value) = argument.split_once('=').filter(|(key, _)| !key.contains("://")).unwrap_or(("", argument));
    if !is_remote(Path::new(value)) {
        return argument.to_owned();
    }
    let shown = display_source(Path::new(value));
    if key.is_empty() { shown } else { format!("{key}={shown}") }
}

/// Listens for stop signals: what waits for data ends at the first one.
pub fn listen() -> Outcome<StopFlag> {
    StopFlag::listen()
        .map_err(|e| Failure::new(format!("cannot listen for stop signals: {e}"), "this is a defect, please report it"))
}

/// What a run that has ended writes to stdout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// The path of its folder.
    Folder,
    /// One JSON object.
    Json,
    /// Nothing: the run is one of several, whose result is printed after the last.
    Nothing,
}

impl Printed {
    /// As the option `--json` asks for.
    pub fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Folder }
    }
}

/// Trains to the end or to a stop signal, shows progress, writes the report page.
///
/// `next`: commands that use the result, as the last line has them.
pub fn drive<T: Task>(
    run: Trainer<T>,
    engine: &Engine,
    stop: &StopFlag,
    progress: &Progress,
    printed: Printed,
    next: &dyn Fn(&str) -> String,
) -> Outcome {
    if !run.writes() {
        let outcome = run.train(stop, &mut |_| {})?;
        return Ok(if outcome.finished { ExitCode::SUCCESS } else { ExitCode::from(STOPPED) });
    }
    if !run.ended() {
        record_session(&run, engine)?;
    }
    let folder = run.folder().to_owned();
    let processes = run.task().group().map_or(1, |group| group.size());
    let (mut steps, iterations) = (run.total_steps(), !run.task().counts_epochs());
    let word = step_word(run.task());
    let mut pace = Pace::start(run.step());
    let mut told_stop = false;
    let trained = run.train(stop, &mut |event| match event {
        Event::Note(text) => progress.note(&text),
        Event::Warning(text) => progress.warning(&text),
        Event::BadImage(image) => {
            progress.warning(&format!("bad image replaced: {}: {} ({})", image.name, image.reason, image.detail))
        }
        Event::Saved(_) => {}
        Event::Step(at) => {
            pace.reach(at.step);
            steps = at.steps;
            let left = at.left.or_else(|| pace.left(at.steps - at.step));
            progress.update(&Snapshot {
                iterations,
                // In a file, the first step of an epoch has a line of its own.
                epoch: if iterations { 0 } else { at.epoch },
                epochs: at.epochs,
                step: at.step,
                steps: at.steps,
                images_per_s: at.metrics.get(&general::IMAGES_PER_S).unwrap_or(0.0),
                eta_s: left.map(|left| left.as_secs_f64()),
                rows: rows(at.metrics, at.evaluated.filter(|&evaluated| evaluated < at.step), word),
            });
            if stop.requested() && !told_stop {
                told_stop = true;
                progress
                    .note("stopping after this step and saving a checkpoint; press Ctrl-C again to quit immediately");
            }
        }
    });
    progress.finish();
    let outcome: TrainOutcome = trained?;
    let run = shell_word(&folder);
    // First: where the page cannot be written, for example on a full disk, the outcome is known nevertheless.
    let printed = match printed {
        Printed::Json => print_json(&Summary {
            run: &folder.display().to_string(),
            finished: outcome.finished,
            step: outcome.step,
            steps,
            checkpoint: outcome.checkpoint.display().to_string(),
            elapsed_s: outcome.elapsed_s,
        }),
        Printed::Folder => print_line(&folder.display().to_string()),
        Printed::Nothing => Ok(()),
    };
    let page = match outcome.trained {
        // A run that had ended stays as it is.
        0 if outcome.finished && RunFolder::page_path(&folder).exists() => RunFolder::page_path(&folder),
        _ => mochi_report::write_page(&folder)?,
    };
    printed?;
    let say = |text: String| write_stderr(&printable(&text));
    if !outcome.finished {
        say(format!("stopped at {word} {} of {steps}, saved in {}", outcome.step, outcome.checkpoint.display()));
        let command = match processes {
            1 => format!("`mochi resume {run}`"),
            _ => resume_command(&run, processes),
        };
        say(format!("hint: continue it with {command}"));
        return Ok(ExitCode::from(STOPPED));
    }
    say(format!("{} in {}; report: {}", counted(outcome.step, word), duration(outcome.elapsed_s), page.display()));
    if let Some(suggestion) = suggestion(&MetricsLog::read(&RunFolder::read(&folder)?.metrics_path())?) {
        say(format!("evaluation during training: {suggestion}"));
    }
    say(format!("next: {}", next(&run)));
    Ok(ExitCode::SUCCESS)
}

/// What people call a step of the task.
pub fn step_word<T: Task>(task: &T) -> &'static str {
    if task.counts_epochs() { "step" } else { "iteration" }
}

/// The values that the table of metrics shows in the progress display, by row. Those of an evaluation after an `earlier` step are shown with that step.
fn rows(metrics: &Metrics, earlier: Option<u64>, word: &'static str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for metric in metric::all() {
        let (Some(place), Some(value)) = (metric.terminal, metrics.get(metric)) else { continue };
        let cell = Cell { label: place.label, value: metric.format(value), warn: value > place.warn_above };
        match rows.iter_mut().find(|row| row.name == place.row) {
            Some(row) => row.cells.push(cell),
            None => rows.push(Row { name: place.row, cells: vec![cell] }),
        }
    }
    if let (Some(step), Some(row)) = (earlier, rows.iter_mut().find(|row| row.name == metric::EVALUATION_ROW)) {
        row.cells.push(Cell { label: "after", value: format!("{word} {step}"), warn: false });
    }
    rows
}

/// What to do with a pre-trained encoder.
pub fn evaluate_encoder(run: &str) -> String {
    format!("mochi eval all {run} --train DIR --test DIR   (class folders)")
}

#[cfg(test)]
mod tests {
    use mochi_run::metric::online;

    use super::{Metrics, rows, without_secrets};

    #[test]
    fn values_of_an_earlier_evaluation_are_shown_with_its_step() {
        let metrics = Metrics::new().with(&online::ONLINE_KNN, 0.5);
        let shown = |earlier| -> Vec<(&str, String)> {
            let row = rows(&metrics, earlier, "step").pop().unwrap();
            row.cells.into_iter().map(|cell| (cell.label, cell.value)).collect()
        };
        assert_eq!(shown(None), [("k-NN", "50 %".to_owned())]);
        assert_eq!(shown(Some(20)), [("k-NN", "50 %".to_owned()), ("after", "step 20".to_owned())]);
    }

    #[test]
    fn addresses_in_the_recorded_command_have_no_secrets() {
        let cases = [
            ("https://host/a.tar?X-Amz-Signature=abc", "https://host/a.tar?X-Amz-Signature=***"),
            ("--also=https://me:secret@host/a.tar", "--also=https://***"),
            ("epochs=3", "epochs=3"),
            ("photos/a=b", "photos/a=b"),
        ];
        for (given, kept) in cases {
            assert_eq!(without_secrets(given), kept);
        }
    }
}
