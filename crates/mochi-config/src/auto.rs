//! A value that may be `"auto"`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A value that is either written or computed by [`crate::Settings::resolve`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auto<T> {
    /// `"auto"`: computed from the dataset and the machine.
    #[default]
    Auto,
    /// A written value.
    Set(T),
}

impl<T> Auto<T> {
    /// The written value; `None` for `"auto"`.
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
        // Through a TOML value, which can be compared with "auto" before it is read as a name.
        let value = toml::Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("auto") => Ok(Auto::Auto),
            _ => T::deserialize(value).map(Auto::Set).map_err(D::Error::custom),
        }
    }
}
