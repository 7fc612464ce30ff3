//! The most that is read of a run's files, so that a damaged or foreign run cannot fill the memory.

/// Bytes of `config.toml`, of a checkpoint's `manifest.json` and `state.json`, of one result, of `views.jpg`.
pub const WHOLE_FILE: u64 = 1 << 20;

/// Bytes of `analysis.json`, of which each checkpoint takes about 10 kB.
pub const ANALYSIS: u64 = 1 << 26;

/// Bytes of a line of a log.
pub const LINE: u64 = 1 << 20;
