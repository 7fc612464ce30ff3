//! `cargo xtask fixtures [NAME]`: runs the scripts whose output is committed as the tests' expected values. Every script is in the folder that it
//! writes to, and runs there.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command;
use crate::failure::{Failure, Outcome};
use crate::peer::Peer;
use crate::place::Place;

/// One call of a script.
struct Fixture {
    /// The script, from the repository's root.
    script: &'static str,
    /// Arguments of the script, which runs in its own folder.
    arguments: &'static [&'static str],
}

impl Fixture {
    /// Whether the script compares with pycocotools instead of PyTorch.
    fn needs_pycocotools(&self) -> bool {
        self.script.starts_with("crates/mochi-detection-metrics/")
    }
}

/// Every script that writes a committed fixture. A test compares this list with the files.
const FIXTURES: &[Fixture] = &[
    Fixture { script: "crates/mochi-annotations/tests/fixtures/make_crops.py", arguments: &[] },
    Fixture { script: "crates/mochi-contrast/tests/fixtures/make_loss_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-contrast/tests/fixtures/make_measure_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-contrast/tests/fixtures/make_strategy_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-contrast/tests/fixtures/make_neighbour_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-detection/tests/fixtures/make_fpn_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-detection-metrics/tests/fixtures/make_coco_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-views/tests/fixtures/make_measures.py", arguments: &[] },
    Fixture { script: "crates/mochi-eval/tests/fixtures/make_analysis.py", arguments: &[] },
    Fixture { script: "crates/mochi-eval/tests/fixtures/make_eval.py", arguments: &[] },
    Fixture { script: "crates/mochi-eval/tests/fixtures/make_fine_tune.py", arguments: &[] },
    Fixture { script: "crates/mochi-nets/tests/fixtures/make_resnet_cases.py", arguments: &[] },
    Fixture { script: "crates/mochi-tensor/tests/fixtures/make_checkpoints.py", arguments: &[] },
    Fixture { script: "crates/mochi-train/tests/fixtures/make_backbones.py", arguments: &[] },
    Fixture { script: "crates/mochi-train/tests/fixtures/make_steps.py", arguments: &[] },
    Fixture { script: "crates/mochi-views/tests/fixtures/make_views.py", arguments: &[] },
];

/// The command: `fixtures [--python PATH] [NAME]`, where NAME is a part of a script's path.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let (mut python, mut name) = (None, OsString::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("python") => python = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Value(value) => name = value,
            other => return Err(other.unexpected().into()),
        }
    }
    let name = name.to_string_lossy();
    let wanted: Vec<&Fixture> = FIXTURES.iter().filter(|fixture| fixture.script.contains(&*name)).collect();
    if wanted.is_empty() {
        let known: Vec<&str> = FIXTURES.iter().map(|fixture| fixture.script).collect();
        return Err(
            Failure::new(format!("no script has `{name}` in its path")).hint(format!("known: {}", known.join(", ")))
        );
    }
    let (mut torch, mut pycocotools) = (None, None);
    for fixture in &wanted {
        let peer: &mut Option<Peer> = if fixture.needs_pycocotools() { &mut pycocotools } else { &mut torch };
        let peer = match peer {
            Some(peer) => peer,
            None if fixture.needs_pycocotools() => peer.insert(Peer::with_pycocotools(place, python.clone())?),
            None => peer.insert(Peer::find(place, python.clone())?),
        };
        eprintln!("fixtures: {} {}", fixture.script, fixture.arguments.join(" "));
        let script = place.root().join(fixture.script);
        let mut call = peer.command();
        call.arg(&script).args(fixture.arguments);
        if let Some(folder) = script.parent() {
            call.current_dir(folder);
        }
        let status = command::status(&mut call)?;
        if !status.success() {
            return Err(Failure::new(format!("{} exited with {status}", fixture.script)).hint("see its output above"));
        }
    }
    eprintln!("fixtures: {} written again; `git diff --stat` shows what changed", wanted.len());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// `make_*.py` below a folder, from the root; fixtures of crates lie in `tests/fixtures`.
    fn scripts(root: &Path) -> BTreeSet<String> {
        let crates = std::fs::read_dir(root.join("crates")).into_iter().flatten().flatten().map(|entry| entry.path());
        crates
            .flat_map(|one| std::fs::read_dir(one.join("tests/fixtures")).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("make_")))
            .filter(|path| path.extension().is_some_and(|kind| kind == "py"))
            .filter_map(|path| Some(path.strip_prefix(root).ok()?.display().to_string()))
            .collect()
    }

    #[test]
    fn the_list_is_what_is_there() {
        let place = Place::find();
        let listed: BTreeSet<String> = FIXTURES.iter().map(|fixture| fixture.script.to_owned()).collect();
        assert_eq!(
            listed,
            scripts(place.root()),
            "FIXTURES (left) against the scripts in crates/*/tests/fixtures (right)"
        );
    }
}
