//! The page and the figures of a study, from what is in its folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mochi_ablate::{Plan, StudyFolder};
use mochi_files::shell_word;

use crate::ablate::study::{LEASE_TIMEOUT_S, Study};
use crate::failure::{Failure, Outcome, print_line};
use crate::{figures, output_file};

/// Whether a path is a plan, or the folder of a study. The `config.toml` of a run is no plan.
pub fn is_study(path: &Path) -> bool {
    let toml = path.extension().is_some_and(|extension| extension == "toml");
    let plan = toml && path.is_file() && path.file_name().is_some_and(|name| name != "config.toml");
    plan || StudyFolder::is_study(path)
}

/// Writes the page of a study to `out`, or into its folder, and its figures. `path`: as [`is_study`] accepts it.
pub fn report(path: &Path, out: Option<&PathBuf>, figures_folder: Option<&PathBuf>) -> Outcome {
    let study = open(path)?;
    if let Some(out) = out {
        output_file::PAGE.check(out)?;
    }
    let states = study.states()?;
    let table = study.table(&states);
    let Study { plan, folder, cells, .. } = &study;
    let out = out.map(PathBuf::as_path);
    let page = mochi_report::write_study_page(folder, plan, cells, &states, &table, out)?;
    print_line(&page.display().to_string())?;
    if let Some(target) = figures_folder {
        let written = mochi_report::write_study_figures(folder, plan, cells, &table, target)?;
        for path in &written.paths {
            print_line(&path.display().to_string())?;
        }
        figures::tell_missing(&written);
    }
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> Outcome<Study> {
    if !path.is_file() {
        let plan = StudyFolder::at(path)?.plan()?;
        return Study::of(plan, Some(path), LEASE_TIMEOUT_S);
    }
    let study = Study::of(Plan::read(path)?, None, LEASE_TIMEOUT_S)?;
    let folder = study.folder.path();
    if !StudyFolder::is_study(folder) {
        let what = format!("the study of {} is not in {}, its default folder", path.display(), folder.display());
        let plan = shell_word(path);
        let hint = format!(
            "if it is in another folder, `mochi report` takes that folder; `mochi ablate {plan}` trains a study that does not exist yet"
        );
        return Err(Failure::new(what, hint));
    }
    Ok(study)
}
