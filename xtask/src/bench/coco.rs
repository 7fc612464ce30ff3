//! `cargo xtask bench coco`: COCO's average precision on a generated case of the size of val2017, with pycocotools and with Mochi on one and on
//! two threads. Timed is everything from the files to the twelve numbers, of Mochi with the start of the program; a run of Mochi
//! that is not timed comes before. The numbers must be equal.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Contestant, json_lines, say, table, warn_of_company};
use crate::cargo::build_release;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;

pub(super) const HELP: &str = "\
cargo xtask bench coco [options]

    --images N       number of images, with 100 detections each (5000)
    --rounds N       number of interleaved rounds (1)
    --python PATH    use this interpreter (with pycocotools) instead of making an environment
    --json           print one JSON object to stdout
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    images: u32,
    rounds: usize,
    python: Option<PathBuf>,
    json: bool,
}

impl Options {
    /// `None` if help was requested.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut options = Options { images: 5000, rounds: 1, python: None, json: false };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("images") => options.images = arguments.value()?.parse()?,
                Long("rounds") => options.rounds = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.rounds == 0 || options.images == 0 {
            return Err(Failure::new("--rounds and --images must be at least 1"));
        }
        Ok(Some(options))
    }
}

/// Runs `bench coco`.
pub(super) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::with_pycocotools(place, options.python.clone())?;
    let program = build_release(place, "mochi")?;
    let script = place.root().join("xtask/peers/coco_ap.py");
    let folder = place.private().join("bench").join(format!("coco-{}", options.images));
    say(&format!("reference script {}, run by {}", script.display(), peer.program().display()));
    say(&format!("making {} once, which takes a minute", place.short(&folder)));
    let mut make = peer.command();
    make.arg(&script).arg("make").arg(&folder).args(["--images", &options.images.to_string()]);
    if !command::status(&mut make)?.success() {
        return Err(Failure::new("the case cannot be made").hint("see the output above"));
    }
    warn_of_company();

    let mut answers = Vec::new();
    for kind in ["box", "mask"] {
        let mut theirs = Contestant::new("pycocotools");
        let (mut one, mut two) = (Contestant::new("mochi, one thread"), Contestant::new("mochi, two threads"));
        for round in 1..=options.rounds {
            let mut python = peer.command();
            python.arg(&script).arg("time").arg(&folder).args(["--type", kind]);
            let line = json_lines(&mut python)?.pop().unwrap_or_default();
            let wanted = line["numbers"].clone();
            theirs.take(Some(rated(line["seconds"].as_f64().unwrap_or(0.0), &options)))?;
            say(&format!("{kind}, round {round} of {}: {}", options.rounds, theirs.latest()));
            // Untimed: on a virtual machine, the next program waits up to a second for the gigabytes that Python has returned to the host.
            ours(&program, &folder, kind, "2")?;
            for (contestant, threads) in [(&mut one, "1"), (&mut two, "2")] {
                let (seconds, numbers) = ours(&program, &folder, kind, threads)?;
                if let Some(name) = first_difference(&wanted, &numbers) {
                    let what =
                        format!("{name} of {kind} is {}, but {} with pycocotools", numbers[&name], wanted[&name]);
                    return Err(Failure::new(what).hint("this is a defect, please report it"));
                }
                contestant.take(Some(rated(seconds, &options)))?;
                say(&format!("{kind}, round {round} of {}: {}", options.rounds, contestant.latest()));
            }
        }
        let heading = format!("AP of {kind}, {} images, equal numbers", options.images);
        eprintln!("\n{}", table(&heading, "one thread is", &[&theirs, &one, &two], |c| one.median() / c.median()));
        answers.push(json!({
            "type": kind, "pycocotools": theirs.json(), "mochi": one.json(), "mochi_two_threads": two.json(),
            "times_pycocotools": one.median() / theirs.median(),
            "two_threads_times_pycocotools": two.median() / theirs.median(),
        }));
    }
    if options.json {
        println!("{}", json!({ "images": options.images, "rounds": options.rounds, "results": answers }));
    }
    Ok(ExitCode::SUCCESS)
}

/// The result of a round in the form that [`Contestant::take`] reads.
fn rated(seconds: f64, options: &Options) -> Value {
    json!({ "images_per_s": f64::from(options.images) / seconds, "seconds": seconds })
}

/// Seconds of the whole program, and its numbers.
fn ours(program: &Path, folder: &Path, kind: &str, threads: &str) -> Outcome<(f64, Value)> {
    let mut mochi = Command::new(program);
    mochi.args(["eval", "coco"]).arg(folder.join("gt.json")).arg(folder.join(format!("{kind}.json")));
    mochi.args(["--type", kind, "--json"]).env("RAYON_NUM_THREADS", threads);
    let start = Instant::now();
    let lines = json_lines(&mut mochi)?;
    Ok((start.elapsed().as_secs_f64(), lines.into_iter().next_back().unwrap_or_default()))
}

/// The name of the first number that is missing or differs by more than 1e-9.
fn first_difference(theirs: &Value, ours: &Value) -> Option<String> {
    let Some(numbers) = theirs.as_object().filter(|numbers| !numbers.is_empty()) else {
        return Some("AP".to_owned());
    };
    let equal = |name: &str, theirs: &Value| match (theirs.as_f64(), ours[name].as_f64()) {
        (Some(theirs), Some(ours)) => (theirs - ours).abs() <= 1e-9,
        _ => false,
    };
    numbers.iter().find(|(name, value)| !equal(name, value)).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_val2017s_values() {
        let none: [&str; 0] = [];
        let plain = Options::read(lexopt::Parser::from_args(none)).expect("read").expect("no help");
        assert_eq!((plain.images, plain.rounds, plain.json), (5000, 1, false));
        assert!(Options::read(lexopt::Parser::from_args(["--images", "0"])).is_err());
        assert!(Options::read(lexopt::Parser::from_args(["--help"])).expect("read").is_none());
    }

    #[test]
    fn differences_are_named() {
        let theirs = json!({ "AP": 0.5, "AP50": -1.0 });
        assert_eq!(first_difference(&theirs, &json!({ "AP": 0.5, "AP50": -1.0, "more": 1 })), None);
        assert_eq!(first_difference(&theirs, &json!({ "AP": 0.5, "AP50": 0.0 })).as_deref(), Some("AP50"));
        assert_eq!(first_difference(&theirs, &json!({ "AP50": -1.0 })).as_deref(), Some("AP"));
        assert!(first_difference(&Value::Null, &theirs).is_some());
    }
}
