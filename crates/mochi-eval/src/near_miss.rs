//! Class names that differ only in what a reader does not see, and the message that lists them.

use std::collections::BTreeMap;
use std::fmt;

use mochi_text::counted;
use unicode_normalization::UnicodeNormalization;

/// Names listed in an error message, at most.
const LISTED: usize = 10;

/// How two names differ that are the same to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Leading, trailing or repeated blanks.
    Blanks,
    /// Composed and decomposed characters, such as é and e followed by an accent.
    UnicodeForm,
    /// Upper and lower case.
    Case,
    /// More than one of these.
    Several,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blanks => "blanks",
            Self::UnicodeForm => "Unicode form (composed or decomposed characters)",
            Self::Case => "case",
            Self::Several => "case, blanks and Unicode form",
        })
    }
}

/// A test class that a reader takes for a training class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The class of the test split.
    pub test: String,
    /// The class of the training split.
    pub train: String,
    /// What makes them different.
    pub difference: Difference,
}

/// The unknown names that a reader takes for a known one.
pub(crate) fn near_misses(unknown: &[String], known: &[String]) -> Vec<NearMiss> {
    let by_key: BTreeMap<String, &String> = known.iter().map(|name| (folded(name), name)).collect();
    let near = unknown.iter().filter_map(|test| {
        let train = (*by_key.get(&folded(test))?).clone();
        let difference = if blanks(test) == blanks(&train) {
            Difference::Blanks
        } else if composed(test) == composed(&train) {
            Difference::UnicodeForm
        } else if test.to_lowercase() == train.to_lowercase() {
            Difference::Case
        } else {
            Difference::Several
        };
        Some(NearMiss { test: test.clone(), train, difference })
    });
    near.collect()
}

/// The name without the differences that a reader does not see.
fn folded(name: &str) -> String {
    composed(&blanks(name).to_lowercase())
}

fn blanks(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// The message of `EvalError::UnknownClasses`. Names are quoted and escaped, so that blanks and combining characters show.
pub(crate) fn unknown_classes(unknown: &[String], known: &[String], near_misses: &[NearMiss]) -> String {
    let quoted = |names: &[String]| {
        let listed: Vec<String> = names.iter().take(LISTED).map(|name| format!("{name:?}")).collect();
        let more = names.len().saturating_sub(LISTED);
        if more > 0 { format!("{} and {more} more", listed.join(", ")) } else { listed.join(", ") }
    };
    let near: Vec<String> = near_misses
        .iter()
        .take(LISTED)
        .map(|near| format!("; {:?} and {:?} differ only in {}", near.test, near.train, near.difference))
        .collect();
    format!(
        "the test set has {} without training images: {}; the training set has {}: {}{}",
        counted(unknown.len(), "class"),
        quoted(unknown),
        counted(known.len(), "class"),
        quoted(known),
        near.concat()
    )
}
