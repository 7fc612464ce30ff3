//! `cargo xtask bench step`: one MoCo-v2 training step, PyTorch's as it is commonly shipped, PyTorch's tuned, and ours, in turn over
//! some rounds of one run, so that whatever else the machine does falls on all three alike. Medians and ratios.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

use crate::cargo::build_release;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;
use crate::table;

const HELP: &str = "\
cargo xtask bench step [options] [-- options of `mochi bench step`]

    --arch NAME      network (resnet50)
    --batch N        images a step (16)
    --size N         their side in pixels (224)
    --rounds N       how often each one runs, in turn (3)
    --steps N        timed steps of PyTorch a round, after two that are not timed (5)
    --python PATH    use this interpreter (with torch and torchvision) instead of making an environment
    --json           one JSON object on stdout
";

/// What the verb was asked.
#[derive(Debug)]
struct Options {
    arch: String,
    batch: u32,
    size: u32,
    rounds: usize,
    steps: u32,
    python: Option<PathBuf>,
    json: bool,
    /// For `mochi bench step` as they are.
    more: Vec<std::ffi::OsString>,
}

impl Options {
    /// None where help was asked for.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut options = Options {
            arch: "resnet50".to_owned(),
            batch: 16,
            size: 224,
            rounds: 3,
            steps: 5,
            python: None,
            json: false,
            more: Vec::new(),
        };
        let mut what = None;
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("arch") => options.arch = arguments.value()?.string()?,
                Long("batch") => options.batch = arguments.value()?.parse()?,
                Long("size") => options.size = arguments.value()?.parse()?,
                Long("rounds") => options.rounds = arguments.value()?.parse()?,
                Long("steps") => options.steps = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                Value(value) if what.is_none() => what = Some(value.string()?),
                Value(value) => options.more.push(value),
                other => return Err(other.unexpected().into()),
            }
        }
        if what.as_deref() != Some("step") {
            return Err(Failure::new("bench takes what to time: step").hint("cargo xtask bench step"));
        }
        if options.rounds == 0 || options.steps == 0 || options.batch == 0 {
            return Err(Failure::new("--rounds, --steps and --batch are counts from 1"));
        }
        Ok(Some(options))
    }
}

/// The verb: `bench step [options]`.
pub(crate) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::find(place, options.python.clone())?;
    let ours_program = build_release(place, "mochi")?;
    let script =
        place.shared("reference/step_reference.py").unwrap_or_else(|| place.root().join("xtask/peers/moco_step.py"));
    say(&format!("PyTorch's step: {}, run by {}", script.display(), peer.program().display()));

    warn_of_company();

    let theirs = |mode: &str| {
        let mut python = peer.command();
        python.arg(&script).args(["--arch", &options.arch, "--mode", mode]);
        python.args(["--batch", &options.batch.to_string(), "--size", &options.size.to_string()]);
        python.args(["--steps", &options.steps.to_string()]);
        python
    };
    let ours = || {
        let mut mochi = Command::new(&ours_program);
        mochi.args(["bench", "step", "--json", "--arch", &options.arch]);
        mochi.args(["--batch", &options.batch.to_string(), "--size", &options.size.to_string()]).args(&options.more);
        mochi
    };

    let mut contestants =
        [Contestant::new("PyTorch as shipped"), Contestant::new("PyTorch tuned"), Contestant::new("mochi")];
    for round in 1..=options.rounds {
        for (index, contestant) in contestants.iter_mut().enumerate() {
            let mut command = match index {
                0 => theirs("as-shipped"),
                1 => theirs("tuned"),
                _ => ours(),
            };
            contestant.time(&mut command)?;
            say(&format!(
                "round {round} of {}: {} {:.2} images/s",
                options.rounds,
                contestant.name,
                contestant.latest()
            ));
        }
    }
    let [shipped, tuned, mochi] = &contestants;
    eprintln!("\n{}", table(&options, &contestants));
    if options.json {
        println!(
            "{}",
            json!({
                "arch": options.arch, "batch": options.batch, "size": options.size, "rounds": options.rounds,
                "script": script.file_name().map(|name| name.to_string_lossy().into_owned()),
                "as_shipped": shipped.json(), "tuned": tuned.json(), "mochi": mochi.json(),
                "times_as_shipped": mochi.median() / shipped.median(),
                "times_tuned": mochi.median() / tuned.median(),
            })
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) {
    eprintln!("bench: {line}");
}

/// PyTorch's threads wait for each other by spinning, so company on the same cores costs it many times its share.
fn warn_of_company() {
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let Some(load) = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()) else { return };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Our own build just before counts in, which is why less than half the machine passes.
    if load > 0.5 * cores as f64 {
        say(&format!(
            "warning: this machine is busy (load {load:.1} on {cores} cores), and the figures will tell more of that than of the step"
        ));
    }
}

