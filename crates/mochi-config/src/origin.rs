//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A built-in preset, by name.
    Preset(String),
    /// A settings file.
    File(PathBuf),
    /// A `KEY=VALUE` word.
    CommandLine,
    /// Worked out; the text says how.
    Auto(String),
    /// Written, then changed because it could not stand; the text says why.
    Adjusted(String),
    /// Read back from a run's `config.toml`; the text is the remark that stands there.
    Run(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Preset(name) => write!(f, "preset {name}"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::CommandLine => f.write_str("command line"),
            Origin::Auto(reason) => write!(f, "auto: {reason}"),
            Origin::Adjusted(reason) => write!(f, "adjusted: {reason}"),
            Origin::Run(remark) => f.write_str(remark),
        }
    }
}

/// One line of `mochi config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Dotted name.
    pub key: &'static str,
    /// The value in TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}
