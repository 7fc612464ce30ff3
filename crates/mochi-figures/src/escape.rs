//! Text made safe for HTML and SVG, in elements and in quoted attributes.

use std::fmt::{self, Write as _};

/// A text that is escaped when it is displayed. Control characters and characters that reverse the direction of text become U+FFFD.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() || changes_direction(c) => f.write_char(char::REPLACEMENT_CHARACTER)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Embeddings, overrides and isolates of bidirectional text: with them a name can be shown in another order than it is written.
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    // Field case row 116.
    #[test]
    fn control_characters_are_replaced() {
        let text = Escaped("a\u{1b}[31m<b>\u{202e}gnp.\r\n\u{9b}\u{e9}").to_string();
        assert_eq!(text, "a\u{fffd}[31m&lt;b&gt;\u{fffd}gnp.\u{fffd}\u{fffd}\u{fffd}\u{e9}");
    }
}
