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
    /// The program that the script compares with.
    fn reference(&self) -> Reference {
        match self.script {
            script if script.starts_with("crates/mochi-detection-metrics/") => Reference::Pycocotools,
            script if script.ends_with("make_t_sne.py") => Reference::ScikitLearn,
            _ => Reference::PyTorch,
        }
    }
}

/// What scripts compare with; each has an environment of its own.
#[derive(Clone, Copy, PartialEq)]
enum Reference {
    PyTorch,
    Pycocotools,
    ScikitLearn,
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
    Fixture { script: "crates/mochi-eval/tests/fixtures/make_t_sne.py", arguments: &[] },
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
    let mut peers: Vec<(Reference, Peer)> = Vec::new();
    for fixture in &wanted {
        let reference = fixture.reference();
        if !peers.iter().any(|(known, _)| *known == reference) {
            let python = python.clone();
            let peer = match reference {
                Reference::PyTorch => Peer::find(place, python)?,
                Reference::Pycocotools => Peer::with_pycocotools(place, python)?,
                Reference::ScikitLearn => Peer::with_scikit_learn(place, python)?,
            };
            peers.push((reference, peer));
        }
        let Some((_, peer)) = peers.iter().find(|(known, _)| *known == reference) else { continue };
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
