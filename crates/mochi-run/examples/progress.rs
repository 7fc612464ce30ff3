//! What progress looks like: `cargo run -p mochi-run --example progress`, and the same with `2>&1 | cat`. With a
//! folder as its argument it also leaves TensorBoard events and metrics there.

use std::thread::sleep;
use std::time::{Duration, Instant};

use mochi_run::{EventWriter, MetricsLog, Progress, RunError, Snapshot, StepRecord, StopFlag};

fn main() -> Result<(), RunError> {
    let stop = StopFlag::listen()?;
    let progress = Progress::detect();
    let folder = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let mut logs = match &folder {
        Some(folder) => Some((EventWriter::create(folder)?, MetricsLog::create(&folder.join("metrics.jsonl"))?)),
        None => None,
    };
    let started = Instant::now();
    let (epochs, steps) = (4, 200);
    for step in 1..=steps {
        sleep(Duration::from_millis(15));
        let share = step as f64 / steps as f64;
        let elapsed = started.elapsed().as_secs_f64();
        let mixing = step > 50;
        let snapshot = Snapshot {
            phase: if mixing { "MoCHi (256, 256, 64)" } else { "warm-up, no synthesis" }.to_owned(),
            epoch: (step - 1) * epochs / steps,
            epochs,
            step,
            steps,
            images_per_s: step as f64 * 256.0 / elapsed,
            eta_s: Some(elapsed / share * (1.0 - share)),
            loss: 8.5 - 3.0 * share,
            loss_ceiling: if mixing { 8.36 } else { 8.32 },
            queue_fill: (share * 5.0).min(1.0),
            accuracy_real: share * 0.8,
            accuracy_with_synthetic: mixing.then_some(share * 0.4),
            data_wait_share: 0.15 - 0.14 * share,
            learning_rate: 0.06 * (1.0 - share),
        };
        progress.update(&snapshot);
        if let Some((events, metrics)) = &mut logs {
            let (loss, accuracy_real) = (Some(snapshot.loss), Some(snapshot.accuracy_real));
            let record = StepRecord { step, loss, accuracy_real, ..Default::default() };
            events.append(&record)?;
            metrics.append(&record)?;
        }
        if step == 80 {
            progress.warning("photos/cat.jpg: not an image, replaced by the next");
            progress.hint("`mochi doctor` looks at the data too");
        }
        if stop.requested() {
            progress.note("stopping");
            break;
        }
    }
    progress.finish();
    let mut task = progress.task("k-NN: features", 300);
    for _ in 0..300 {
        sleep(Duration::from_millis(5));
        task.advance(1);
    }
    task.finish();
    Ok(())
}
