//! Shows the progress display: `cargo run -p mochi-term --example progress`, and the same with `2>&1 | cat`.

use std::thread::sleep;
use std::time::Duration;

use mochi_term::{Cell, Pace, Progress, Row, Snapshot, StopFlag};

fn main() -> std::io::Result<()> {
    let stop = StopFlag::listen()?;
    let progress = Progress::detect();
    let (epochs, steps) = (4, 200);
    let mut pace = Pace::start(0);
    for step in 1..=steps {
        sleep(Duration::from_millis(15));
        pace.reach(step);
        let done = step as f64 / steps as f64;
        let cell = |label, value: String| Cell { label, value, warn: false };
        progress.update(&Snapshot {
            iterations: false,
            epoch: (step - 1) * epochs / steps,
            epochs,
            step,
            steps,
            images_per_s: 256.0 / 0.015,
            eta_s: pace.left(steps - step).map(|left| left.as_secs_f64()),
            rows: vec![
                Row {
                    name: "loss",
                    cells: vec![cell("", format!("{:.3}", 8.5 - 3.0 * done)), cell("chance", "8.318".into())],
                },
                Row { name: "accuracy", cells: vec![cell("", format!("{:.0} %", done * 80.0))] },
            ],
        });
        if step == 80 {
            progress.warning("photos/cat.jpg is not an image; replaced by the next image");
            progress.hint("`mochi check` lists all unreadable images");
        }
        if stop.requested() {
            progress.note("stopping");
            break;
        }
    }
    progress.finish();
    Ok(())
}
