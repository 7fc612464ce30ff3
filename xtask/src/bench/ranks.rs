//! `cargo xtask bench ranks`: what training in several processes of this machine costs, in Mochi and with torch's DistributedDataParallel, interleaved over
//! several rounds. The overhead of a step is its time together minus its time alone.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use super::{json_lines, median, say, warn_of_company};
use crate::cargo::build_release;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;
use crate::table::aligned;

pub(super) const HELP: &str = "\
cargo xtask bench ranks [options]

    --processes LIST numbers of processes (2,4)
    --arch NAME      backbone (resnet18)
    --batch N        images of each process per step (16)
    --size N         view size in pixels (64)
    --rounds N       number of interleaved rounds (3)
    --steps N        timed steps of each kind per round, after two untimed ones (15)
    --python PATH    use this interpreter (with torch and torchvision) instead of making an environment
    --json           print one JSON object to stdout
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    processes: String,
    arch: String,
    batch: u32,
    size: u32,
    rounds: usize,
    steps: u32,
    python: Option<PathBuf>,
    json: bool,
}

impl Options {
    /// `None` if help was requested.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut options = Options {
            processes: "2,4".to_owned(),
            arch: "resnet18".to_owned(),
            batch: 16,
            size: 64,
            rounds: 3,
            steps: 15,
            python: None,
            json: false,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("processes") => options.processes = arguments.value()?.string()?,
                Long("arch") => options.arch = arguments.value()?.string()?,
                Long("batch") => options.batch = arguments.value()?.parse()?,
                Long("size") => options.size = arguments.value()?.parse()?,
                Long("rounds") => options.rounds = arguments.value()?.parse()?,
                Long("steps") => options.steps = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.rounds == 0 || options.steps == 0 || options.batch == 0 {
            return Err(Failure::new("--rounds, --steps and --batch must be at least 1"));
        }
        Ok(Some(options))
    }

    /// The options that both programs take.
    fn common(&self) -> Vec<String> {
        let (batch, size, steps) = (self.batch.to_string(), self.size.to_string(), self.steps.to_string());
        let words = ["--processes", &self.processes, "--arch", &self.arch, "--batch", &batch, "--size", &size];
        words.into_iter().chain(["--steps", &steps]).map(str::to_owned).collect()
    }
}

/// Runs `bench ranks`.
pub(super) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::find(place, options.python.clone())?;
    let program = build_release(place, "mochi")?;
    let script = place.root().join("xtask/peers/moco_ddp.py");
    say(&format!("reference script {}, run by {}", script.display(), peer.program().display()));
    warn_of_company();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        theirs.push(results(peer.command().arg(&script).args(options.common()))?);
        ours.push(results(Command::new(&program).args(["bench", "ranks", "--json"]).args(options.common()))?);
        say(&format!("round {round} of {} is done", options.rounds));
    }
    let mut rows = vec![
        ["processes", "program", "alone", "together", "overhead", "all-reduce", "hidden", "of DDP's overhead"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut compared = Vec::new();
    for at in 0..ours[0].len() {
        let of = |rounds: &[Vec<Value>], key: &str| {
            let values: Vec<f64> = rounds.iter().filter_map(|round| round.get(at)?[key].as_f64()).collect();
            median(&values)
        };
        let ratio = of(&ours, "overhead_s") / of(&theirs, "overhead_s");
        for (name, rounds) in [("PyTorch DDP", &theirs), ("mochi", &ours)] {
            let ms = |key: &str| format!("{:.1} ms", of(rounds, key) * 1e3);
            rows.push(vec![
                ours[0][at]["processes"].to_string(),
                name.to_owned(),
                ms("alone_s"),
                ms("step_s"),
                ms("overhead_s"),
                ms("all_reduce_s"),
                format!("{:.0} %", of(rounds, "hidden") * 100.0),
                if name == "mochi" { format!("{ratio:.2}x") } else { String::new() },
            ]);
        }
        compared.push(json!({ "processes": ours[0][at]["processes"], "overhead_of_ddps": ratio }));
    }
    eprintln!("\n{}", aligned(&rows));
    if options.json {
        println!("{}", json!({ "ddp": theirs, "mochi": ours, "compared": compared }));
    }
    Ok(ExitCode::SUCCESS)
}

/// The results of a program, one for each number of processes.
fn results(command: &mut Command) -> Outcome<Vec<Value>> {
    let line = json_lines(command)?.pop().unwrap_or_default();
    match line["results"].as_array() {
        Some(results) if !results.is_empty() => Ok(results.clone()),
        _ => Err(Failure::new(format!("the output of {} has no results", command.get_program().to_string_lossy()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_passed_to_both_programs() {
        let options =
            Options::read(lexopt::Parser::from_args(["--processes=2", "--batch=8"])).expect("read").expect("no help");
        let common = options.common().join(" ");
        assert_eq!(common, "--processes 2 --arch resnet18 --batch 8 --size 64 --steps 15");
        let echo = |text: &str| results(Command::new("echo").arg(text));
        assert_eq!(echo(r#"{"results": [{"processes": 2}]}"#).expect("results")[0]["processes"], 2);
        assert!(echo(r#"{"results": []}"#).is_err());
    }
}