/// One of those timed, with its images per second in each round and what else its last JSON line says.
struct Contestant {
    name: &'static str,
    images_per_s: Vec<f64>,
    last: Value,
}

impl Contestant {
    fn new(name: &'static str) -> Contestant {
        Contestant { name, images_per_s: Vec::new(), last: Value::Null }
    }

    /// Runs it once and reads `images_per_s` from the JSON line on its stdout.
    fn time(&mut self, command: &mut Command) -> Outcome<()> {
        command.stderr(Stdio::inherit());
        let output = command.output().map_err(|error| command::not_started(command, &error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let last: Value = said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
        match last["images_per_s"].as_f64() {
            Some(rate) if output.status.success() && rate > 0.0 => {
                self.images_per_s.push(rate);
                self.last = last;
                Ok(())
            }
            _ => Err(Failure::new(format!("{} ended with {} and no images_per_s", self.name, output.status))
                .hint("its own words stand above")),
        }
    }

    fn latest(&self) -> f64 {
        self.images_per_s.last().copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        median(&self.images_per_s)
    }

    fn json(&self) -> Value {
        json!({ "images_per_s": self.median(), "rounds": self.images_per_s, "last": self.last })
    }
}

/// The middle value; the mean of the two middle ones where their count is even.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.get(sorted.len() / 2)) {
        (count, Some(&upper)) if count % 2 == 0 => (sorted[count / 2 - 1] + upper) / 2.0,
        (_, middle) => middle.copied().unwrap_or(f64::NAN),
    }
}

fn table(options: &Options, contestants: &[Contestant; 3]) -> String {
    let heading = format!("{}, {} px, batch {}", options.arch, options.size, options.batch);
    let mut rows = vec![[heading.as_str(), "images/s", "lowest", "highest", "mochi is"].map(str::to_owned).to_vec()];
    let [.., mochi] = contestants;
    for one in contestants {
        let lowest = one.images_per_s.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = one.images_per_s.iter().copied().fold(0.0, f64::max);
        let ratio =
            if one.name == mochi.name { String::new() } else { format!("{:.2}x", mochi.median() / one.median()) };
        let figures = [one.median(), lowest, highest].map(|rate| format!("{rate:.2}"));
        rows.push([vec![one.name.to_owned()], figures.to_vec(), vec![ratio]].concat());
    }
    table::aligned(&rows)
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
    fn a_contestants_json_line_is_found_among_others() {
        let mut one = Contestant::new("one");
        one.time(Command::new("sh").args(["-c", "echo hello; echo '{\"images_per_s\": 2.5}'; echo"])).expect("timed");
        assert_eq!(one.latest(), 2.5);
        let refused = one.time(Command::new("sh").args(["-c", "echo '{\"images_per_s\": 2.5}'; exit 1"]));
        assert!(refused.expect_err("it failed").to_string().contains("no images_per_s"));
    }

    #[test]
    fn options_have_the_issues_values() {
        let none: [&str; 0] = [];
        assert!(Options::read(lexopt::Parser::from_args(none)).is_err());
        let read = |list: &[&str]| Options::read(lexopt::Parser::from_args(list)).expect("read").expect("no help");
        let plain = read(&["step"]);
        assert_eq!((plain.arch.as_str(), plain.batch, plain.size), ("resnet50", 16, 224));
        let set = read(&["step", "--batch=8", "--json", "--", "--precision", "float32"]);
        assert_eq!((set.batch, set.json, set.more.len()), (8, true, 2));
    }
}
