//! `cargo xtask bench step|data|detect|coco|ranks`: speed of Mochi compared with other libraries. The programs run interleaved over several rounds, so that other load
//! on the machine affects all of them. Reports medians and ratios.

mod coco;
mod data;
mod detect;
mod ranks;
mod step;

use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::table::aligned;

/// The command: `bench step|data|detect|coco|ranks [options]`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let what = match arguments.next()? {
        Some(lexopt::Arg::Value(value)) => value.to_string_lossy().into_owned(),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => "help".to_owned(),
        Some(other) => return Err(other.unexpected().into()),
        None => String::new(),
    };
    match what.as_str() {
        "step" => step::run(place, arguments),
        "data" => data::run(place, arguments),
        "detect" => detect::run(place, arguments),
        "coco" => coco::run(place, arguments),
        "ranks" => ranks::run(place, arguments),
        "help" => {
            print!("{}\n{}\n{}\n{}\n{}", step::HELP, data::HELP, detect::HELP, coco::HELP, ranks::HELP);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::new("expected what to measure: step, data, detect, coco or ranks")
            .hint("cargo xtask bench --help")),
    }
}

fn say(line: &str) {
    eprintln!("bench: {line}");
}

/// Warns if the machine is busy. PyTorch's threads spin while they wait for each other, so other load on the same cores slows it down a lot.
fn warn_of_company() {
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let Some(load) = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()) else { return };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // The load includes the build that has just finished, so a load below half of the cores is accepted.
    if load > 0.5 * cores as f64 {
        say(&format!(
            "warning: this machine is busy (load {load:.1} on {cores} cores); the results will not be reliable"
        ));
    }
}

/// Runs a program and returns the JSON objects on its stdout, one per line. Other lines are ignored.
fn json_lines(command: &mut Command) -> Outcome<Vec<Value>> {
    command.stderr(Stdio::inherit());
    let output = command.output().map_err(|error| command::not_started(command, &error))?;
    if !output.status.success() {
        let name = command.get_program().to_string_lossy().into_owned();
        return Err(Failure::new(format!("{name} exited with {}", output.status)).hint("see its output above"));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect())
}

/// A program under test, with its images per second in each round and its last JSON line.
struct Contestant {
    name: &'static str,
    images_per_s: Vec<f64>,
    last: Value,
}

impl Contestant {
    fn new(name: &'static str) -> Contestant {
        Contestant { name, images_per_s: Vec::new(), last: Value::Null }
    }

    /// Adds the result of one round, whose `images_per_s` is read.
    fn take(&mut self, line: Option<Value>) -> Outcome<()> {
        let line = line.unwrap_or_default();
        match line["images_per_s"].as_f64() {
            Some(rate) if rate > 0.0 => {
                self.images_per_s.push(rate);
                self.last = line;
                Ok(())
            }
            _ => Err(Failure::new(format!("the output of {} has no images_per_s", self.name))),
        }
    }

    /// Result of the last round as text.
    fn latest(&self) -> String {
        format!("{} {:.2} images/s", self.name, self.images_per_s.last().copied().unwrap_or(f64::NAN))
    }

    fn median(&self) -> f64 {
        median(&self.images_per_s)
    }

    fn json(&self) -> Value {
        json!({ "images_per_s": self.median(), "rounds": self.images_per_s, "last": self.last })
    }
}

/// Median: the middle value, or the mean of the two middle values.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.get(sorted.len() / 2)) {
        (count, Some(&upper)) if count % 2 == 0 => (sorted[count / 2 - 1] + upper) / 2.0,
        (_, middle) => middle.copied().unwrap_or(f64::NAN),
    }
}

/// Table of medians, extremes and ratios; a ratio of 1 is left blank.
fn table(heading: &str, ratio_heading: &str, all: &[&Contestant], ratio: impl Fn(&Contestant) -> f64) -> String {
    let mut rows = vec![[heading, "images/s", "lowest", "highest", ratio_heading].map(str::to_owned).to_vec()];
    for one in all {
        let lowest = one.images_per_s.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = one.images_per_s.iter().copied().fold(0.0, f64::max);
        let ratio = match ratio(one) {
            1.0 => String::new(),
            ratio => format!("{ratio:.2}x"),
        };
        let figures = [one.median(), lowest, highest].map(|rate| format!("{rate:.2}"));
        rows.push([vec![one.name.to_owned()], figures.to_vec(), vec![ratio]].concat());
    }
    aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn json_lines_are_found_among_others() {
        let mut said = Command::new("sh");
        said.args(["-c", "echo hello; echo '{\"images_per_s\": 2.5}'; echo 7; echo"]);
        let lines = json_lines(&mut said).expect("sh runs");
        let mut one = Contestant::new("one");
        one.take(lines.into_iter().next()).expect("timed");
        assert_eq!(one.median(), 2.5);
        assert!(one.take(None).expect_err("nothing said").to_string().contains("has no images_per_s"));
        assert!(json_lines(Command::new("sh").args(["-c", "echo '{\"images_per_s\": 2.5}'; exit 1"])).is_err());
    }

    #[test]
    fn the_table_leaves_a_ratio_of_one_away() {
        let (mut slow, mut fast) = (Contestant::new("slow"), Contestant::new("fast"));
        slow.take(Some(json!({ "images_per_s": 2.0 }))).expect("timed");
        fast.take(Some(json!({ "images_per_s": 9.0 }))).expect("timed");
        let told = table("here", "fast is", &[&slow, &fast], |one| fast.median() / one.median());
        assert_eq!(
            told,
            "here   images/s   lowest   highest   fast is\nslow       2.00     2.00      2.00     4.50x\nfast       9.00     9.00      9.00\n"
        );
    }
}
