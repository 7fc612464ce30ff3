//! `cargo xtask bench step`: one MoCo-v2 training step of default PyTorch, of PyTorch in its best configuration on this processor
//! (channels_last; bf16 if the processor has bf16 instructions, otherwise float32), and of Mochi, interleaved over several rounds. Reports medians and ratios.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::json;

use super::{Contestant, json_lines, say, table, warn_of_company};
use crate::cargo::build_release;
use crate::failure::{Failure, Outcome};
use crate::machine::has_bf16;
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;

pub(super) const HELP: &str = "\
cargo xtask bench step [options] [-- options of `mochi bench step`]

    --arch NAME      backbone (resnet50)
    --batch N        images per step (16)
    --size N         view size in pixels (224)
    --rounds N       number of interleaved rounds (3)
    --steps N        timed steps of PyTorch per round, after two untimed ones (5)
    --python PATH    use this interpreter (with torch and torchvision) instead of making an environment
    --json           print one JSON object to stdout
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    arch: String,
    batch: u32,
    size: u32,
    rounds: usize,
    steps: u32,
    python: Option<PathBuf>,
    json: bool,
    /// Options that are passed on to `mochi bench step`.
    more: Vec<std::ffi::OsString>,
}

impl Options {
    /// `None` if help was requested.
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
                Value(value) => options.more.push(value),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.rounds == 0 || options.steps == 0 || options.batch == 0 {
            return Err(Failure::new("--rounds, --steps and --batch must be at least 1"));
        }
        Ok(Some(options))
    }
}

/// Runs `bench step`.
pub(super) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::find(place, options.python.clone())?;
    let ours_program = build_release(place, "mochi")?;
    let script = place.root().join("xtask/peers/moco_step.py");
    say(&format!("reference script {}, run by {}", script.display(), peer.program().display()));

    warn_of_company();

    let precision = if has_bf16() { "bf16" } else { "float32" };
    let theirs = |mode: &str| {
        let mut python = peer.command();
        python.arg(&script).args(["--arch", &options.arch, "--mode", mode]);
        python.args(["--batch", &options.batch.to_string(), "--size", &options.size.to_string()]);
        python.args(["--steps", &options.steps.to_string(), "--precision", precision]);
        python
    };
    let ours = || {
        let mut mochi = Command::new(&ours_program);
        mochi.args(["bench", "step", "--json", "--plain-only", "--precision", precision, "--arch", &options.arch]);
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
            contestant.take(json_lines(&mut command)?.pop())?;
            say(&format!("round {round} of {}: {}", options.rounds, contestant.latest()));
        }
    }
    let [shipped, tuned, mochi] = &contestants;
    let heading = format!(
        "{}, {} px, batch {}, {precision} (PyTorch as shipped: float32)",
        options.arch, options.size, options.batch
    );
    eprintln!("\n{}", table(&heading, "mochi is", &[shipped, tuned, mochi], |one| mochi.median() / one.median()));
    if options.json {
        println!(
            "{}",
            json!({
                "arch": options.arch, "batch": options.batch, "size": options.size, "rounds": options.rounds,
                "precision": precision,
                "as_shipped": shipped.json(), "tuned": tuned.json(), "mochi": mochi.json(),
                "times_as_shipped": mochi.median() / shipped.median(),
                "times_tuned": mochi.median() / tuned.median(),
            })
        );
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_issues_values() {
        let read = |list: &[&str]| Options::read(lexopt::Parser::from_args(list)).expect("read").expect("no help");
        let plain = read(&[]);
        assert_eq!((plain.arch.as_str(), plain.batch, plain.size), ("resnet50", 16, 224));
        let set = read(&["--batch=8", "--json", "--", "--precision", "float32"]);
        assert_eq!((set.batch, set.json, set.more.len()), (8, true, 2));
    }
}
