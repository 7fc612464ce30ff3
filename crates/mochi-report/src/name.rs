//! Names of runs, and of their lines in charts.

use std::path::Path;

/// Longest name of a line, in characters.
const NAME: usize = 18;

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).ok();
    let name = whole.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| path.display().to_string())
}

/// The name of one of several runs. Long names are cut in charts; the number is not.
pub(crate) fn numbered_name(number: usize, path: &Path) -> String {
    format!("{number} {}", name_of(path))
}

/// Whether a name fits beside its line.
pub(crate) fn fits(name: &str) -> bool {
    name.chars().count() <= NAME
}

/// A name that fits beside its line.
pub(crate) fn shortened(name: &str) -> String {
    if fits(name) {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}
