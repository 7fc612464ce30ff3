//! `mochi`: the command line. One file a verb; each reads its words, calls the rooms that know, and says what came out.
//!
//! Results go to stdout (`--json` makes them one JSON object), everything else to stderr. Status 0: done; 1: an error, told in one
//! sentence with a hint; 2: words that the command line does not know; 130: stopped by a signal, saved, can be resumed.
#![forbid(unsafe_code)]

mod augment;
mod bench;
mod check;
mod config;
mod doctor;
mod drive;
mod eval;
mod failure;
mod finding;
mod pack;
mod presets;
mod pretrain;
mod report;
mod resume;
mod settings;
mod sources;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// glibc's allocator hands large activations back to the kernel at every step; keeping them makes a CPU step 1.5 times as fast. The
/// settings (keep freed pages, use huge ones) are compiled in: JEMALLOC_SYS_WITH_MALLOC_CONF in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Pre-train image encoders on your own unlabelled pictures, and judge them.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train an encoder on a folder of pictures
    Pretrain(pretrain::Arguments),
    /// Go on with a run that was stopped
    Resume(resume::Arguments),
    /// Look at a data set before a run: bad files, copies, sizes, statistics
    Check(check::Arguments),
    /// Show the views that training would see
    Augment(augment::Arguments),
    /// Judge a run's encoder
    #[command(subcommand)]
    Eval(eval::Verb),
    /// Write pictures into tar shards, for training from few large files, here or remote
    Pack(pack::Arguments),
    /// Write a run's report page again
    Report(report::Arguments),
    /// List the presets
    Presets(presets::Arguments),
    /// Show a run's settings and where each value came from
    Config(config::Arguments),
    /// Look at this machine: libtorch, CUDA, disk, and what to mend
    Doctor(doctor::Arguments),
    /// Measure speed
    #[command(subcommand)]
    Bench(bench::Verb),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Pretrain(arguments) => pretrain::run(arguments),
        Verb::Resume(arguments) => resume::run(arguments),
        Verb::Check(arguments) => check::run(arguments),
        Verb::Augment(arguments) => augment::run(arguments),
        Verb::Eval(verb) => eval::run(verb),
        Verb::Pack(arguments) => pack::run(arguments),
        Verb::Report(arguments) => report::run(arguments),
        Verb::Presets(arguments) => presets::run(arguments),
        Verb::Config(arguments) => config::run(arguments),
        Verb::Doctor(arguments) => doctor::run(arguments),
        Verb::Bench(verb) => bench::run(verb),
    };
    done.unwrap_or_else(|failure| failure.report())
}
