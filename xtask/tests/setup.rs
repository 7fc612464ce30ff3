//! `cargo xtask setup` as a person meets it, on machines made of a few shell scripts: nothing here touches the network.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A Python whose pip brings a very small libtorch, in the form in which pip leaves a real one.
const GOOD_PYTHON: &str = r#"
case "$*" in
    "-c "*) echo 3.11; exit ;;
    "-m pip --version") echo "pip 23.0.1 from /usr/lib (python 3.11)"; exit ;;
esac
while [ "$1" != --target ]; do shift; done
echo called >> "$MACHINE/pip-calls"
include="$2/torch/include/torch/headeronly"
/bin/mkdir -p "$2/torch/lib" "$include" "$2/torch-2.11.0.dist-info"
printf 12345 > "$2/torch/lib/libtorch_cpu.so"
printf '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n#define TORCH_VERSION_PATCH 0\n' > "$include/version.h"
printf 'torch/lib/libtorch_cpu.so,sha256=x,5\n' > "$2/torch-2.11.0.dist-info/RECORD"
"#;

/// A machine with an empty repository: its PATH holds what is put there and nothing else.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// One that has everything.
    fn whole() -> Machine {
        let machine = Machine { folder: tempfile::tempdir().expect("a temporary folder") };
        for folder in ["bin", "repo/xtask"] {
            std::fs::create_dir_all(machine.at(folder)).expect("made");
        }
        machine.program("python3", GOOD_PYTHON);
        machine.program("cmake", "echo cmake version 3.25.1");
        for name in ["c++", "make", "nasm"] {
            machine.program(name, "exit 0");
        }
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("made runnable");
    }

    fn without(self, name: &str) -> Machine {
        std::fs::remove_file(self.at("bin").join(name)).expect("it was there");
        self
    }

    /// Runs setup; gives whether it went well, and what it said.
    fn setup(&self, libtorch: Option<PathBuf>) -> (bool, String) {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.arg("setup").env_clear().env("PATH", self.at("bin")).env("MACHINE", self.folder.path());
        xtask.env("CARGO_MANIFEST_DIR", self.at("repo/xtask"));
        if let Some(folder) = libtorch {
            xtask.env("LIBTORCH", folder);
        }
        let output = xtask.output().expect("xtask runs");
        assert!(output.stdout.is_empty(), "all of it goes to stderr");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Runs setup on a machine that lacks something: one sentence and a hint.
    fn refusal(&self, libtorch: Option<PathBuf>) -> String {
        let (good, said) = self.setup(libtorch);
        assert!(!good, "{said}");
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("setup: ")).collect();
        assert!(
            matches!(lines.as_slice(), [error, hint] if error.starts_with("error: ") && hint.starts_with("hint: ")),
            "{said}"
        );
        lines.join("\n")
    }

    fn pip_calls(&self) -> usize {
        std::fs::read_to_string(self.at("pip-calls")).unwrap_or_default().lines().count()
    }
}

#[test]
fn a_second_run_does_nothing() {
    let machine = Machine::whole();
    let (good, said) = machine.setup(None);
    assert!(good && said.contains("are ready"), "{said}");
    assert!(machine.at("repo/.mochi/libtorch/torch/lib/libtorch_cpu.so").is_file());
    let (good, said) = machine.setup(None);
    assert!(good);
    assert_eq!(said, "setup: libtorch 2.11.0 and the build tools are installed; nothing to do\n");
    assert_eq!(machine.pip_calls(), 1);
    assert!(!machine.at("repo/.mochi/partial").exists(), "nothing half-made is left");
}

#[test]
fn what_a_killed_run_left_is_made_again() {
    let machine = Machine::whole();
    let half = machine.at("repo/.mochi/libtorch/torch/lib");
    std::fs::create_dir_all(&half).expect("made");
    std::fs::write(half.join("libtorch_cpu.so"), "123").expect("written");
    std::fs::create_dir_all(machine.at("repo/.mochi/partial/1/tmp")).expect("made");
    let (good, said) = machine.setup(None);
    assert!(good && said.contains("is incomplete"), "{said}");
    assert_eq!(machine.pip_calls(), 1);
    assert_eq!(std::fs::read(half.join("libtorch_cpu.so")).expect("there"), b"12345");
}

#[test]
fn a_library_that_was_cut_later_is_brought_again() {
    let machine = Machine::whole();
    assert!(machine.setup(None).0);
    std::fs::write(machine.at("repo/.mochi/libtorch/torch/lib/libtorch_cpu.so"), "").expect("written");
    assert!(machine.setup(None).0);
    assert_eq!(machine.pip_calls(), 2);
}

#[test]
fn a_whole_libtorch_without_a_stamp_is_kept() {
    let machine = Machine::whole();
    assert!(machine.setup(None).0);
    std::fs::remove_file(machine.at("repo/.mochi/libtorch/mochi-stamp.json")).expect("it was there");
    let (good, said) = machine.setup(None);
    assert!(good && said.contains("keeping it"), "{said}");
    assert_eq!(machine.pip_calls(), 1);
}

