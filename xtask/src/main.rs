//! Development commands: `cargo xtask COMMAND`, one file per command. This program is built without libtorch, because `setup` installs libtorch.
//!
//! Messages go to stderr; results (`parity`, `bench --json`) go to stdout.

#![forbid(unsafe_code)]

mod bench;
mod cargo;
mod command;
mod demo;
mod failure;
mod fixtures;
mod gpu_check;
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
Development commands. Each one runs `setup` first if needed.

    cargo xtask demo                  pre-train on Fashion-MNIST and evaluate the encoder (trains for about 8 minutes on 2 cores)
    cargo xtask test [--fast]         all checks of CI; --fast: format, import cycles and all tests not named slow_
    cargo xtask setup [--cuda]        install libtorch 2.11.0 and build tools into .mochi/; --cuda adds the CUDA libraries
    cargo xtask parity resnet FILE    compare our ResNets with reference outputs written by resnet_reference.py
    cargo xtask parity loss FILE      compare our loss with reference outputs written by mochi_reference.py
    cargo xtask bench step            time our training step and PyTorch's, interleaved (`bench --help` lists its options)
    cargo xtask bench data DIR        time two views per image: ours, torchvision's and DALI's, interleaved
    cargo xtask bench coco            time COCO's average precision: ours and pycocotools', on a case of the size of val2017
    cargo xtask gpu-check             check the path of NVIDIA GPUs in 8 minutes, and print a table for an issue (`gpu-check --help`)
    cargo xtask fixtures [NAME]       run the scripts that write the tests' expected values
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
    // Only these have help texts of their own.
    let asks_for_help = std::env::args_os().any(|argument| argument == "--help" || argument == "-h");
    match if asks_for_help && verb != "bench" && verb != "gpu-check" { "help" } else { verb.as_str() } {
        "setup" => setup::run(&place, arguments),
        "test" => test::run(&place, arguments),
        "demo" => demo::run(&place, arguments),
        "parity" => parity::run(&place, arguments),
        "bench" => bench::run(&place, arguments),
        "gpu-check" => gpu_check::run(&place, arguments),
        "fixtures" => fixtures::run(&place, arguments),
        "help" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::new(format!("unknown command `{other}`"))
            .hint("one of: demo, test, setup, parity, bench, gpu-check, fixtures")),
    }
}
