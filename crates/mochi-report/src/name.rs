//! Names of runs, and of their lines in charts.

use std::path::Path;

/// Longest name of a line, in characters.
const NAME: usize = 18;
/// What may be between the common name of runs and what tells them apart.
const SEPARATORS: [char; 5] = ['-', '_', '.', ' ', '='];

/// The last part of a path.
pub(crate) fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).ok();
    let name = whole.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| path.display().to_string())
}

/// The name of one of several runs. Long names are cut in charts; the number is not.
pub(crate) fn numbered_name(number: usize, path: &Path) -> String {
    numbered(number, &name_of(path))
}

/// A name with its number before it.
pub(crate) fn numbered(number: usize, name: &str) -> String {
    format!("{number} {name}")
}

/// What the names of runs of several seeds begin with, "moco" of "moco-seed-0" and "moco-seed-1"; the first name if they have nothing in common.
pub(crate) fn common_name(names: &[String]) -> String {
    let Some((first, others)) = names.split_first() else { return String::new() };
    if others.is_empty() {
        return first.clone();
    }
    let equal = |at: usize, c: char| others.iter().all(|other| other.chars().nth(at) == Some(c));
    let common: String = first.chars().enumerate().take_while(|&(at, c)| equal(at, c)).map(|(_, c)| c).collect();
    // "run1" of "run10" and "run11" is no part of a number.
    let next = names.iter().filter_map(|name| name.chars().nth(common.chars().count()));
    let within = next.into_iter().any(|c| c.is_ascii_digit());
    let whole = if within { common.trim_end_matches(|c: char| c.is_ascii_digit()) } else { common.as_str() };
    let name = whole.trim_end_matches(SEPARATORS);
    let name = name.strip_suffix("seed").map_or(name, |before| before.trim_end_matches(SEPARATORS));
    if name.is_empty() { first.clone() } else { name.to_owned() }
}

/// Whether a name fits beside its line.
pub(crate) fn fits(name: &str) -> bool {
    name.chars().count() <= NAME
}

/// A name that fits beside its line.
pub(crate) fn shortened(name: &str) -> String {
    shortened_before(name, "")
}

/// Names that fit beside their lines. Those that would be cut to the same keep their ends instead of their middles.
pub(crate) fn distinct(names: &[String]) -> Vec<String> {
    let cut: Vec<String> = names.iter().map(|name| shortened(name)).collect();
    let one = |(name, short): (&String, &String)| {
        let alone = cut.iter().filter(|other| *other == short).count() == 1;
        if alone || fits(name) { short.clone() } else { both_ends(name) }
    };
    names.iter().zip(&cut).map(one).collect()
}

/// The beginning and the end of a name that is too long.
fn both_ends(name: &str) -> String {
    let (length, half) = (name.chars().count(), (NAME - 1) / 2);
    let end = name.chars().skip(length.saturating_sub(NAME - 1 - half));
    name.chars().take(half).chain(['…']).chain(end).collect()
}

/// A name that fits beside its line together with what follows, which is not cut.
pub(crate) fn shortened_before(name: &str, after: &str) -> String {
    let most = NAME.saturating_sub(after.chars().count()).max(4);
    if name.chars().count() <= most {
        return format!("{name}{after}");
    }
    name.chars().take(most - 1).chain(['…']).chain(after.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_several_seeds_have_a_common_name() {
        for (names, wanted) in [
            (vec!["tin5-0", "tin5-1", "tin5-2"], "tin5"),
            (vec!["run10", "run11"], "run"),
            (vec!["moco-v2-seed-0-93fb", "moco-v2-seed-1-8e33"], "moco-v2"),
            (vec!["seed=0", "seed=1"], "seed=0"),
            (vec!["20251128-1200-small", "20251128-1314-small"], "20251128"),
            (vec!["a", "b"], "a"),
            (vec!["alone-3"], "alone-3"),
            (vec!["moco", "moco-1"], "moco"),
        ] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(common_name(&names), wanted, "{names:?}");
        }
    }

    #[test]
    fn names_that_begin_alike_keep_their_ends() {
        let names = ["MoCHi (256, 256, 32)", "MoCHi (256, 256, 32), class oracle", "MoCo v2, class oracle", "MoCo v2"];
        let wanted = ["MoCHi (2… 256, 32)", "MoCHi (2…ss oracle", "MoCo v2, class or…", "MoCo v2"];
        let cut = distinct(&names.map(str::to_owned));
        assert!(cut.iter().all(|name| fits(name)), "{cut:?}");
        assert_eq!(cut, wanted);
    }

    #[test]
    fn the_number_of_seeds_is_not_cut() {
        assert_eq!(shortened_before("1 tin5", ", 3 seeds"), "1 tin5, 3 seeds");
        assert_eq!(shortened_before("1 a-long-name", ", 3 seeds"), "1 a-long…, 3 seeds");
        assert_eq!(shortened("MoCHi (1024, 1024, 128)"), "MoCHi (1024, 1024…");
    }
}
