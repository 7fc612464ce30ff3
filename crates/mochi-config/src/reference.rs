//! The reference page of all settings, generated from the table of keys and the presets.

use std::fmt::Write as _;

use crate::error::ConfigError;
use crate::kind::Kind;
use crate::settings::Settings;
use crate::{keys, presets};

/// The text of `docs/reference/configuration.md`. A test compares the file with it.
///
/// # Errors
/// None: the built-in presets are valid (a test loads each).
pub fn reference() -> Result<String, ConfigError> {
    let base = Settings::preset("moco-v2")?.describe();
    let small = Settings::preset(presets::DEFAULT)?.describe();
    let mut page = String::from(
        "<!-- Generated from crates/mochi-config; do not edit by hand. -->\n\
         # Settings\n\n\
         Settings come from a preset, then a TOML file (`--config FILE`), then `KEY=VALUE` arguments of the command line. \
         Later ones override earlier ones. A file selects its preset with `extends = \"NAME\"`. `\"auto\"` values are \
         computed from the dataset and the machine; the run's `config.toml` contains the resolved values and how each was \
         chosen.\n\n## Presets\n\n`mochi presets NAME` prints a preset with the source of its values.\n\n",
    );
    for preset in presets::all() {
        let _ = writeln!(page, "* `{}`: {}", preset.name, preset.summary());
    }
    let mut section = "";
    page.push_str("\n## Top level\n");
    for (key, (base, small)) in keys::all().zip(base.iter().zip(&small)) {
        let (of, _) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != section {
            let _ = write!(page, "\n## `[{of}]`\n");
            section = of;
        }
        let _ = write!(page, "\n### `{}`\n{}\n\n", key.name, key.doc.trim());
        let _ = writeln!(page, "* values: {}", key.expected());
        if let Kind::Selection(choices) | Kind::Selections(choices) = key.kind {
            page.push_str(&choices.reference());
        }
        let default = if base.value == small.value {
            format!("`{}`", base.value)
        } else {
            format!("`{}` in `moco-v2`, `{}` in `{}`", base.value, small.value, presets::DEFAULT)
        };
        let _ = writeln!(page, "* default: {default}");
    }
    Ok(page)
}
