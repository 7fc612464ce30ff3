//! A dataset's folder, written by a test. Images are headers without pixels: readers need no more.

use std::path::{Path, PathBuf};

use mochi_annotations::{AnnotationError, Dataset, Format, ProblemKind, Purpose, ReadOptions, read};

/// A temporary folder.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Writes the header of a PNG file of 40 x 30 pixels.
    pub fn image(&self, name: &str) -> &Self {
        self.write(name, png(40, 30))
    }

    /// Reads the split for training.
    pub fn read(&self, format: Format, split: Option<&str>) -> Result<Dataset, AnnotationError> {
        self.read_classes(format, split, None)
    }

    /// Reads the split with given classes.
    pub fn read_classes(
        &self,
        format: Format,
        split: Option<&str>,
        classes: Option<&[String]>,
    ) -> Result<Dataset, AnnotationError> {
        read(self.path(), &ReadOptions { format: Some(format), split, purpose: Purpose::Training, classes })
    }
}

/// The header of a PNG file.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &size, &[8, 2, 0, 0, 0]].concat()
}

/// The header of a JPEG file whose pixels are stored as `width` x `height` and displayed turned by 90 degrees (EXIF orientation 6).
pub fn turned_jpeg(width: u16, height: u16) -> Vec<u8> {
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let frame = [&[0xFF, 0xC0, 0, 11, 8][..], &size, &[1, 1, 0x11, 0]].concat();
    [&[0xFF, 0xD8, 0xFF, 0xE1][..], &length, exif, &frame].concat()
}

/// The problems: kind, file, object.
pub fn found(dataset: &Dataset) -> Vec<(ProblemKind, &str, Option<&str>)> {
    let by_kind = dataset.problems.by_kind();
    by_kind
        .flat_map(|(kind, found)| {
            found.examples.iter().map(move |problem| (kind, problem.file.as_str(), problem.object.as_deref()))
        })
        .collect()
}
