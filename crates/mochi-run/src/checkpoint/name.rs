//! Names in a folder of checkpoints.

use std::fmt;

/// A name that the protocol makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `step-N`
    Step(u64),
    /// `.step-N.tmp-R`: being written or being removed.
    Temporary(u64, u64),
    /// `.step-N.old-R`: moved aside while a new checkpoint of the same step takes its place.
    Old(u64, u64),
}

impl Name {
    /// Numbers are decimal as Rust prints them: `step-010` and `step-+10` are other names.
    pub(super) fn parse(name: &str) -> Option<Name> {
        if let Some(step) = name.strip_prefix("step-") {
            return canonical(step).map(Name::Step);
        }
        let (step, rest) = name.strip_prefix(".step-")?.split_once('.')?;
        let (word, random) = rest.split_once('-')?;
        let (step, random) = (canonical(step)?, canonical(random)?);
        match word {
            "tmp" => Some(Name::Temporary(step, random)),
            "old" => Some(Name::Old(step, random)),
            _ => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Step(step) => write!(f, "step-{step}"),
            Name::Temporary(step, random) => write!(f, ".step-{step}.tmp-{random}"),
            Name::Old(step, random) => write!(f, ".step-{step}.old-{random}"),
        }
    }
}

fn canonical(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security review S9: whatever began with `.step-` was removed, and `step-010` was taken for step 10.
    #[test]
    fn s9_only_names_that_the_protocol_makes_are_read() {
        for name in [Name::Step(0), Name::Step(u64::MAX), Name::Temporary(8, 77), Name::Old(8, 0)] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for name in [
            "step-",
            "step-010",
            "step-+10",
            "step--1",
            "step-18446744073709551616",
            "step-8.set-aside",
            "step-notes",
            ".step-thesis.backup",
            ".step-notes.txt",
            ".step-8.tmp",
            ".step-8.tmp-",
            ".step-8.tmp-x",
            ".step-8.new-1",
            ".step-08.tmp-1",
            ".step-8.tmp-1.old-2",
            "Step-8",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }
}
