//! The reference page of all settings, made from the table of keys and the presets.

use std::fmt::Write as _;

use crate::error::ConfigError;
use crate::{Settings, keys, presets};

/// The text of `docs/reference/configuration.md`. A test compares the file with it, so the page cannot go stale.
pub fn reference() -> Result<String, ConfigError> {
    let base = Settings::preset("moco-v2")?.describe();
    let small = Settings::preset(presets::DEFAULT)?.describe();
    let mut page = String::from(
        "<!-- Generated from crates/mochi-config; do not edit by hand. -->\n\
         # Settings\n\n\
         A run's settings are a preset, then a TOML file (`--config FILE`), then `KEY=VALUE` words of the command line; \
         later ones cover earlier ones. A file names the preset that it starts from with `extends = \"NAME\"`. Values \
         that are `\"auto\"` are worked out from the data set and the machine; the run's `config.toml` says what they \
         came to and how.\n\n## Presets\n\n",
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
        let _ = writeln!(page, "* takes: {}", key.expected());
        let default = if base.value == small.value {
            format!("`{}`", base.value)
        } else {
            format!("`{}` in `moco-v2`, `{}` in `{}`", base.value, small.value, presets::DEFAULT)
        };
        let _ = writeln!(page, "* default: {default}");
    }
    Ok(page)
}
