//! `dataset.json`: the shards of a packed dataset. It is written last, so a folder with this file is complete.

use serde::{Deserialize, Serialize};

/// Name of the file.
pub(crate) const FILE: &str = "dataset.json";
/// Name of the state file of an unfinished pack.
pub(crate) const UNFINISHED: &str = "pack-unfinished.json";
const FORMAT: &str = "mochi-shards";
const VERSION: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Distinguishes this file from other files of the same name.
    pub(crate) format: String,
    pub(crate) version: u32,
    /// Number of images in all shards.
    pub(crate) images: u64,
    /// Class names in the order of the labels; empty without labels.
    pub(crate) class_names: Vec<String>,
    /// Fingerprint of the dataset that was packed, in hexadecimal.
    pub(crate) source: String,
    pub(crate) shards: Vec<Shard>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shard {
    /// File name, next to `dataset.json`.
    pub(crate) file: String,
    pub(crate) images: u32,
    pub(crate) bytes: u64,
    /// CRC-32C of the tar file, in hexadecimal.
    pub(crate) crc32c: String,
}

impl Manifest {
    pub(crate) fn new(class_names: Vec<String>, source: u64, shards: Vec<Shard>) -> Self {
        let images = shards.iter().map(|s| u64::from(s.images)).sum();
        let source = format!("{source:016x}");
        Self { format: FORMAT.into(), version: VERSION, images, class_names, source, shards }
    }

    /// `None` if this is another program's `dataset.json`; an error if `mochi pack` wrote it and it is invalid.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        match serde_json::from_slice::<Head>(bytes) {
            Ok(head) if head.format == FORMAT && head.version != VERSION => {
                return Err(format!("unsupported version {}; expected {VERSION}", head.version));
            }
            Ok(head) if head.format == FORMAT => {}
            _ => return Ok(None),
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        // Names must be files of the same folder.
        let odd = |s: &&Shard| s.file.is_empty() || s.file.starts_with('.') || s.file.contains(['/', '\\']);
        match manifest.shards.iter().find(odd) {
            Some(shard) => Err(format!("\"{}\" is not a file name of a shard", shard.file)),
            None => Ok(Some(manifest)),
        }
    }
}

/// Name of a shard's index: `x.tar` has `x.idx`.
pub(crate) fn index_of(shard: &str) -> String {
    format!("{}.idx", shard.strip_suffix(".tar").unwrap_or(shard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_programs_are_ignored_and_bad_names_refused() {
        assert_eq!(Manifest::parse(b"{\"images\": 3}"), Ok(None));
        assert_eq!(Manifest::parse(b"no JSON"), Ok(None));
        let shard = |file: &str| Shard { file: file.into(), images: 2, bytes: 9, crc32c: "0".into() };
        let written = |file| serde_json::to_vec(&Manifest::new(vec!["a".into()], 1, vec![shard(file)])).unwrap();
        assert_eq!(Manifest::parse(&written("0.tar")).unwrap().unwrap().images, 2);
        for file in ["../0.tar", "/etc/passwd", ".0.tar", ""] {
            assert!(Manifest::parse(&written(file)).is_err(), "{file}");
        }
        let newer = String::from_utf8(written("0.tar")).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(Manifest::parse(newer.as_bytes()).unwrap_err().contains("version 2"));
        let broken = String::from_utf8(written("0.tar")).unwrap().replace("\"shards\"", "\"pieces\"");
        assert!(Manifest::parse(broken.as_bytes()).is_err());
    }
}
