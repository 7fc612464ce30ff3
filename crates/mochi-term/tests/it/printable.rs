//! Security review S8: escape sequences of file names and servers reached the terminal.

use mochi_term::{printable, printable_json, printable_lines, printable_text};
use proptest::prelude::*;

fn steers(c: char) -> bool {
    c.is_control()
        || "\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".contains(c)
}

#[test]
fn s8_what_steers_a_terminal_is_replaced_and_the_rest_stays() {
    assert_eq!(printable("x\u{1b}]0;OWNED\u{7}\u{9b}2J\u{7f}\u{202e}gpj.\tz"), "x�]0;OWNED��2J��gpj.�z");
    assert_eq!(printable("café 猫 😀 e\u{301}.jpg"), "café 猫 😀 e\u{301}.jpg");
    assert_eq!(printable_lines("one\ntwo\u{9b}\n"), "one\ntwo�\n");
    assert_eq!(printable_text("one\ntwo\u{1b}\n"), "one\n  two�");
    assert_eq!(printable_json("{\"name\":\"\u{85}\u{202e}é\"}"), "{\"name\":\"\\u0085\\u202eé\"}");
}

proptest! {
    #[test]
    fn s8_no_control_character_comes_out(text in any::<String>()) {
        prop_assert!(!printable(&text).contains(steers));
        prop_assert_eq!(printable(&text).chars().count(), text.chars().count());
        let lines = printable_text(&text);
        prop_assert!(!lines.contains(|c| c != '\n' && steers(c)));
        prop_assert!(lines.lines().skip(1).all(|line| line.starts_with("  ")));
        let once = printable(&text);
        prop_assert_eq!(&printable(&once), &once);
    }
}
