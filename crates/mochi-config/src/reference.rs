//! The reference page of a task's settings, generated from its keys and presets.

use std::fmt::Write as _;

use crate::choice::Task;
use crate::error::ConfigError;
use crate::kind::Kind;
use crate::layers::Layers;
use crate::origin::Origin;
use crate::schema::Schema;

/// The text of `docs/reference/configuration.md` and, for detection, `docs/reference/detection-settings.md`. A test compares the files with it.
///
/// # Errors
/// None: the built-in presets are valid (a test loads each).
pub fn reference(task: Task) -> Result<String, ConfigError> {
    let schema = task.schema();
    let (published, default) = (schema.published, schema.default_preset);
    let (of_published, of_default) = (values(schema, published)?, values(schema, default)?);
    let (title, option) = match task {
        Task::Pretraining => ("Settings", ""),
        Task::Detection => ("Settings of detection", " --task detection"),
    };
    let mut page = format!(
        "<!-- Generated from crates/mochi-config; do not edit by hand. -->\n\
         # {title}\n\n\
         Settings come from a preset, then a TOML file (`--config FILE`), then `KEY=VALUE` arguments of the command line. \
         Later ones override earlier ones. A file selects its preset with `extends = \"NAME\"`. `\"auto\"` values are \
         computed from the dataset and the machine; the run's `config.toml` contains the resolved values and how each was \
         chosen.\n\n## Presets\n\n`mochi presets NAME{option}` prints a preset with the source of its values.\n\n",
    );
    for preset in schema.presets() {
        let _ = writeln!(page, "* `{}`: {}", preset.name, preset.summary());
    }
    let mut section = "";
    page.push_str("\n## Top level\n");
    for key in schema.keys() {
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
        let value = |layers: &Layers| layers.values.get(key.name).map(|(value, _)| value.to_string());
        let [a, b] = [value(&of_published), value(&of_default)].map(Option::unwrap_or_default);
        let default = match a == b {
            true => format!("`{a}`"),
            false => format!("`{a}` in `{published}`, `{b}` in `{default}`"),
        };
        let _ = writeln!(page, "* default: {default}");
    }
    Ok(page)
}

/// The values of a preset.
fn values(schema: &'static Schema, preset: &str) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new(schema);
    layers.preset(preset, Origin::CommandLine);
    ConfigError::unless_empty(schema, std::mem::take(&mut layers.problems))?;
    Ok(layers)
}
