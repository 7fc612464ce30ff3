//! The run folder and the checkpoint protocol.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]
#![allow(clippy::disallowed_methods, reason = "tests make files of every sort")]

mod checkpoint;
mod damage;
mod folder;
mod links;

use std::io::Write;
use std::path::Path;

use mochi_run::{Checkpoint, Checkpoints, RunFolder};

const SETTINGS: &str = "seed = 0\n[moco]\nbatch = 256  # auto: half of 16384 MiB of memory\n";

/// A run with these checkpoints.
fn run(path: &Path, steps: &[u64]) -> RunFolder {
    let run = RunFolder::create(path).unwrap();
    run.write_config(SETTINGS).unwrap();
    for &step in steps {
        save(&run.checkpoints(), step, "weights");
    }
    run
}

fn save(checkpoints: &Checkpoints, step: u64, text: &str) -> Checkpoint {
    let pending = checkpoints.begin(step).unwrap();
    pending.create("model.safetensors").unwrap().write_all(text.as_bytes()).unwrap();
    std::fs::write(pending.path().join("state.json"), "{}").unwrap();
    pending.commit().unwrap()
}

fn steps(checkpoints: &Checkpoints) -> Vec<u64> {
    checkpoints.list().unwrap().iter().map(|checkpoint| checkpoint.step).collect()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
