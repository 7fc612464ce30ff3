//! Files, links and everything else that a path can name.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod atomic;
mod folder;
mod read;
mod shell;

use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A named pipe; opening it to read would block.
fn make_pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// A socket, which stays after its listener is closed.
fn make_socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
