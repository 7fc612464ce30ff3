//! A value that may be left to the program: `"auto"` in the file, [`Auto::Auto`] in code.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A setting that is either written by the user or worked out by [`crate::Settings::resolve`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// Written `"auto"`: worked out from the data set and the machine.
    #[default]
    Auto,
    /// Written as a plain value.
    Set(T),
}

impl<T> Auto<T> {
    /// The written value, or `None` where it is `"auto"`.
    pub fn written(self) -> Option<T> {
        match self {
            Auto::Auto => None,
            Auto::Set(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Auto::Auto => serializer.serialize_str("auto"),
            Auto::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a TOML value: only so can the word "auto" be told from a choice that is a word as well.
        let value = toml::Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("auto") => Ok(Auto::Auto),
            _ => T::deserialize(value).map(Auto::Set).map_err(D::Error::custom),
        }
    }
}
