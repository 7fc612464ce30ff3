//! Training with progress on stderr: shared by `pretrain` and `resume`.

use std::process::ExitCode;

use mochi_files::shell_word;
use mochi_run::StepRecord;
use mochi_term::{Cell, Pace, Progress, Row, Snapshot, StopFlag, duration, printable, stop::STOPPED, write_stderr};
use mochi_train::{Event, Outcome as TrainOutcome, Pretraining};
use serde::Serialize;

use crate::failure::{Failure, Outcome, print_json, print_line};

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

/// Listens for stop signals: what waits for data ends at the first one.
pub fn listen() -> Outcome<StopFlag> {
    StopFlag::listen()
        .map_err(|e| Failure::new(format!("cannot listen for stop signals: {e}"), "this is a defect, please report it"))
}

/// Trains to the end or to a stop signal, shows progress, writes the report page.
pub fn drive(run: Pretraining, stop: &StopFlag, progress: &Progress, json: bool) -> Outcome {
    let folder = run.folder().to_owned();
    let epochs = run.settings().epochs;
    let steps = run.total_steps();
    let mut pace = Pace::start(run.step());
    let mut told_stop = false;
    let trained = run.train(stop, &mut |event| match event {
        Event::Note(text) => progress.note(&text),
        Event::BadImage(image) => {
            progress.warning(&format!("{} is left out: {} ({})", image.name, image.reason, image.detail))
        }
        Event::Saved(_) => {}
        Event::Step { step, steps, epoch, now, .. } => {
            pace.reach(step);
            progress.update(&Snapshot {
                phase: "pre-training".to_owned(),
                epoch: u64::from(epoch),
                epochs: u64::from(epochs),
                step,
                steps,
                images_per_s: now.images_per_s.unwrap_or(0.0),
                eta_s: pace.left(steps - step).map(|left| left.as_secs_f64()),
                rows: rows(now),
            });
            if stop.requested() && !told_stop {
                told_stop = true;
                progress.note("stopping: this step is saved; a second signal ends the process at once");
            }
        }
    });
    progress.finish();
    let outcome: TrainOutcome = trained?;
    let page = mochi_report::write_page(&folder)?;
    let run = shell_word(&folder);
    if json {
        print_json(&Summary {
            run: &folder.display().to_string(),
            finished: outcome.finished,
            step: outcome.step,
            steps,
            checkpoint: outcome.checkpoint.display().to_string(),
            elapsed_s: outcome.elapsed_s,
        })?;
    } else {
        print_line(&folder.display().to_string())?;
    }
    let say = |text: String| write_stderr(&printable(&text));
    if !outcome.finished {
        say(format!("stopped at step {} of {steps}, saved in {}", outcome.step, outcome.checkpoint.display()));
        say(format!("hint: continue it with `mochi resume {run}`"));
        return Ok(ExitCode::from(STOPPED));
    }
    say(format!("{} steps in {}; report: {}", outcome.step, duration(outcome.elapsed_s), page.display()));
    say(format!("next: mochi eval knn {run} --train DIR --test DIR   (class folders)"));
    Ok(ExitCode::SUCCESS)
}

/// The measurements of a step as rows of the progress display.
fn rows(now: &StepRecord) -> Vec<Row> {
    let percent = |fraction: f64| format!("{:.1} %", fraction * 100.0);
    let cell = |label, value: Option<String>| value.map(|value| Cell { label, value, warn: false });
    let synthetic = now.pair_similarity.or(now.query_mix_similarity).and(now.accuracy_with_synthetic);
    let waiting =
        now.data_wait_share.map(|fraction| Cell { label: "waiting", value: percent(fraction), warn: fraction > 0.1 });
    let rows = [
        (
            "loss",
            vec![
                cell("", now.loss.map(|loss| format!("{loss:.3}"))),
                cell("chance", now.loss_ceiling.map(|loss| format!("{loss:.3}"))),
                cell("lr", now.learning_rate.map(|rate| format!("{rate:.2e}"))),
            ],
        ),
        ("proxy", vec![cell("", now.accuracy_real.map(percent)), cell("with synthetic", synthetic.map(percent))]),
        ("data", vec![waiting, cell("queue filled", now.queue_fill.map(percent))]),
    ];
    rows.into_iter().map(|(name, cells)| Row { name, cells: cells.into_iter().flatten().collect() }).collect()
}
