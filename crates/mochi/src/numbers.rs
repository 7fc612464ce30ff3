//! Numbers on the command line.

use std::str::FromStr;

/// A whole number, for the options that clap has no range for: its own message names a digit, not what the option takes.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number of at least 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_whole_number_is_told_as_that() {
        assert_eq!(whole::<u64>("7"), Ok(7));
        for text in ["-1", "1.5", "x", "", "99999999999999999999999"] {
            assert!(whole::<u64>(text).unwrap_err().contains("whole number"), "{text}");
        }
    }
}
