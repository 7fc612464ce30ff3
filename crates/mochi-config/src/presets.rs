//! A built-in preset: one TOML file.

/// A built-in preset.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Name, as given to `--preset`.
    pub name: &'static str,
    /// The TOML file, with the source of its values in comments.
    pub text: &'static str,
}

impl Preset {
    /// One sentence that says what it is: the first line of its file. The comments that follow give the source of its values.
    pub fn summary(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.strip_prefix("# ").unwrap_or(first)
    }
}

/// The presets of these names in a folder of `presets/`, which ends with a slash or is empty.
macro_rules! presets {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$($crate::presets::Preset {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/presets/", $folder, $name, ".toml")),
        }),+]
    };
}

pub(crate) use presets;
