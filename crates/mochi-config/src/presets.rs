//! The built-in presets, one TOML file each. Those of the MoCHi paper are named as in the paper, MoCHi (N, s, s').

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

/// The preset used if none is named.
pub const DEFAULT: &str = "small";

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        &[$(Preset { name: $name, text: include_str!(concat!("../presets/", $name, ".toml")) }),+]
    };
}

const PRESETS: &[Preset] = presets![
    "small",
    "small-mochi",
    "demo",
    "moco-v1",
    "moco-v2",
    "moco-v2-cifar",
    "mochi-1024-1024-128",
    "mochi-1024-256-512",
    "mochi-1024-128-256",
    "mochi-1024-512-256",
    "mochi-512-1024-512",
    "mochi-256-512-0",
    "mochi-256-512-256",
    "mochi-256-2048-2048",
    "mochi-128-1024-512",
    "simclr",
    "supcon",
    "nnclr",
    "un-mix",
    "i-mix",
    "mixco",
    "feature-transformation",
    "synco",
];

/// Every built-in preset.
pub fn all() -> impl Iterator<Item = &'static Preset> + Clone {
    PRESETS.iter()
}

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}
