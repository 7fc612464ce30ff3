use indicatif::TermLike;

use super::*;

/// What was written, kept for the assertions.
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

/// A terminal of 100 columns: its rows and the row of the cursor.
#[derive(Clone, Debug, Default)]
struct Screen(Arc<Mutex<(Vec<String>, usize)>>);

impl Screen {
    fn at(&self, act: impl FnOnce(&mut Vec<String>, &mut usize)) -> io::Result<()> {
        let (rows, row) = &mut *self.0.lock().unwrap();
        act(rows, row);
        if rows.len() <= *row {
            rows.resize(*row + 1, String::new());
        }
        Ok(())
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().0.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.at(|_, row| *row = row.saturating_sub(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.at(|_, row| *row += n)
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.at(|_, row| *row += 1)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        for (i, part) in text.split('\n').enumerate() {
            self.at(|_, row| *row += usize::from(i > 0))?;
            // As on a real terminal, a character after the last column goes to the next row.
            for c in part.trim_start_matches('\r').chars() {
                self.at(|rows, row| {
                    if rows.get(*row).is_some_and(|line| line.chars().count() >= usize::from(self.width())) {
                        *row += 1;
                    }
                })?;
                self.at(|rows, row| {
                    if let Some(line) = rows.get_mut(*row) {
                        line.push(c);
                    }
                })?;
            }
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.at(|rows, row| {
            if let Some(line) = rows.get_mut(*row) {
                line.clear();
            }
        })
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn lines() -> (Progress, Sink) {
    let sink = Sink::default();
    (Progress::to(Target::Lines, false, ProgressDrawTarget::hidden(), Box::new(sink.clone())), sink)
}

fn terminal() -> (Progress, Screen) {
    let screen = Screen::default();
    let draw = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    (Progress::to(Target::Terminal, false, draw, Box::new(io::sink())), screen)
}

fn snapshot() -> Snapshot {
    Snapshot {
        iterations: false,
        epoch: 2,
        epochs: 200,
        step: 120,
        steps: 12_000,
        images_per_s: 151.6,
        eta_s: Some(20_044.0),
        rows: vec![
            row("loss", &[("", "6.812"), ("chance", "8.318")]),
            row("accuracy", &[("", "43 %"), ("with synthetic", "5.1 %")]),
            row("data", &[("wait", "2.1 %")]),
        ],
    }
}

fn row(name: &'static str, cells: &[(&'static str, &str)]) -> Row {
    let cell = |&(label, value): &(&'static str, &str)| Cell { label, value: value.to_owned(), warn: false };
    Row { name, cells: cells.iter().map(cell).collect() }
}

#[test]
fn lines_for_a_file_are_plain_and_rare() {
    let (progress, sink) = lines();
    for step in 120..130 {
        progress.update(&Snapshot { step, ..snapshot() });
    }
    progress.update(&Snapshot { epoch: 3, step: 180, eta_s: None, ..snapshot() });
    assert_eq!(
        sink.text(),
        "epoch 3/200 step 120/12000 | 152 images/s | loss 6.812, chance 8.318 | accuracy 43 %, with synthetic 5.1 % | \
         data wait 2.1 % | 5h 34m left\n\
         epoch 4/200 step 180/12000 | 152 images/s | loss 6.812, chance 8.318 | accuracy 43 %, with synthetic 5.1 % | \
         data wait 2.1 %\n"
    );
}

#[test]
fn the_block_fits_any_width() {
    for width in 1..200 {
        for line in block::render(&snapshot(), width, true).lines() {
            assert!(console::measure_text_width(line) <= width, "width {width}: {line:?}");
            assert!(!console::strip_ansi_codes(line).contains('\x1b'), "a torn control sequence: {line:?}");
        }
    }
}

#[test]
fn the_block_shows_every_value_and_color_only_where_wanted() {
    assert!(block::render(&snapshot(), 80, true).contains('\x1b'));
    let block = block::render(&snapshot(), 80, false);
    assert!(!block.contains('\x1b'));
    let rows: Vec<&str> = block.lines().collect();
    assert_eq!(rows[0], "epoch 3/200  step 120/12000");
    assert!(rows[1].starts_with('─') && rows[1].ends_with(" 1.0 %  152 images/s  5h 34m left"), "{}", rows[1]);
    assert_eq!(rows[2], "loss      6.812  chance 8.318");
    assert_eq!(rows[3], "accuracy  43 %  with synthetic 5.1 %");
    assert_eq!(rows[4], "data      wait 2.1 %");
}

#[test]
fn a_warning_is_above_the_block_and_the_block_stays_at_the_end() {
    let (progress, screen) = terminal();
    progress.update(&snapshot());
    assert!(screen.text().starts_with("epoch 3/200  step 120/12000"), "{}", screen.text());
    progress.update(&Snapshot { step: 121, ..snapshot() });
    assert!(screen.text().contains("step 120/12000"), "too soon to draw again: {}", screen.text());
    progress.warning("cat.jpg is not an image");
    assert!(screen.text().starts_with("warning: cat.jpg is not an image\nepoch 3/200"), "{}", screen.text());
    progress.update(&Snapshot { step: 12_000, ..snapshot() });
    progress.finish();
    progress.note("done");
    let text = screen.text();
    assert!(text.contains("step 12000/12000") && !text.contains("step 120/"), "the last step is always drawn: {text}");
    assert!(text.ends_with("\ndone"), "{text}");
}

#[test]
fn a_task_ends_with_one_line() {
    let (progress, sink) = lines();
    let mut task = progress.task("k-NN: features", 200);
    for _ in 0..200 {
        task.advance(1);
    }
    task.finish();
    assert_eq!(sink.text(), "k-NN: features: 0/200\nk-NN: features: 200\n");
    let (progress, screen) = terminal();
    let mut task = progress.task("k-NN: features", 200);
    assert!(screen.text().starts_with("k-NN: features  ──"), "{}", screen.text());
    task.advance(200);
    task.finish();
    assert_eq!(screen.text(), "k-NN: features: 200");
}

#[test]
fn a_search_counts_without_an_end() {
    let (progress, sink) = lines();
    let mut task = progress.search("images found", 7, Instant::now());
    task.reach(9);
    task.finish();
    assert_eq!(sink.text(), "images found: 7 so far\nimages found: 9\n");
}

/// Security review S8: names of files steered the terminal.
#[test]
fn s8_no_text_steers_the_terminal() {
    let (progress, sink) = lines();
    let name = "x\u{1b}]0;OWNED\u{7}\u{1b}[2K\rall good\nerror: forged.png";
    progress.warning(name);
    progress.hint(name);
    progress.note(name);
    progress.task(name, 3).finish();
    let text = sink.text();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.lines().all(|line| !line.starts_with("error:")), "{text}");
}

#[test]
fn rates_and_fractions_have_the_digits_that_mean_something() {
    use super::snapshot::{percent, rate};
    assert_eq!([rate(3.12), rate(1834.2)], ["3.1", "1834"]);
    assert_eq!([percent(0.0), percent(0.004), percent(0.5), percent(1.0)], ["0 %", "0.4 %", "50 %", "100 %"]);
}

#[test]
fn iterations_have_no_epoch() {
    let snapshot = Snapshot { iterations: true, step: 30, steps: 400, images_per_s: 12.0, ..Snapshot::default() };
    assert!(line::render(&snapshot).starts_with("iteration 30/400 | "), "{}", line::render(&snapshot));
    assert!(block::render(&snapshot, 80, false).starts_with("iteration 30/400\n"));
}
