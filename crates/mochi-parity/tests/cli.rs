//! The program as scripts call it: one JSON line on stdout, and the exit status.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mochi-contrast/tests/fixtures").join(name)
}

fn parity(what: &str, file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mochi-parity")).arg(what).arg(file).output().unwrap()
}

#[test]
fn a_loss_file_is_held_and_a_changed_one_is_told() {
    let run = parity("loss", &fixture("both.safetensors"));
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let numbers: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    for field in ["loss", "logits", "grad_q", "loss_float32", "grad_q_float32"] {
        assert!(numbers[field].as_f64().unwrap() < 1e-5, "{numbers}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut tensors, metadata) = mochi_tensor::read_tensors(&fixture("both.safetensors")).unwrap();
    let path = folder.path().join("changed.safetensors");
    let gradient = &tensors["grad_q"] * 1.001;
    tensors.insert("grad_q".to_owned(), gradient);
    mochi_tensor::write_tensors(&path, &tensors, &metadata).unwrap();
    assert_eq!(parity("loss", &path).status.code(), Some(1));
    tensors.remove("grad_q");
    mochi_tensor::write_tensors(&path, &tensors, &metadata).unwrap();
    let run = parity("loss", &path);
    assert_eq!(run.status.code(), Some(2));
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(text.contains("\"grad_q\" is missing") && text.contains("hint: "), "{text}");
    assert!(run.stdout.is_empty());
}

#[test]
fn a_file_of_another_kind_is_refused() {
    assert_eq!(parity("resnet", &fixture("both.safetensors")).status.code(), Some(2));
    assert_eq!(parity("loss", Path::new("nowhere.safetensors")).status.code(), Some(2));
    assert_eq!(parity("network", &fixture("both.safetensors")).status.code(), Some(2));
}
