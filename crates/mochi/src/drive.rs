//! Training with somebody watching: shared by `pretrain` and `resume`.

use std::process::ExitCode;

use mochi_run::{Progress, Snapshot, StopFlag};
use mochi_train::{Event, Outcome as TrainOutcome, Pretraining};
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Status after a stop signal: the run is saved and can be resumed.
const STOPPED: u8 = 130;

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

/// Trains to the end or to a stop signal, shows progress, writes the report page.
pub fn drive(run: Pretraining, stop: &StopFlag, progress: &Progress, json: bool) -> Outcome {
    let folder = run.folder().to_owned();
    let epochs = run.settings().epochs;
    let steps = run.total_steps();
    let begun_at = run.step();
    let begun = std::time::Instant::now();
    let mut told_stop = false;
    let trained = run.train(stop, &mut |event| match event {
        Event::Note(text) => progress.note(&text),
        Event::BadImage(image) => {
            progress.warning(&format!("{} is left out: {} ({})", image.name, image.reason, image.detail))
        }
        Event::Saved(_) => {}
        Event::Step { step, steps, epoch, now, .. } => {
            let per_step = begun.elapsed().as_secs_f64() / (step - begun_at).max(1) as f64;
            progress.update(&Snapshot {
                phase: "pre-training".to_owned(),
                epoch: u64::from(epoch),
                epochs: u64::from(epochs),
                step,
                steps,
                images_per_s: now.images_per_s.unwrap_or(0.0),
                eta_s: Some(per_step * (steps - step) as f64),
                loss: now.loss.unwrap_or(f64::NAN),
                loss_ceiling: now.loss_ceiling.unwrap_or(f64::NAN),
                queue_fill: now.queue_fill.unwrap_or(0.0),
                accuracy_real: now.accuracy_real.unwrap_or(0.0),
                accuracy_with_synthetic: now
                    .pair_similarity
                    .or(now.query_mix_similarity)
                    .and(now.accuracy_with_synthetic),
                data_wait_share: now.data_wait_share.unwrap_or(0.0),
                learning_rate: now.learning_rate.unwrap_or(0.0),
            });
            if stop.requested() && !told_stop {
                told_stop = true;
                progress.note("stopping: this step is saved; a second signal leaves at once");
            }
        }
    });
    progress.finish();
    let outcome: TrainOutcome = trained?;
    let page = mochi_report::write_page(&folder)?;
    let run = folder.display().to_string();
    if json {
        let checkpoint = outcome.checkpoint.display().to_string();
        print_json(&Summary {
            run: &run,
            finished: outcome.finished,
            step: outcome.step,
            steps,
            checkpoint,
            elapsed_s: outcome.elapsed_s,
        })?;
    } else {
        print_line(&run);
    }
    if !outcome.finished {
        eprintln!("stopped at step {} of {steps}, saved in {}", outcome.step, outcome.checkpoint.display());
        eprintln!("hint: go on with `mochi resume {run}`");
        return Ok(ExitCode::from(STOPPED));
    }
    eprintln!("{} steps in {}; report: {}", outcome.step, duration(outcome.elapsed_s), page.display());
    eprintln!("next: mochi eval knn {run} --train DIR --test DIR   (class folders)");
    Ok(ExitCode::SUCCESS)
}

/// "8 min 05 s"
fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}
