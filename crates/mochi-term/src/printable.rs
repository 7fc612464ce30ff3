//! Texts without the characters that steer a terminal. Names of files and answers of servers can hold any of them: one clears the screen, sets the
//! window's title or turns the order of the letters around.

use std::borrow::Cow;

/// A text for one line: every control character (C0, DEL, C1), line and paragraph separator, and bidirectional embedding, override or isolate becomes U+FFFD.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, steers)
}

/// A text of several lines of the program's own: as [`printable`], but line breaks stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && steers(c))
}

/// A message: as [`printable_lines`], but the lines after the first are indented, so that none of them looks like a message of its own.
pub fn printable_text(text: &str) -> Cow<'_, str> {
    let safe = printable_lines(text);
    if safe.contains('\n') { Cow::Owned(safe.trim_end_matches('\n').replace('\n', "\n  ")) } else { safe }
}

/// A JSON document with the same values whose strings hold no character that steers a terminal: each is written as `\uXXXX`.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let dangerous = |c: char| c != '\n' && steers(c);
    if !text.contains(dangerous) {
        return Cow::Borrowed(text);
    }
    // The serializer has escaped what is below a blank already; what is left are characters of the basic plane inside of strings.
    let escaped = |c: char| if dangerous(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

fn replaced(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&bad) {
        Cow::Owned(text.chars().map(|c| if bad(c) { char::REPLACEMENT_CHARACTER } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
