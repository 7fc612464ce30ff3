//! Files that `--out` names: a result may replace an earlier result, but no other file, such as an image of the dataset.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use mochi_files::check_writable;

use crate::failure::{Failure, Outcome};

/// Bytes in which a file of Mochi shows that it is one.
const BEGINNING: u64 = 8 << 10;

/// A kind of output.
pub struct Kind {
    /// Extensions in lower case, the usual one first; empty if any name will do.
    pub extensions: &'static [&'static str],
    /// Bytes near the beginning of every such file that Mochi wrote.
    pub marker: &'static [u8],
}

/// A page of `mochi-report`.
pub const PAGE: Kind = Kind { extensions: &["html", "htm"], marker: b" - Mochi</title>" };
/// A sheet of views.
pub const SHEET: Kind = Kind { extensions: &["png"], marker: b"Software\0Mochi" };
/// The weights of a detector.
pub const WEIGHTS: Kind = Kind { extensions: &["safetensors"], marker: b"\"names\":\"detectron2\"" };
/// The result of an evaluation.
pub const RESULT: Kind = Kind { extensions: &[], marker: b"\"protocol\"" };

impl Kind {
    /// Whether a path ends in one of the extensions.
    pub fn names(&self, path: &Path) -> bool {
        let extension = path.extension().unwrap_or_default();
        self.extensions.is_empty() || self.extensions.iter().any(|known| extension.eq_ignore_ascii_case(known))
    }

    /// Checks that a path ends in one of the extensions.
    ///
    /// # Errors
    /// Another name, with one for `example`.
    pub fn check_name(&self, path: &Path, example: &str) -> Outcome<()> {
        if self.names(path) {
            return Ok(());
        }
        let usual = self.extensions.first().copied().unwrap_or_default();
        let what = format!("--out expects a name ending in .{usual}, got {}", path.display());
        Err(Failure::new(what, format!("for example --out {example}")))
    }

    /// Checks before long work that the result can be written, and that it does not replace a file of another kind.
    ///
    /// # Errors
    /// A path that cannot be written, and a file that Mochi did not write.
    pub fn check(&self, path: &Path) -> Outcome<()> {
        check_writable(path)?;
        self.check_replaceable(path)
    }

    /// The second half of [`Self::check`], for many files of one folder.
    ///
    /// # Errors
    /// A file that Mochi did not write.
    pub fn check_replaceable(&self, path: &Path) -> Outcome<()> {
        if path.is_file() {
            // What cannot be read is not known to be a result; an empty file holds nothing that could be lost.
            let empty = path.metadata().is_ok_and(|metadata| metadata.len() == 0);
            if !empty && !self.wrote(path).unwrap_or(false) {
                let what = format!("{} exists and is not an earlier result, so it is not replaced", path.display());
                return Err(Failure::new(what, "give --out another name, or remove the file first"));
            }
        }
        Ok(())
    }

    /// Whether Mochi wrote the file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn wrote(&self, path: &Path) -> std::io::Result<bool> {
        let mut beginning = Vec::new();
        File::open(path)?.take(BEGINNING).read_to_end(&mut beginning)?;
        Ok(beginning.windows(self.marker.len()).any(|bytes| bytes == self.marker))
    }
}
