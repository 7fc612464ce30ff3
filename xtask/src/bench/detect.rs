//! `cargo xtask bench detect`: one training step (or detection) of torchvision's detector as shipped, in its best layout on this processor, and of Mochi's,
//! interleaved over several rounds. Reports medians, ratios and peak memory. All compute in float32, which is the fastest for the small maps of
//! regions.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::json;

use super::{Contestant, json_lines, say, table, warn_of_company};
use crate::cargo::build_release;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;

pub(super) const HELP: &str = "\
cargo xtask bench detect [options]

    --arch NAME      backbone (resnet18)
    --batch N        images per step (4)
    --height N       height of an image (256)
    --width N        width of an image (341)
    --regions N      regions of an image (64)
    --architecture A c4 or fpn (c4)
    --masks          Mask R-CNN instead of Faster R-CNN
    --inference      time the detection of objects instead of training
    --rounds N       number of interleaved rounds (3)
    --steps N        timed steps per round, after two untimed ones (5)
    --python PATH    use this interpreter (with torch and torchvision) instead of making an environment
    --json           print one JSON object to stdout
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    /// Options of both programs.
    shared: Vec<String>,
    rounds: usize,
    python: Option<PathBuf>,
    json: bool,
}

impl Options {
    /// `None` if help was requested.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut options = Options { shared: Vec::new(), rounds: 3, python: None, json: false };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long(name @ ("arch" | "architecture" | "batch" | "height" | "width" | "regions" | "steps")) => {
                    let name = format!("--{name}");
                    options.shared.extend([name, arguments.value()?.string()?]);
                }
                Long(name @ ("masks" | "inference")) => options.shared.push(format!("--{name}")),
                Long("rounds") => options.rounds = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.rounds == 0 {
            return Err(Failure::new("--rounds must be at least 1"));
        }
        Ok(Some(options))
    }
}

/// Runs `bench detect`.
pub(super) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::find(place, options.python.clone())?;
    let ours_program = build_release(place, "mochi")?;
    let script = place.root().join("xtask/peers/detection_step.py");
    say(&format!("reference script {}, run by {}", script.display(), peer.program().display()));
    warn_of_company();

    let mut contestants =
        [Contestant::new("torchvision as shipped"), Contestant::new("torchvision tuned"), Contestant::new("mochi")];
    for round in 1..=options.rounds {
        for (index, contestant) in contestants.iter_mut().enumerate() {
            let mut command = match index {
                0 | 1 => {
                    let mut python = peer.command();
                    python.arg(&script).args(["--mode", if index == 0 { "as-shipped" } else { "tuned" }]);
                    python
                }
                _ => {
                    let mut mochi = Command::new(&ours_program);
                    mochi.args(["bench", "detect", "--json"]);
                    mochi
                }
            };
            contestant.take(json_lines(command.args(&options.shared))?.pop())?;
            say(&format!("round {round} of {}: {}", options.rounds, contestant.latest()));
        }
    }
    let [shipped, tuned, mochi] = &contestants;
    let heading = if options.shared.is_empty() { "resnet18, 256x341".to_owned() } else { options.shared.join(" ") };
    eprintln!("\n{}", table(&heading, "mochi is", &[shipped, tuned, mochi], |one| mochi.median() / one.median()));
    let mebibytes = |one: &Contestant| one.last["peak_bytes"].as_f64().unwrap_or(f64::NAN) / f64::from(1 << 20);
    let [a, b, c] = [shipped, tuned, mochi].map(mebibytes);
    eprintln!("peak memory: {a:.0} MiB as shipped, {b:.0} MiB tuned, {c:.0} MiB mochi");
    if options.json {
        let best = shipped.median().max(tuned.median());
        println!(
            "{}",
            json!({
                "options": options.shared, "rounds": options.rounds,
                "as_shipped": shipped.json(), "tuned": tuned.json(), "mochi": mochi.json(),
                "times_best": mochi.median() / best,
            })
        );
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_get_the_same_options() {
        let read = |list: &[&str]| Options::read(lexopt::Parser::from_args(list)).expect("read").expect("no help");
        let set = read(&["--arch", "resnet50", "--masks", "--rounds=2", "--regions=32"]);
        assert_eq!((set.shared.join(" ").as_str(), set.rounds), ("--arch resnet50 --masks --regions 32", 2));
        assert!(Options::read(lexopt::Parser::from_args(["--rounds=0"])).is_err());
    }
}
