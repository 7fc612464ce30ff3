//! `cargo xtask setup`: what a build needs, brought into `.mochi/` without root and without touching the system.
//!
//! A part that is ready has a stamp, written last, and is recognized by it in milliseconds. Everything is made under
//! `.mochi/partial` and renamed into place whole, so a set-up that was killed leaves nothing that could be taken for done.

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
        Work::Nothing => say(&format!("{what} and the build tools are in place, nothing to do")),
        Work::Done => say(&format!("{what} and the build tools are ready ({})", command::duration(started.elapsed()))),
    }
    tools::warn_of_missing_assembler(place);
    Ok(ExitCode::SUCCESS)
}

/// Whether anything had to be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Nothing,
    Done,
}

/// Brings what is missing. Silent when nothing is.
pub(crate) fn ensure(place: &Place, cuda: bool) -> Outcome<Work> {
    let own = libtorch::users_own(place);
    if let Some(folder) = &own {
        libtorch::check_users_own(folder)?;
    }
    let libtorch_ready = own.is_some() || libtorch::is_ready(place, cuda);
    if libtorch_ready && tools::are_ready(place) {
        return Ok(Work::Nothing);
    }

    // Whatever a person can only mend outside is asked first, before half a gigabyte is fetched.
    if own.is_none() {
        machine::check_platform()?;
    }
    machine::check_compiler()?;
    machine::check_make()?;
    let _lock = lock(place)?;
    if !libtorch_ready {
        libtorch::bring(place, cuda)?;
    }
    tools::bring(place)?;
    Ok(Work::Done)
}

/// One line of what set-up is doing, on stderr.
fn say(line: &str) {
    eprintln!("setup: {line}");
}

/// The right to make things in `.mochi`, and an empty folder to make them in.
pub(crate) struct Lock {
    partial: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whatever is left is cleared by the next set-up.
        let _ = std::fs::remove_dir_all(&self.partial);
        if let Some(all) = self.partial.parent() {
            let _ = std::fs::remove_dir(all);
        }
    }
}

/// Holds off a second set-up in the same folder (two terminals, or an editor beside a shell), and clears what killed ones left.
pub(crate) fn lock(place: &Place) -> Outcome<Lock> {
    create(&place.private())?;
    let path = place.private().join("setup.lock");
    let file = File::create(&path).map_err(|error| Failure::io("create", &path, &error))?;
    if file.try_lock().is_err() {
        say("another set-up is at work here, waiting for it");
        file.lock().map_err(|error| Failure::io("lock", &path, &error))?;
    }
    // A download that outlived its set-up may still write there: then some of it stays until the next time.
    let _ = std::fs::remove_dir_all(place.all_partial());
    let partial = place.partial();
    create(&partial)?;
    Ok(Lock { partial, _file: file })
}

/// Makes a folder and those above it.
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

/// Puts a finished folder in its place, over one that may be there.
pub(crate) fn put(made: &Path, at: &Path, partial: &Path) -> Outcome<()> {
    if at.symlink_metadata().is_ok() {
        // Aside first: a rename is quick, a removal may be cut short and leave something that looks like the real thing.
        let aside = partial.join("replaced");
        clear(&aside)?;
        std::fs::rename(at, &aside).map_err(|error| Failure::io("replace", at, &error))?;
    }
    if let Some(parent) = at.parent() {
        create(parent)?;
    }
    std::fs::rename(made, at).map_err(|error| Failure::io("put in place", at, &error))
}

/// Writes a stamp: whole or not at all.
fn write_stamp(path: &Path, text: &str) -> Outcome<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).map_err(|error| Failure::io("write", &fresh, &error))?;
    std::fs::rename(&fresh, path).map_err(|error| Failure::io("write", path, &error))
}
