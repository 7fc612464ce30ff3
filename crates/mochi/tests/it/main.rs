//! Integration tests of the command line, one binary.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod ablation;
mod analysis;
mod budget;
mod check;
mod coco;
mod command_line;
mod common;
mod detect;
mod detect_predict;
mod detect_trials;
mod detector;
mod evaluation;
mod help;
mod init;
mod objects;
mod output;
mod processes;
mod processes_evaluate;
mod processes_start;
mod runs;
#[path = "../../../mochi-data/tests/it/common/server.rs"]
mod server;
mod shards;
mod training;
