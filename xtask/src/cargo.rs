//! Running cargo from a command: always in the repository's root, so that `.cargo/config.toml` applies.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;

/// The cargo that started this program, with the repository's root as working folder.
pub(crate) fn cargo(place: &Place) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo.current_dir(place.root());
    // Variables about this package are removed: build scripts that watch them would run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Builds a program of the workspace in release mode and returns its path.
pub(crate) fn build_release(place: &Place, package: &str) -> Outcome<PathBuf> {
    let mut build = cargo(place);
    build.args([
        "build",
        "--release",
        "--package",
        package,
        "--bin",
        package,
        "--message-format=json-render-diagnostics",
    ]);
    let output = build.stderr(Stdio::inherit()).output().map_err(|error| command::not_started(&build, &error))?;
    if !output.status.success() {
        return Err(Failure::new(format!("cannot build {package}")).hint("see the compiler's output above"));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::new(format!("cargo did not report the path of {package}")))
}
