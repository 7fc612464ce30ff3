//! Files of other formats than JPEG, PNG and WebP, counted by extension.

use std::collections::BTreeMap;
use std::fmt;

use mochi_text::{counted, counted_with};
use serde::Serialize;

/// Extensions of image and video formats that are not read.
const UNREAD_FORMATS: [&str; 24] = [
    "avif", "bmp", "cr2", "cr3", "dcm", "dng", "exr", "gif", "heic", "heif", "hif", "j2k", "jp2", "jxl", "mov", "mp4",
    "nef", "arw", "ppm", "psd", "svg", "tga", "tif", "tiff",
];
/// Number of extensions that a message names.
const NAMED: usize = 5;

/// Files that were skipped while a dataset was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Files by extension in lower case; "" for those without one.
    pub by_extension: BTreeMap<String, usize>,
    /// Files and folders whose names begin with a dot. Their contents are not counted.
    pub hidden: usize,
}

impl Skipped {
    pub(crate) fn add_file(&mut self, name: &[u8]) {
        let extension = name.iter().rposition(|&b| b == b'.').and_then(|dot| name.get(dot + 1..)).unwrap_or_default();
        // Longer or unusual suffixes are part of the name.
        let usual = extension.len() <= 10 && extension.iter().all(u8::is_ascii_alphanumeric);
        let extension = if usual { extension } else { b"" };
        let extension = String::from_utf8_lossy(extension).to_ascii_lowercase();
        *self.by_extension.entry(extension).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (extension, count) in &other.by_extension {
            *self.by_extension.entry(extension.clone()).or_default() += count;
        }
        self.hidden += other.hidden;
    }

    /// All skipped files.
    pub fn files(&self) -> usize {
        self.by_extension.values().sum()
    }

    /// Files of one extension.
    pub fn of(&self, extension: &str) -> usize {
        self.by_extension.get(extension).copied().unwrap_or(0)
    }

    /// Files of image and video formats that are not supported.
    pub fn unread_images(&self) -> Self {
        let unread = self.by_extension.iter().filter(|(extension, _)| UNREAD_FORMATS.contains(&extension.as_str()));
        Self { by_extension: unread.map(|(extension, &count)| (extension.clone(), count)).collect(), hidden: 0 }
    }

    /// The warning about images that are missing from the dataset because of their format.
    pub fn warning(&self) -> Option<String> {
        let unread = self.unread_images();
        let count = unread.files();
        let skipped = counted_with(count, "file", ["was skipped", "were skipped"]);
        (count > 0).then(|| format!("{skipped} because of an unsupported format: {unread}"))
    }
}

/// "300 .heic, 200 .tif, 2 without an extension", the most frequent first.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<(&String, &usize)> = self.by_extension.iter().collect();
        all.sort_by_key(|&(extension, count)| (std::cmp::Reverse(*count), extension));
        for (at, (extension, count)) in all.iter().take(NAMED).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            match extension.as_str() {
                "" => write!(f, "{comma}{count} without an extension")?,
                extension => write!(f, "{comma}{count} .{extension}")?,
            }
        }
        let more: usize = all.iter().skip(NAMED).map(|(_, count)| **count).sum();
        if more > 0 { write!(f, ", {}", counted(more, "other")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_by_extension() {
        let mut skipped = Skipped::default();
        for name in ["a.HEIC", "b.heic", "c.tif", "README", "x.tar.gz", "an.odd name here", "\u{e9}.\u{e9}"] {
            skipped.add_file(name.as_bytes());
        }
        assert_eq!(skipped.to_string(), "3 without an extension, 2 .heic, 1 .gz, 1 .tif");
        let wanted = "3 files were skipped because of an unsupported format: 2 .heic, 1 .tif";
        assert_eq!(skipped.warning().as_deref(), Some(wanted));
        assert_eq!((skipped.files(), skipped.of("gz")), (7, 1));
        assert_eq!(Skipped::default().warning(), None);
    }
}
