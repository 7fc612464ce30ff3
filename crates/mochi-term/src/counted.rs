//! Numbers of things as text.

use std::fmt::Display;

/// `1 epoch`, `2 epochs`: a number and a noun whose plural ends in s.
pub fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_singular() {
        assert_eq!(
            [counted(0, "epoch"), counted(1, "epoch"), counted(21, "epoch")],
            ["0 epochs", "1 epoch", "21 epochs"]
        );
    }
}
