//! Options of packing, and parsing of sizes.

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// Size of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardSize {
    /// Maximum number of bytes (a shard has at least one image).
    Bytes(u64),
    /// Number of images.
    Images(u32),
}

/// Options of packing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackOptions {
    /// Resize images with a longer short side to this size in pixels.
    pub short_side: Option<u32>,
    /// Size of a shard.
    pub shard_size: ShardSize,
    /// Seed of the order.
    pub seed: u64,
    /// Keep the order of the source.
    pub in_order: bool,
    /// Number of threads that read, decode and resize; 0 means one per core. Does not change the output.
    #[serde(skip)]
    pub threads: usize,
}

impl Default for PackOptions {
    /// Shards of 256 MB, images unchanged, shuffled with seed 0.
    fn default() -> Self {
        Self { short_side: None, shard_size: ShardSize::Bytes(256_000_000), seed: 0, in_order: false, threads: 0 }
    }
}

impl PackOptions {
    pub(super) fn check(&self) -> Result<(), DataError> {
        let setting = |what, detail: &str| Err(DataError::Setting { what, detail: detail.into() });
        match self.shard_size {
            ShardSize::Bytes(0) | ShardSize::Images(0) => {
                return setting("shard size", "a shard must be large enough for an image");
            }
            _ => {}
        }
        match self.short_side {
            Some(n) if !(8..=16_384).contains(&n) => {
                setting("short side", &format!("expected 8 to 16384 pixels, got {n}"))
            }
            _ => Ok(()),
        }
    }
}

/// Parses a number of bytes: `1000000`, `256MB`, `1.5 GB`, `512MiB`.
///
/// # Errors
/// A message if the text is invalid.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let units = units.into_iter().chain([("kB", 1000), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000)]);
    let units = units.chain([("TB", 1_000_000_000_000), ("B", 1), ("", 1)]);
    for (unit, factor) in units {
        let Some(number) = text.trim().strip_suffix(unit) else { continue };
        let bytes = number.trim().parse::<f64>().map(|n| n * factor as f64);
        return match bytes {
            Ok(bytes) if (1.0..1e18).contains(&bytes) => Ok(bytes as u64),
            _ => Err(format!("\"{text}\" is not a size such as 256MB or 1GiB")),
        };
    }
    Err(format!("\"{text}\" is not a size in bytes"))
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn bytes_are_read_as_they_are_written() {
        let cases = [("256MB", 256_000_000), ("1.5 GB", 1_500_000_000), ("512MiB", 512 << 20), ("7", 7), ("12 B", 12)];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1MB", "0", "5 XB", "nan", "inf", "1e30"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
