//! Values that are written or automatic, with their origins.

use crate::auto::Auto;
use crate::origin::{Origin, Origins};

/// Why a value follows from `model.init`.
pub(crate) const OF_WEIGHTS: &str = "the weights of `model.init`";

/// Origins of values while they are resolved.
pub(crate) struct Choices {
    pub(crate) origins: Origins,
}

impl Choices {
    /// The written value, or that of the rule, whose text says how it was chosen.
    pub(crate) fn pick<T>(&mut self, key: &'static str, written: Auto<T>, rule: impl FnOnce() -> (T, String)) -> T {
        match written {
            Auto::Set(value) => value,
            Auto::Auto => {
                let (value, reason) = rule();
                self.origins.insert(key, Origin::Auto(reason));
                value
            }
        }
    }

    /// The value that the user wrote; otherwise `value`, also instead of that of a preset. `reason` says where it is from.
    pub(crate) fn follow<T>(&mut self, key: &'static str, written: Auto<T>, value: T, reason: &str) -> T {
        match (written, self.origins.get(key)) {
            (Auto::Set(written), Some(Origin::File(_) | Origin::CommandLine | Origin::Plan(..) | Origin::Run(_))) => {
                written
            }
            _ => {
                self.origins.insert(key, Origin::Auto(reason.to_owned()));
                value
            }
        }
    }

    /// Records why a written value was changed.
    pub(crate) fn adjust(&mut self, key: &'static str, reason: String) {
        self.origins.insert(key, Origin::Adjusted(reason));
    }
}
