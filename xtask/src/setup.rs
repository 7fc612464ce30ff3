//! `cargo xtask setup`: installs the dependencies of a build into `.mochi/`, without root and without changes to the system.
//!
//! A complete part has a stamp, which is written last and checked in milliseconds. Everything is made in `.mochi/partial` and then renamed, so a killed
//! setup leaves no incomplete part in place.

mod apt;
mod libtorch;
mod machine;
mod python;
mod tools;
mod wheel;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;

pub(crate) use apt::unpack as unpack_debian_package;
pub(crate) use machine::free_space;
pub(crate) use python::{Fetch, Python};
pub(crate) use tools::cargo_deny;

/// The command: `setup [--cuda]`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let mut cuda = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("cuda") => cuda = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let started = Instant::now();
    let work = ensure(place, cuda)?;
    let what = libtorch::describe(place);
    match work {
        Work::Nothing => say(&format!("{what} and the build tools are installed; nothing to do")),
        Work::Done => say(&format!("{what} and the build tools are ready ({})", command::duration(started.elapsed()))),
    }
    tools::warn_of_missing_assembler(place);
    Ok(ExitCode::SUCCESS)
}

/// Whether anything was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Nothing,
    Done,
}

/// Installs missing parts. Prints nothing if none is missing.
pub(crate) fn ensure(place: &Place, cuda: bool) -> Outcome<Work> {
    let own = libtorch::users_own(place);
    if let Some(folder) = &own {
        libtorch::check_users_own(folder)?;
    }
    let libtorch_ready = own.is_some() || libtorch::is_ready(place, cuda);
    if libtorch_ready && tools::are_ready(place) {
        return Ok(Work::Nothing);
    }

    // Requirements that only the user can fix are checked before half a gigabyte is downloaded.
    if own.is_none() {
        machine::check_platform()?;
    }
    install(place, (!libtorch_ready).then_some(cuda))?;
    Ok(Work::Done)
}

/// Installs the build tools alone, without which libjpeg-turbo cannot be built.
pub(crate) fn ensure_tools(place: &Place) -> Outcome<()> {
    if tools::are_ready(place) {
        return Ok(());
    }
    install(place, None)
}

/// Installs the build tools, and libtorch first if a build of it, with CUDA or without, is asked for.
fn install(place: &Place, libtorch_with_cuda: Option<bool>) -> Outcome<()> {
    machine::check_compiler()?;
    machine::check_make()?;
    let _lock = lock(place)?;
    if let Some(cuda) = libtorch_with_cuda {
        libtorch::install(place, cuda)?;
    }
    tools::install(place)
}

/// Prints a progress line to stderr.
fn say(line: &str) {
    eprintln!("setup: {line}");
}

/// Exclusive access to `.mochi`, with an empty folder for incomplete files.
pub(crate) struct Lock {
    partial: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next setup removes what is left.
        let _ = std::fs::remove_dir_all(&self.partial);
        if let Some(all) = self.partial.parent() {
            let _ = std::fs::remove_dir(all);
        }
    }
}

/// Locks the folder against other setups (a second terminal, or an editor), and removes files of killed setups.
pub(crate) fn lock(place: &Place) -> Outcome<Lock> {
    create(&place.private())?;
    let path = place.private().join("setup.lock");
    let file = File::create(&path).map_err(|error| Failure::io("create", &path, &error))?;
    if file.try_lock().is_err() {
        say("waiting for another setup in this folder");
        file.lock().map_err(|error| Failure::io("lock", &path, &error))?;
    }
    // A download that outlived its setup may still write there; its files are removed by the next setup.
    let _ = std::fs::remove_dir_all(place.all_partial());
    let partial = place.partial();
    create(&partial)?;
    Ok(Lock { partial, _file: file })
}

/// Creates a folder and its parents.
pub(crate) fn create(folder: &Path) -> Outcome<()> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))
}

/// Removes a folder or file, if it is there.
pub(crate) fn clear(path: &Path) -> Outcome<()> {
    let removed = match path.symlink_metadata() {
        Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.map_err(|error| Failure::io("remove", path, &error))
}

/// Moves a finished folder to its place and replaces an existing one.
pub(crate) fn put(made: &Path, at: &Path, partial: &Path) -> Outcome<()> {
    if at.symlink_metadata().is_ok() {
        // The old folder is renamed first, because an interrupted removal would leave an incomplete folder in place.
        let aside = partial.join("replaced");
        clear(&aside)?;
        std::fs::rename(at, &aside).map_err(|error| Failure::io("replace", at, &error))?;
    }
    if let Some(parent) = at.parent() {
        create(parent)?;
    }
    std::fs::rename(made, at).map_err(|error| Failure::io("put in place", at, &error))
}

/// Writes a stamp atomically.
fn write_stamp(path: &Path, text: &str) -> Outcome<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).map_err(|error| Failure::io("write", &fresh, &error))?;
    std::fs::rename(&fresh, path).map_err(|error| Failure::io("write", path, &error))
}
