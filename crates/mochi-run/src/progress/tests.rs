use super::*;

/// What was written, kept for looking at.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn progress(target: Target, width: fn() -> usize) -> (Progress, Sink) {
    let sink = Sink::default();
    (Progress::to(target, false, Box::new(sink.clone()), width), sink)
}

fn snapshot() -> Snapshot {
    Snapshot {
        phase: "MoCHi (1024, 1024, 128)".to_owned(),
        epoch: 2,
        epochs: 200,
        step: 120,
        steps: 12_000,
        images_per_s: 151.6,
        eta_s: Some(20_044.0),
        loss: 6.8123,
        loss_ceiling: 8.3181,
        queue_fill: 1.0,
        accuracy_real: 0.4312,
        accuracy_with_synthetic: Some(0.0512),
        data_wait_share: 0.021,
        learning_rate: 0.03,
    }
}

#[test]
fn lines_for_a_pipe_are_plain_and_rare() {
    let (progress, sink) = progress(Target::Lines, || 80);
    for step in 120..130 {
        progress.update(&Snapshot { step, ..snapshot() });
    }
    progress.update(&Snapshot { epoch: 3, step: 180, accuracy_with_synthetic: None, eta_s: None, ..snapshot() });
    assert_eq!(
        sink.text(),
        "epoch 3/200 step 120/12000 | 152 images/s | loss 6.812 of 8.318 | proxy accuracy 43 %, with synthetic 5.1 % | \
         queue 100 % | waiting for data 2.1 % | lr 3.00e-2 | 5h 34m left | MoCHi (1024, 1024, 128)\n\
         epoch 4/200 step 180/12000 | 152 images/s | loss 6.812 of 8.318 | proxy accuracy 43 % | queue 100 % | \
         waiting for data 2.1 % | lr 3.00e-2 | MoCHi (1024, 1024, 128)\n"
    );
}

#[test]
fn the_block_fits_any_width() {
    for width in 1..200 {
        for line in block::render(&snapshot(), width, true) {
            assert!(console::measure_text_width(&line) <= width, "width {width}: {line:?}");
            assert!(!console::strip_ansi_codes(&line).contains('\x1b'), "a torn control sequence: {line:?}");
        }
    }
}

#[test]
fn without_colour_there_is_none() {
    assert!(block::render(&snapshot(), 80, false).iter().all(|line| !line.contains('\x1b')));
    assert!(block::render(&snapshot(), 80, true).iter().any(|line| line.contains('\x1b')));
}

#[test]
fn the_block_says_what_was_promised() {
    let block = block::render(&snapshot(), 80, false);
    assert_eq!(block[0], "epoch 3/200  step 120/12000  MoCHi (1024, 1024, 128)");
    assert!(block[1].starts_with('─') && block[1].ends_with(" 1.0 %  152 images/s  5h 34m left"), "{}", block[1]);
    assert_eq!(block[2], "loss   6.812 of 8.318 at chance  lr 3.00e-2");
    assert_eq!(block[3], "proxy  43 %  with synthetic 5.1 %");
    assert_eq!(block[4], "queue  100 % filled  waiting for data 2.1 %");
}

#[test]
fn a_warning_stands_above_the_block_and_redraws_are_limited() {
    let (progress, sink) = progress(Target::Terminal, || 100);
    progress.update(&snapshot());
    let once = sink.text();
    progress.update(&Snapshot { step: 121, ..snapshot() });
    assert_eq!(sink.text(), once, "too soon to draw again");
    progress.warning("cat.jpg is not an image");
    let after = sink.text();
    let tail = &after[once.len()..];
    assert!(tail.starts_with("\r\x1b[5Awarning: cat.jpg is not an image\x1b[K\nepoch 3/200"), "{tail:?}");
    assert_eq!(once.matches('\n').count(), 5);
    progress.update(&Snapshot { step: 12_000, ..snapshot() });
    assert!(
        sink.text().ends_with("\x1b[J") && sink.text().contains("step 12000/12000"),
        "the last step is always drawn"
    );
}

#[test]
fn a_narrowed_terminal_is_cleared_of_all_rows() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static WIDTH: AtomicUsize = AtomicUsize::new(100);
    let (progress, sink) = progress(Target::Terminal, || WIDTH.load(Ordering::Relaxed));
    progress.update(&snapshot());
    WIDTH.store(30, Ordering::Relaxed);
    let before = sink.text().len();
    progress.update(&Snapshot { step: 12_000, ..snapshot() });
    let rows: usize =
        block::render(&snapshot(), 100, false).iter().map(|line| console::measure_text_width(line).div_ceil(30)).sum();
    assert!(rows > 5);
    assert!(sink.text()[before..].starts_with(&format!("\r\x1b[{rows}A")));
}

#[test]
fn a_task_ends_with_one_line() {
    let (progress, sink) = progress(Target::Lines, || 80);
    let mut task = progress.task("k-NN: features", 200);
    for _ in 0..200 {
        task.advance(1);
    }
    task.finish();
    assert_eq!(sink.text(), "k-NN: features: 0/200\nk-NN: features: 200 in 0s\n");
}

#[test]
fn a_search_counts_without_an_end() {
    let (progress, sink) = progress(Target::Lines, || 80);
    let mut task = progress.search("images found", 7, std::time::Instant::now());
    task.reach(9);
    task.finish();
    assert_eq!(sink.text(), "images found: 7 so far\nimages found: 9 in 0s\n");
}

#[test]
fn the_line_of_a_task_leaves_nothing_behind() {
    let (progress, sink) = progress(Target::Terminal, || 80);
    progress.task("k-NN: features", 0).finish();
    assert!(sink.text().ends_with("100 %\x1b[K\n\x1b[J\r\x1b[1A\x1b[Jk-NN: features: 0 in 0s\n"), "{:?}", sink.text());
}

#[test]
fn times_and_rates_read_well() {
    use super::snapshot::{duration, percent, rate};
    let said: Vec<String> = [4.4, 200.0, 7_500.0, 273_600.0, f64::NAN].into_iter().map(duration).collect();
    assert_eq!(said, ["4s", "3m 20s", "2h 05m", "3d 04h", "?"]);
    assert_eq!([rate(3.12), rate(1834.2)], ["3.1", "1834"]);
    assert_eq!([percent(0.0), percent(0.004), percent(0.5), percent(1.0)], ["0 %", "0.4 %", "50 %", "100 %"]);
}
