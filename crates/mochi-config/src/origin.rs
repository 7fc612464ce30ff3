//! Origin of a value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A built-in preset, by name.
    Preset(String),
    /// A settings file.
    File(PathBuf),
    /// A `KEY=VALUE` argument.
    CommandLine,
    /// A value that a plan file sets at a line, from 1, as an argument would.
    Plan(PathBuf, usize),
    /// Computed; the text says how.
    Auto(String),
    /// Written, then changed because it was not possible; the text says why.
    Adjusted(String),
    /// Read from a run's `config.toml`; the text is its comment.
    Run(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Preset(name) => write!(f, "preset {name}"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::CommandLine => f.write_str("command line"),
            Origin::Plan(path, line) => write!(f, "{}, line {line}", path.display()),
            Origin::Auto(reason) => write!(f, "auto: {reason}"),
            Origin::Adjusted(reason) => write!(f, "adjusted: {reason}"),
            Origin::Run(remark) => f.write_str(remark),
        }
    }
}

/// Origin of the value of each key.
pub(crate) type Origins = BTreeMap<&'static str, Origin>;

/// One line of `mochi config`.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Dotted name.
    pub key: &'static str,
    /// The value.
    pub value: toml::Value,
    /// Its origin.
    pub origin: Origin,
}
