//! `cargo xtask bench data DIR`: decoding and two MoCo-v2 views of each JPEG in a folder, with torchvision on Pillow, with DALI on the CPU,
//! and with Mochi on one and on two threads.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use super::{Contestant, json_lines, say, table, warn_of_company};
use crate::cargo::build_release;
use crate::command::bytes;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;
use crate::setup;

pub(super) const HELP: &str = "\
cargo xtask bench data DIR [options]

    DIR              folder of JPEG files
    --size N         view size in pixels (224)
    --limit N        maximum number of images (400)
    --rounds N       number of interleaved rounds; in each round the best of three passes counts (3)
    --python PATH    use this interpreter (with torchvision, and DALI if it is to be timed) instead of making an environment
    --json           print one JSON object to stdout
";

/// Options of the command.
#[derive(Debug)]
struct Options {
    folder: PathBuf,
    size: u32,
    limit: u32,
    rounds: usize,
    python: Option<PathBuf>,
    json: bool,
}

impl Options {
    /// `None` if help was requested.
    fn read(mut arguments: lexopt::Parser) -> Outcome<Option<Options>> {
        use lexopt::prelude::*;
        let mut folder = None;
        let mut options =
            Options { folder: PathBuf::new(), size: 224, limit: 400, rounds: 3, python: None, json: false };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("size") => options.size = arguments.value()?.parse()?,
                Long("limit") => options.limit = arguments.value()?.parse()?,
                Long("rounds") => options.rounds = arguments.value()?.parse()?,
                Long("python") => options.python = Some(arguments.value()?.into()),
                Long("json") => options.json = true,
                Long("help") | Short('h') => return Ok(None),
                Value(value) if folder.is_none() => folder = Some(PathBuf::from(value)),
                other => return Err(other.unexpected().into()),
            }
        }
        let Some(folder) = folder else {
            return Err(Failure::new("expected a folder of JPEG files").hint("cargo xtask bench data DIR"));
        };
        if options.rounds == 0 || options.limit == 0 || options.size == 0 {
            return Err(Failure::new("--rounds, --limit and --size must be at least 1"));
        }
        Ok(Some(Options { folder, ..options }))
    }
}

/// Runs `bench data`.
pub(super) fn run(place: &Place, arguments: lexopt::Parser) -> Outcome {
    let Some(options) = Options::read(arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    setup::ensure(place, false)?;
    let peer = Peer::find(place, options.python.clone())?;
    let (peer, mut no_dali) = match peer.with_dali(place) {
        Ok(both) => (both, None),
        Err((peer, why)) => (peer, Some(why.to_string())),
    };
    let program = build_release(place, "mochi")?;
    let script =
        place.shared("reference/data_reference.py").unwrap_or_else(|| place.root().join("xtask/peers/two_views.py"));
    say(&format!("reference script {}, run by {}", script.display(), peer.program().display()));
    warn_of_company();

    let (size, limit) = (options.size.to_string(), options.limit.to_string());
    let theirs = |dali: bool| {
        let mut python = peer.command();
        python.arg(&script).arg(&options.folder).args(["--size", &size, "--limit", &limit]);
        python.args(dali.then_some("--dali"));
        python
    };
    let ours = |threads: &str| {
        let mut mochi = Command::new(&program);
        mochi.args(["bench", "data"]).arg(&options.folder);
        mochi.args(["--size", &size, "--limit", &limit, "--threads", threads, "--json"]);
        mochi
    };
    let mut torchvision = Contestant::new("torchvision on Pillow");
    let mut dali = Contestant::new("DALI on the CPU");
    let (mut one, mut two) = (Contestant::new("mochi, one thread"), Contestant::new("mochi, two threads"));
    for round in 1..=options.rounds {
        let lines = match json_lines(&mut theirs(no_dali.is_none())) {
            // DALI can be importable and still fail, for example because an instruction set or a driver is missing.
            Err(failure) if no_dali.is_none() && round == 1 => {
                no_dali = Some(format!("it fails on this machine: {failure}"));
                json_lines(&mut theirs(false))?
            }
            lines => lines?,
        };
        torchvision.take(pipeline(&lines, "torchvision"))?;
        say(&format!("round {round} of {}: {}", options.rounds, torchvision.latest()));
        if no_dali.is_none() {
            dali.take(pipeline(&lines, "DALI"))?;
            say(&format!("round {round} of {}: {}", options.rounds, dali.latest()));
        }
        for (contestant, threads) in [(&mut one, "1"), (&mut two, "2")] {
            contestant.take(json_lines(&mut ours(threads))?.pop())?;
            say(&format!("round {round} of {}: {}", options.rounds, contestant.latest()));
        }
    }

    let all: Vec<&Contestant> =
        [&torchvision, &dali, &one, &two].into_iter().filter(|c| !c.images_per_s.is_empty()).collect();
    let heading = format!("decode and two views, {} px", options.size);
    eprintln!("\n{}", table(&heading, "one thread is", &all, |other| one.median() / other.median()));
    let peak = one.last["peak_bytes"].as_u64().map_or_else(|| "unknown".to_owned(), bytes);
    say(&format!(
        "two threads are {:.2}x as fast as one; peak memory with one thread: {peak}",
        two.median() / one.median()
    ));
    if let Some(why) = &no_dali {
        say(&format!("DALI was skipped: {why}"));
    }
    if options.json {
        let times = |peer: &Contestant| (!peer.images_per_s.is_empty()).then(|| one.median() / peer.median());
        println!(
            "{}",
            json!({
                "size": options.size, "limit": options.limit, "rounds": options.rounds,
                "script": script.file_name().map(|name| name.to_string_lossy().into_owned()),
                "torchvision": torchvision.json(), "dali": no_dali.is_none().then(|| dali.json()), "no_dali": no_dali,
                "mochi": one.json(), "mochi_two_threads": two.json(),
                "times_torchvision": times(&torchvision), "times_dali": times(&dali),
                "two_threads_times_one": two.median() / one.median(),
            })
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The line whose `pipeline` starts with `name`.
fn pipeline(lines: &[Value], name: &str) -> Option<Value> {
    lines.iter().find(|line| line["pipeline"].as_str().is_some_and(|pipeline| pipeline.starts_with(name))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_issues_values() {
        let none: [&str; 0] = [];
        assert!(Options::read(lexopt::Parser::from_args(none)).is_err());
        let read = |list: &[&str]| Options::read(lexopt::Parser::from_args(list)).expect("read").expect("no help");
        let plain = read(&["photos"]);
        assert_eq!((plain.size, plain.limit, plain.rounds, plain.json), (224, 400, 3, false));
        let set = read(&["--size=96", "photos", "--limit", "7", "--json"]);
        assert_eq!((set.size, set.limit, set.json, set.folder), (96, 7, true, PathBuf::from("photos")));
        assert!(Options::read(lexopt::Parser::from_args(["photos", "--rounds", "0"])).is_err());
    }

    #[test]
    fn peers_are_told_apart_by_the_start_of_their_names() {
        let lines = [json!({ "pipeline": "torchvision+Pillow" }), json!({ "pipeline": "DALI CPU" })];
        assert_eq!(pipeline(&lines, "DALI"), Some(lines[1].clone()));
        assert_eq!(pipeline(&lines[..1], "DALI"), None);
    }
}
