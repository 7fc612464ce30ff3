//! Names of runs, and of their lines in charts.

use std::path::Path;

/// Longest name of a line, in characters.
const NAME: usize = 18;
/// Characters of a longer name that are kept at its end.
const END: usize = 7;

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

/// A name that fits beside its line. The end stays: names of variants often differ only there.
pub(crate) fn shortened(name: &str) -> String {
    if fits(name) {
        return name.to_owned();
    }
    let characters: Vec<char> = name.chars().collect();
    let (begin, end) = (&characters[..NAME - 1 - END], &characters[characters.len() - END..]);
    begin.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_that_differ_at_the_end_keep_different_names() {
        let names = ["MoCHi (256, 256, 32)", "MoCHi (256, 256, 32), class oracle", "MoCo v2, class oracle"];
        assert_eq!(names.map(shortened), ["MoCHi (256…56, 32)", "MoCHi (256… oracle", "MoCo v2, c… oracle"]);
        assert_eq!(shortened("MoCo v2"), "MoCo v2");
        assert_eq!(shortened(&"é".repeat(NAME + 1)).chars().count(), NAME);
    }
}
