//! WebDataset's notation for several shards: `shards-{000000..000146}.tar`, `{a,b}.tar`, and `*` for existing files.

use std::io;
use std::path::{Path, PathBuf};

/// Maximum number of names. A pattern with more names is a mistake.
const MOST: usize = 1_000_000;
/// Maximum numbers of braces and of bytes in a pattern.
const MOST_BRACES: usize = 16;
const MOST_BYTES: usize = 4096;

/// Why a pattern names no files.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is invalid.
    #[error("{0}")]
    Invalid(String),
    /// A folder cannot be listed.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No file matches.
    #[error("no file matches it")]
    NoFile,
}

/// The files that a pattern names. Files of braces are not checked; a star in the last part matches existing files, in the order of their names.
///
/// # Errors
/// An invalid pattern, a folder that cannot be listed, and a star that matches nothing.
pub fn matching(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let mut paths = Vec::new();
    for name in expand(pattern).map_err(PatternError::Invalid)? {
        let path = PathBuf::from(&name);
        let (Some(folder), Some(last)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else { continue };
        if folder.as_os_str().to_string_lossy().contains('*') {
            return Err(PatternError::Invalid("* is not supported in the folder name of shards".to_owned()));
        }
        if !last.contains('*') {
            paths.push(path);
            continue;
        }
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = std::fs::read_dir(here).map_err(|source| PatternError::Io { path: here.into(), source })?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.') && fast_glob::glob_match(last, name))
            .map(|name| folder.join(name))
            .collect();
        found.sort();
        paths.append(&mut found);
    }
    if paths.is_empty() { Err(PatternError::NoFile) } else { Ok(paths) }
}

/// All names that the braces of a pattern expand to, in order.
///
/// `{7..12}` is a range; with leading zeros on either side all numbers get that width. `{x,y}` is a list. Several braces are combined.
///
/// # Errors
/// A message if the pattern is invalid.
pub fn expand(pattern: &str) -> Result<Vec<String>, String> {
    if pattern.len() > MOST_BYTES {
        return Err(format!("the pattern has {} bytes; the limit is {MOST_BYTES}", pattern.len()));
    }
    if pattern.matches('{').count() > MOST_BRACES {
        return Err(format!("more than {MOST_BRACES} braces"));
    }
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        if before.contains('}') {
            break;
        }
        let (inside, after) = after.split_once('}').ok_or("an opening brace is not closed")?;
        let choices = choices(inside)?;
        if choices.len().saturating_mul(names.len()) > MOST {
            return Err(format!("it expands to more than {MOST} names"));
        }
        names = names.iter().flat_map(|name| choices.iter().map(move |c| format!("{name}{before}{c}"))).collect();
        rest = after;
    }
    if rest.contains('}') {
        return Err("a closing brace has no opening brace".into());
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

fn choices(inside: &str) -> Result<Vec<String>, String> {
    if inside.contains('{') {
        return Err("nested braces are not supported".into());
    }
    let Some((first, last)) = inside.split_once("..") else {
        return Ok(inside.split(',').map(Into::into).collect());
    };
    let number =
        |text: &str| text.parse::<u64>().map_err(|_| format!("\"{}\" is not a range of numbers", shown(inside)));
    let (from, to) = (number(first)?, number(last)?);
    if from > to || (to - from) as usize >= MOST {
        return Err(format!("the range \"{}\" is empty or too long", shown(inside)));
    }
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
}

/// The start of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Whether a name has to be expanded.
pub fn is_pattern(name: &str) -> bool {
    name.contains(['{', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_existing_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        ["b-1.tar", "b-0.tar", "c.tar", ".b-2.tar"]
            .iter()
            .for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
        let at = |name: &str| folder.path().join(name);
        let find = |pattern: &str| matching(at(pattern).to_str().unwrap());
        assert_eq!(find("b-*.tar").unwrap(), [at("b-0.tar"), at("b-1.tar")]);
        assert_eq!(find("{c,b-*}.tar").unwrap(), [at("c.tar"), at("b-0.tar"), at("b-1.tar")]);
        assert!(matches!(find("x*.tar"), Err(PatternError::NoFile)));
        assert!(matches!(find("none/*.tar"), Err(PatternError::Io { .. })));
        assert!(matches!(find("*/a.tar"), Err(PatternError::Invalid(_))));
    }

    #[test]
    fn braces_expand_as_in_webdataset() {
        assert_eq!(expand("s-{08..11}.tar").unwrap(), ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]);
        assert_eq!(expand("s-{9..10}.tar").unwrap(), ["s-9.tar", "s-10.tar"]);
        assert_eq!(expand("{a,b}/{0..1}.tar").unwrap(), ["a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"]);
        assert_eq!(expand("plain.tar").unwrap(), ["plain.tar"]);
        for odd in ["{", "}", "a}b{", "{1..x}", "{5..2}", "{{1..2}}", "{0..999999999}", "{0..99999}{0..99999}"] {
            assert!(expand(odd).is_err(), "{odd}");
        }
    }

    // Security case S24.
    #[test]
    fn s24_a_pattern_of_many_braces_is_an_error() {
        assert!(expand(&"{a}".repeat(16)).is_ok_and(|names| names == ["a".repeat(16)]));
        for odd in ["{a}".repeat(17), "{a}".repeat(40_000), "{".repeat(400_000), format!("{{{}}}", "1".repeat(5000))] {
            assert!(expand(&odd).is_err_and(|detail| detail.len() < 300));
        }
    }
}
