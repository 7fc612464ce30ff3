//! `mochi`: the command line. One file per subcommand: it reads its arguments, calls the crates that do the work, and prints the result.
//!
//! Results go to stdout (`--json` makes them one JSON object), everything else to stderr. Exit status 0: success; 1: an error, one
//! sentence with a hint; 2: invalid arguments; 130: stopped by a signal after saving a checkpoint, can be resumed.
#![forbid(unsafe_code)]

mod ablate;
mod analyze;
mod augment;
mod bad_images;
mod bench;
mod check;
mod config;
mod detect;
mod discovery;
mod doctor;
mod drive;
mod eval;
mod failure;
mod figures;
mod init;
mod launch;
mod numbers;
mod output_file;
mod pack;
mod plan;
mod presets;
mod pretrain;
mod ranks;
mod report;
mod resume;
mod runs;
mod settings;
mod sources;
mod views;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use mochi_tensor::allocator;

#[global_allocator]
static ALLOCATOR: allocator::MiMalloc = allocator::MiMalloc;

/// Pre-train and evaluate image encoders on unlabeled images.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train an encoder on images; no labels needed
    Pretrain(pretrain::Arguments),
    /// Resume an interrupted run
    Resume(resume::Arguments),
    /// Train in several processes of this machine, e.g. one for each GPU
    Launch(launch::Arguments),
    /// Check a dataset: bad files, duplicates, image sizes, channel statistics
    Check(check::Arguments),
    /// Preview augmented training views
    Augment(augment::Arguments),
    /// Evaluate a run's encoder, or detections in COCO's format
    #[command(subcommand)]
    Eval(eval::Command),
    /// Train and evaluate every variant of a plan, and compare them in a table
    Ablate(ablate::Arguments),
    /// List, compare and select runs by settings and results
    #[command(subcommand)]
    Runs(runs::Command),
    /// Analyze the embeddings of a run's checkpoints: alignment, uniformity, rank, neighbors
    Analyze(analyze::Arguments),
    /// Train and evaluate object detectors that start from a pre-trained backbone
    #[command(subcommand)]
    Detect(detect::Command),
    /// Pack images into WebDataset tar shards for local or remote training
    Pack(pack::Arguments),
    /// Write the report page of a run or of a study, a comparison of runs, or figures
    Report(report::Arguments),
    /// List the presets
    Presets(presets::Arguments),
    /// Show a run's settings and the source of each value
    Config(config::Arguments),
    /// Check the installation: libtorch, CUDA, bf16 support, disk space
    Doctor(doctor::Arguments),
    /// Measure speed
    #[command(subcommand)]
    Bench(bench::Command),
}

impl Command {
    /// Whether it can be started several times by a launcher, to train together.
    fn trains_in_several(&self) -> bool {
        matches!(
            self,
            Self::Pretrain(_)
                | Self::Resume(_)
                | Self::Eval(_)
                | Self::Detect(detect::Command::Train(_) | detect::Command::Eval(_))
                | Self::Bench(bench::Command::Ranks(_))
        )
    }
}

/// The command line. A negative number is a value, so that the error about it names the values that the option takes.
fn arguments() -> Cli {
    fn with_negative_numbers(command: clap::Command) -> clap::Command {
        let allow = |argument: clap::Arg| match argument.get_action().takes_values() {
            true => argument.allow_negative_numbers(true),
            false => argument,
        };
        command.mut_args(allow).mut_subcommands(with_negative_numbers)
    }
    let matches = with_negative_numbers(Cli::command()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    launch::follow_parent();
    let command = arguments().command;
    let one = match command.trains_in_several() {
        true => Ok(()),
        false => ranks::refuse_several(&std::env::args().nth(1).unwrap_or_default()),
    };
    let done = one.and_then(|()| match command {
        Command::Pretrain(arguments) => pretrain::run(arguments),
        Command::Resume(arguments) => resume::run(arguments),
        Command::Launch(arguments) => launch::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Augment(arguments) => augment::run(arguments),
        Command::Eval(command) => eval::run(command),
        Command::Ablate(arguments) => ablate::run(arguments),
        Command::Runs(command) => runs::run(command),
        Command::Analyze(arguments) => analyze::run(arguments),
        Command::Detect(command) => detect::run(command),
        Command::Pack(arguments) => pack::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Presets(arguments) => presets::run(arguments),
        Command::Config(arguments) => config::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Bench(command) => bench::run(command),
    });
    done.unwrap_or_else(|failure| failure.report())
}
