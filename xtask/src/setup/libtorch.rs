//! The pinned libtorch: the PyPI wheel of torch, of which only `torch/lib` and `torch/include` are used. `--cuda` adds NVIDIA's
//! libraries, which are large and not needed for a build.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::python::{Fetch, Python};
use super::{clear, create, machine, put, say, wheel, write_stamp};
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;

/// The version that tch 0.24 requires.
const VERSION: &str = include_str!("../../../crates/mochi-tensor/libtorch-version").trim_ascii_end();
/// Disk space for the wheel, the unpacked files and pip's cache.
const SPACE: u64 = 2_600_000_000;
/// The same for NVIDIA's libraries.
const SPACE_CUDA: u64 = 8_000_000_000;
/// The library that programs link to, relative to `LIBTORCH`.
const LIBRARY: &str = "lib/libtorch_cpu.so";

/// The folder of the user's `LIBTORCH`. `.cargo/config.toml` sets the variable as well, to the folder of `setup`, which is ignored here.
pub(super) fn users_own(place: &Place) -> Option<PathBuf> {
    let named = std::env::var_os("LIBTORCH").filter(|value| !value.is_empty())?;
    let folder = place.root().join(named);
    let ours = place.libtorch().join("torch");
    // Paths are compared as text, because the folder may not exist yet.
    let same = folder.components().eq(ours.components());
    let same_on_disk = matches!((folder.canonicalize(), ours.canonicalize()), (Ok(a), Ok(b)) if a == b);
    (!same && !same_on_disk).then_some(folder)
}

/// Checks the version of the user's libtorch. The bindings require the pinned version, and nothing else checks it.
pub(super) fn check_users_own(folder: &Path) -> Outcome<()> {
    let shown = folder.display();
    let way_out = "unset LIBTORCH so that setup installs 2.11.0, or set it to the folder of a libtorch 2.11.0 (with lib/ and include/)";
    if !folder.join(LIBRARY).is_file() {
        return Err(Failure::new(format!("LIBTORCH is {shown}, which does not contain {LIBRARY}")).hint(way_out));
    }
    match version(folder) {
        Some(found) if found == VERSION => Ok(()),
        Some(found) => {
            Err(Failure::new(format!("LIBTORCH is {shown}, which is version {found}; Mochi requires {VERSION}"))
                .hint(way_out))
        }
        None => Err(Failure::new(format!("LIBTORCH is {shown}, whose version is unknown (include/ has no version.h)"))
            .hint(way_out)),
    }
}

/// The version of the libtorch in a folder, from its headers if possible, because they are compiled against.
fn version(torch: &Path) -> Option<String> {
    let headers = ["include/torch/headeronly/version.h", "include/torch/csrc/api/include/torch/version.h"];
    let from_header = headers.iter().find_map(|name| header_version(&std::fs::read_to_string(torch.join(name)).ok()?));
    from_header.or_else(|| {
        let built = std::fs::read_to_string(torch.join("build-version")).ok()?;
        Some(built.trim().split('+').next()?.to_owned())
    })
}

/// `#define TORCH_VERSION_MAJOR 2` and the lines of MINOR and PATCH -> "2.11.0"
fn header_version(header: &str) -> Option<String> {
    let number = |name: &str| {
        let define = format!("#define TORCH_VERSION_{name} ");
        header.lines().find_map(|line| line.strip_prefix(&define)?.trim().parse::<u32>().ok())
    };
    Some(format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?))
}

/// Text for the libtorch that a build uses.
pub(super) fn describe(place: &Place) -> String {
    match users_own(place) {
        Some(own) => format!("libtorch {VERSION} from LIBTORCH ({})", own.display()),
        None => format!("libtorch {VERSION}"),
    }
}

fn stamp_path(place: &Place) -> PathBuf {
    place.libtorch().join("mochi-stamp.json")
}

/// Whether the stamp is complete and the library is the stamped one.
pub(super) fn is_ready(place: &Place, cuda: bool) -> bool {
    let Some(stamp) = read_stamp(&stamp_path(place)) else { return false };
    let library = place.libtorch().join("torch").join(LIBRARY).metadata();
    stamp["version"] == VERSION
        && (!cuda || stamp["cuda"] == true)
        && library.is_ok_and(|file| stamp["libtorch_cpu_bytes"] == file.len())
}

