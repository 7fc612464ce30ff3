//! The repository's chores, one file each: `cargo xtask VERB`. Built without libtorch, because one of the chores brings it.
//!
//! Everything a person reads goes to stderr; numbers (`parity`, `bench --json`) go to stdout.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod command;
mod demo;
mod failure;
mod fixtures;
mod machine;
mod parity;
mod peer;
mod place;
mod setup;
mod table;
mod test;

use std::process::ExitCode;

use failure::{Failure, Outcome};
use place::Place;

const HELP: &str = "\
The repository's chores. Each does all of its own set-up.

    cargo xtask demo                  pre-train on Fashion-MNIST and judge it (about 8 minutes on 2 cores)
    cargo xtask test [--fast]         format, lints, tests, documentation, licences; --fast: format and tests only
    cargo xtask setup [--cuda]        bring libtorch 2.11.0 and build tools into .mochi/; --cuda adds the CUDA libraries
    cargo xtask parity resnet FILE    hold our network against a file that resnet_reference.py wrote
    cargo xtask parity loss FILE      hold our loss against a file that mochi_reference.py wrote
    cargo xtask bench step            our training step against PyTorch's, in turn (`bench --help` for its options)
    cargo xtask bench data DIR        our two views of a picture against torchvision's and DALI's, in turn
    cargo xtask fixtures [NAME]       run the scripts again that made the tests' expected values
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let place = Place::find();
    let mut arguments = lexopt::Parser::from_env();
    let verb = match arguments.next()? {
        Some(lexopt::Arg::Value(verb)) => verb.to_string_lossy().into_owned(),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) | None => "help".to_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    // Only `bench` has more to say than this page.
    let asks_for_help = std::env::args_os().any(|argument| argument == "--help" || argument == "-h");
    match if asks_for_help && verb != "bench" { "help" } else { verb.as_str() } {
        "setup" => setup::run(&place, arguments),
        "test" => test::run(&place, arguments),
        "demo" => demo::run(&place, arguments),
        "parity" => parity::run(&place, arguments),
        "bench" => bench::run(&place, arguments),
        "fixtures" => fixtures::run(&place, arguments),
        "help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::new(format!("there is no chore named `{other}`"))
            .hint("one of: demo, test, setup, parity, bench, fixtures")),
    }
}
