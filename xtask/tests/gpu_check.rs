//! `cargo xtask gpu-check` on machines without a GPU.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the command where the PATH holds at most an `nvidia-smi` of this script.
fn gpu_check(arguments: &[&str], nvidia_smi: Option<&str>) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some(script) = nvidia_smi {
        let path = folder.path().join("nvidia-smi");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("made runnable");
    }
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask
        .arg("gpu-check")
        .args(arguments)
        .env("PATH", folder.path())
        .env("CARGO_MANIFEST_DIR", folder.path().join("xtask"));
    let output = xtask.output().expect("xtask runs");
    assert!(!folder.path().join(".mochi").exists(), "nothing is installed");
    output
}

#[test]
fn a_machine_without_a_gpu_is_told_the_next_step() {
    if ["/dev/nvidiactl", "/dev/dxg"].iter().any(|path| Path::new(path).exists()) {
        println!("skipped: gpu-check without a GPU: there is one");
        return;
    }
    let broken = "echo 'NVIDIA-SMI has failed because no driver runs'; exit 9";
    for (script, said) in [
        (None, "nvidia-smi is not installed"),
        (Some(broken), "nvidia-smi says: NVIDIA-SMI has failed because no driver runs"),
    ] {
        let output = gpu_check(&[], script);
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!(
                "error: no NVIDIA GPU was found ({said}), so there is nothing to check\nhint: run the command on a machine with an NVIDIA card \
                 and its driver; `cargo xtask gpu-check --dry-run` lists what it checks\n"
            )
        );
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    }
}

#[test]
fn the_plan_needs_no_gpu() {
    let output = gpu_check(&["--dry-run"], None);
    let plan = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    assert!(
        plan.starts_with("|  | check | command |\n| --- | --- | --- |\n| 1 | card and driver | `nvidia-smi "),
        "{plan}"
    );
    assert!(plan.lines().count() > 15 && plan.lines().all(|line| line.starts_with('|')), "{plan}");
}