fn read_stamp(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn stamp(folder: &Path, cuda: bool) -> Outcome<()> {
    let library = folder.join("torch").join(LIBRARY);
    let bytes = library.metadata().map_err(|error| Failure::io("read", &library, &error))?.len();
    let text = json!({ "version": VERSION, "cuda": cuda, "libtorch_cpu_bytes": bytes }).to_string();
    write_stamp(&folder.join("mochi-stamp.json"), &text)
}

/// The problem of a folder that should contain the pinned libtorch, if there is one.
fn fault(folder: &Path) -> Option<String> {
    let torch = folder.join("torch");
    if !torch.join(LIBRARY).is_file() {
        return Some(format!("{LIBRARY} is missing"));
    }
    match version(&torch) {
        Some(found) if found == VERSION => wheel::first_fault(folder),
        found => Some(format!("its version is {}", found.as_deref().unwrap_or("unknown"))),
    }
}

/// Installs missing parts: libtorch, and with `cuda` NVIDIA's libraries in the same folder.
pub(super) fn install(place: &Place, cuda: bool) -> Outcome<()> {
    let folder = place.libtorch();
    if !is_ready(place, false) {
        let found = folder.is_dir().then(|| fault(&folder));
        match found {
            Some(None) => {
                say(&format!("found a complete libtorch {VERSION} in {}; keeping it", place.short(&folder)));
                stamp(&folder, false)?;
            }
            other => {
                if let Some(Some(why)) = other {
                    say(&format!("{} is incomplete ({why}); installing it again", place.short(&folder)));
                }
                install_base(place)?;
            }
        }
    }
    if cuda && !is_ready(place, true) { install_cuda(place) } else { Ok(()) }
}

fn install_base(place: &Place) -> Outcome<()> {
    let (partial, made) = (place.partial(), place.partial().join("libtorch"));
    machine::check_space(&partial, SPACE)?;
    let python = Python::find()?;
    say(&format!("downloading libtorch {VERSION} (about 540 MB) into {}", place.short(&place.libtorch())));
    python.fetch(&Fetch {
        label: &format!("libtorch {VERSION}"),
        requirements: &place.requirements("libtorch.txt"),
        target: &made,
        scratch: &partial.join("tmp"),
        watched: &partial,
        for_this_python: false,
    })?;
    if let Some(why) = fault(&made) {
        return Err(
            Failure::new(format!("the libtorch that pip unpacked is incomplete: {why}")).hint("run the command again")
        );
    }
    stamp(&made, false)?;
    put(&made, &place.libtorch(), &partial)
}

/// NVIDIA's libraries in the versions that the torch wheel requires, merged into its folder, which is in its rpath.
fn install_cuda(place: &Place) -> Outcome<()> {
    let (folder, partial, made) = (place.libtorch(), place.partial(), place.partial().join("cuda"));
    machine::check_space(&partial, SPACE_CUDA)?;
    let python = Python::find()?;
    say("downloading the CUDA libraries (about 2 GB)");
    python.fetch(&Fetch {
        label: "the CUDA libraries",
        requirements: &place.requirements("cuda.txt"),
        target: &made,
        scratch: &partial.join("tmp"),
        watched: &partial,
        for_this_python: false,
    })?;
    merge(&made, &folder)?;
    if let Some(missing) = unresolved(&folder.join("torch/lib/libtorch_cuda.so")) {
        return Err(Failure::new(format!("libtorch_cuda.so still does not find {missing}"))
            .hint("remove .mochi/libtorch and run `cargo xtask setup --cuda` again"));
    }
    stamp(&folder, true)
}

/// Moves every file below `from` to the same path below `to` and replaces existing files. It can be repeated after a kill.
fn merge(from: &Path, to: &Path) -> Outcome<()> {
    create(to)?;
    let entries = std::fs::read_dir(from).map_err(|error| Failure::io("read", from, &error))?;
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && target.is_dir() {
            merge(&source, &target)?;
        } else {
            clear(&target)?;
            std::fs::rename(&source, &target).map_err(|error| Failure::io("put in place", &target, &error))?;
        }
    }
    Ok(())
}

/// The first library that the loader does not find, except for the driver's library, which is installed with the driver.
fn unresolved(library: &Path) -> Option<String> {
    let listed = command::capture(Command::new("ldd").arg(library)).ok()?;
    listed
        .output
        .lines()
        .filter(|line| line.contains("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| !name.starts_with("libcuda.so"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "#pragma once\n/// Major\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n\
        #define TORCH_VERSION_PATCH 0\n#define TORCH_VERSION_ABI_TAG 0\n";

    fn fake(header: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in ["lib", "include/torch/headeronly"] {
            std::fs::create_dir_all(folder.path().join(part)).expect("made");
        }
        std::fs::write(folder.path().join(LIBRARY), "x").expect("written");
        std::fs::write(folder.path().join("include/torch/headeronly/version.h"), header).expect("written");
        folder
    }

    #[test]
    fn the_users_own_is_held_to_the_pinned_version() {
        assert!(check_users_own(fake(HEADER).path()).is_ok());
        let newer = fake(&HEADER.replace("MINOR 11", "MINOR 12"));
        let failure = check_users_own(newer.path()).expect_err("another version").to_string();
        assert!(failure.contains("which is version 2.12.0; Mochi requires 2.11.0\nhint: unset LIBTORCH"), "{failure}");
        let unknown = check_users_own(fake("").path()).expect_err("no version").to_string();
        assert!(unknown.contains("version is unknown"), "{unknown}");
        let empty = tempfile::tempdir().expect("a temporary folder");
        let failure = check_users_own(empty.path()).expect_err("no library").to_string();
        assert!(failure.contains("does not contain lib/libtorch_cpu.so"), "{failure}");
    }

    #[test]
    fn the_zip_distributions_version_file_is_read_too() {
        let folder = fake("");
        std::fs::write(folder.path().join("build-version"), "2.11.0+cpu\n").expect("written");
        assert_eq!(version(folder.path()).as_deref(), Some("2.11.0"));
    }

    #[test]
    fn merging_keeps_what_is_only_on_one_side() {
        let both = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (both.path().join("from"), both.path().join("to"));
        for (file, text) in
            [("from/nvidia/a.so", "new"), ("to/nvidia/a.so", "old"), ("to/nvidia/b.so", "kept"), ("from/c/d", "moved")]
        {
            let path = both.path().join(file);
            create(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        merge(&from, &to).expect("merged");
        let read = |name: &str| std::fs::read_to_string(to.join(name)).expect("there");
        assert_eq!([read("nvidia/a.so"), read("nvidia/b.so"), read("c/d")], ["new", "kept", "moved"]);
    }
}
