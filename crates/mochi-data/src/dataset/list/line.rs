//! Parsing a line of a list, and messages about invalid lines.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use super::super::listing::has_image_extension;
use super::super::paths::as_path;

/// A parsed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) name: &'a [u8],
    pub(super) class: Option<&'a [u8]>,
}

/// The lines of a list, each with its number from 1. Lines end in LF, CR LF or, in old files, CR alone.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    bytes
        .split(move |&b| b == end)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .zip(1..)
        .map(|(line, n)| (n, line))
}

impl<'a> Line<'a> {
    /// Name and class without surrounding blanks; `None` for a blank line or a comment.
    ///
    /// Blanks, quotes and a comment after the name are part of the name only if a file with that name exists below `root`.
    pub(super) fn parse(line: &'a [u8], root: &Path) -> Option<Self> {
        if line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with(b"#") {
            return None;
        }
        let mut parts = line.splitn(2, |&b| b == b'\t');
        let whole = parts.next()?;
        let class = parts.next().map(<[u8]>::trim_ascii).filter(|class| !class.is_empty());
        let bare = unquoted(without_remark(whole).trim_ascii());
        let name = if bare != whole && exists(root, whole) { whole } else { bare };
        Some(Self { name, class })
    }

    /// Whether this first line is a header with column names.
    pub(super) fn is_header(&self) -> bool {
        let words: [&[u8]; 9] =
            [b"path", b"image", b"file", b"filename", b"file_name", b"image_path", b"img", b"name", b"images"];
        words.iter().any(|word| self.name.eq_ignore_ascii_case(word))
    }

    /// The likely mistake in a name that does not exist, if there is a known one.
    pub(super) fn diagnose(&self) -> Option<String> {
        let name = self.name;
        let holds = |what: &[u8]| name.windows(what.len()).any(|window| window == what);
        let quoted = quote(name);
        let before = |separator: u8| {
            name.iter().rposition(|&b| b == separator).is_some_and(|at| name.get(..at).is_some_and(has_image_extension))
        };
        if name.starts_with(b"http://") || name.starts_with(b"https://") || name.starts_with(b"s3://") {
            Some(format!("{quoted} is an address; only tar shards can be read from a server"))
        } else if holds(b"://") {
            Some(format!("{quoted} is an address; give a file path"))
        } else if name.starts_with(b"~") {
            Some(format!("{quoted}: ~ is not expanded; give the absolute path"))
        } else if before(b',') || before(b';') {
            Some(format!("{quoted} does not exist; separate path and class by a tab, not by a comma"))
        } else if before(b' ') {
            Some(format!("{quoted} does not exist; separate path and class by a tab, not by a space"))
        } else if holds(b"\\") {
            Some(format!("{quoted} does not exist; separate folders by /, not by \\"))
        } else {
            None
        }
    }

    /// Whether [`Line::diagnose`] may find a mistake in the name; does not access the file system.
    pub(super) fn is_odd(&self) -> bool {
        self.name.starts_with(b"~") || self.name.contains(&b'\\') || self.name.windows(3).any(|w| w == b"://")
    }
}

/// A name for a message: control characters escaped, at most 80 characters.
pub(super) fn quote(name: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(name);
    let short: String = text.chars().take(80).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("\"{}{more}\"", short.escape_debug())
}

fn exists(root: &Path, name: &[u8]) -> bool {
    fs::symlink_metadata(root.join(as_path(name))).is_ok()
}

fn unquoted(name: &[u8]) -> &[u8] {
    for mark in [b'"', b'\''] {
        if let [first, inner @ .., last] = name
            && *first == mark
            && *last == mark
        {
            return inner;
        }
    }
    name
}

fn without_remark(name: &[u8]) -> &[u8] {
    let at = name.windows(2).position(|w| matches!(w, [b' ' | b'\t', b'#']));
    at.and_then(|at| name.get(..at)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lines_end_in_lf_crlf_or_cr() {
        let all = |text: &'static str| lines(text.as_bytes()).map(|(n, l)| (n, l.to_vec())).collect::<Vec<_>>();
        let wanted = vec![(1, b"a".to_vec()), (2, b"b".to_vec())];
        for text in ["a\nb", "a\r\nb\r", "a\rb"] {
            assert_eq!(all(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn rows_51_to_55_blanks_quotes_and_remarks_do_not_belong_to_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let parse = |line: &'static str| Line::parse(line.as_bytes(), dir.path());
        let line = |name: &'static str, class: Option<&'static str>| {
            Some(Line { name: name.as_bytes(), class: class.map(str::as_bytes) })
        };
        for text in ["a b.jpg", " a b.jpg  ", "\"a b.jpg\"", "'a b.jpg' ", "a b.jpg # remark", "a b.jpg\t"] {
            assert_eq!(parse(text), line("a b.jpg", None), "{text:?}");
        }
        assert_eq!(parse(" a.jpg \t dog "), line("a.jpg", Some("dog")));
        for text in ["", " ", "\t", "# a.jpg", "  # a.jpg"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        // Unless a file has just this name.
        for name in ["a.jpg ", "\"b.jpg\"", "c #1.jpg"] {
            fs::write(dir.path().join(name), "").unwrap();
            assert_eq!(parse(name), line(name, None), "{name:?}");
        }
    }

    #[test]
    fn names_are_quoted_without_control_characters() {
        assert_eq!(quote(b"\x1b[2J\xff"), "\"\\u{1b}[2J\u{fffd}\"");
        assert!(quote(&[b'x'; 500]).len() < 100);
    }
}