#[test]
fn no_python() {
    let said = Machine::whole().without("python3").refusal(None);
    assert!(said.starts_with("error: no python3 on the PATH") && said.contains("hint: install it: sudo "), "{said}");
}

#[test]
fn no_pip() {
    let machine = Machine::whole();
    machine.program(
        "python3",
        "case $1 in -c) echo 3.11;; *) echo /usr/bin/python3: No module named pip >&2; exit 1;; esac",
    );
    let said = machine.refusal(None);
    assert!(said.contains("has no pip") && said.contains("python3-pip"), "{said}");
}

#[test]
fn a_pip_from_before_glibc_tags() {
    let machine = Machine::whole();
    machine.program("python3", "case $1 in -c) echo 3.8;; *) echo pip 20.0.2 from x;; esac");
    assert!(machine.refusal(None).contains("pip 20.0 is too old"));
}

/// A Python whose pip says something and fails.
fn failing_pip(words: &str) -> String {
    let python = format!(
        "case \"$*\" in \"-c \"*) echo 3.11;; *--version) echo pip 23.0 from x;; *) echo \"{words}\" >&2; exit 1;; esac"
    );
    let machine = Machine::whole();
    machine.program("python3", &python);
    let said = machine.refusal(None);
    assert!(!machine.at("repo/.mochi/libtorch").exists());
    said
}

#[test]
fn no_network() {
    let said =
        failing_pip("Failed to establish a new connection\nERROR: No matching distribution found for torch==2.11.0");
    assert!(said.contains("cannot reach the package index"), "{said}");
}

#[test]
fn no_space_left() {
    assert!(failing_pip("OSError: [Errno 28] No space left on device").contains("the disk is full"));
}

#[test]
fn a_download_that_is_broken_twice() {
    assert!(failing_pip("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES").contains("was corrupt twice"));
}

#[test]
fn no_make_is_told_with_the_install_line() {
    let said = Machine::whole().without("make").refusal(None);
    assert!(said.starts_with("error: no make on the PATH") && said.contains("hint: install it: sudo "), "{said}");
}

#[test]
fn no_compiler() {
    let said = Machine::whole().without("c++").refusal(None);
    assert!(said.starts_with("error: no C++ compiler") && said.contains("hint: install one: sudo "), "{said}");
}

#[test]
fn a_compiler_without_its_library() {
    let machine = Machine::whole();
    machine.program("c++", "echo '<optional>: No such file or directory' >&2; exit 1");
    assert!(machine.refusal(None).contains("cannot compile an empty C++17 file: <optional>"));
}

#[test]
fn the_users_own_libtorch_is_used_or_refused_by_its_version() {
    let machine = Machine::whole();
    let header = machine.at("own/include/torch/headeronly");
    std::fs::create_dir_all(&header).expect("made");
    std::fs::create_dir_all(machine.at("own/lib")).expect("made");
    std::fs::write(machine.at("own/lib/libtorch_cpu.so"), "x").expect("written");
    let define = |minor: u32| {
        let text = format!(
            "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR {minor}\n#define TORCH_VERSION_PATCH 0\n"
        );
        std::fs::write(header.join("version.h"), text).expect("written");
    };
    define(13);
    let said = machine.refusal(Some(machine.at("own")));
    assert!(said.contains("which is version 2.13.0; Mochi requires 2.11.0"), "{said}");
    define(11);
    let (good, said) = machine.setup(Some(machine.at("own")));
    assert!(good && said.contains("from LIBTORCH"), "{said}");
    assert_eq!(machine.pip_calls(), 0, "nothing is downloaded");
    assert!(!machine.at("repo/.mochi/libtorch").exists());
}

#[test]
fn the_libtorch_that_cargo_names_is_not_the_users() {
    let machine = Machine::whole();
    let (good, said) = machine.setup(Some(machine.at("repo/.mochi/libtorch/torch")));
    assert!(good && !said.contains("from LIBTORCH"), "{said}");
    assert_eq!(machine.pip_calls(), 1);
}

#[test]
fn without_an_assembler_the_build_goes_on_with_a_warning() {
    let machine = Machine::whole().without("nasm");
    let (good, said) = machine.setup(None);
    assert!(good, "{said}");
    let warning = said.lines().last().unwrap_or_default();
    if cfg!(target_arch = "x86_64") {
        assert!(warning.contains("warning: no NASM assembler") && warning.contains("sudo "), "{said}");
        // Whoever installs it then finds it taken.
        machine.program("nasm", "exit 0");
        let (good, said) = machine.setup(None);
        assert!(good && !said.contains("warning"), "{said}");
        assert!(machine.at("repo/.mochi/tools/bin/nasm").exists());
    }
}

#[test]
fn an_unknown_command_lists_the_known_ones() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("tset").output().expect("xtask runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said,
        "error: unknown command `tset`\nhint: one of: demo, test, setup, parity, bench, gpu-check, fixtures\n"
    );
    assert_eq!(output.status.code(), Some(1));
}
