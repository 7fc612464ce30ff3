//! Small datasets on disk for the tests.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod pictures;
#[cfg(feature = "remote")]
pub(crate) mod server;

use std::path::{Path, PathBuf};

use mochi_data::{Batch, Dataset, Loader, LoaderOptions, OpenOptions, Order, Position};
use mochi_views::Augmentation;

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../mochi-views/tests/fixtures/images").join(name))
        .unwrap()
}

/// A folder of `count` good images in three classes; each is one of a few fixtures.
pub(crate) fn folder(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let kinds = ["444.jpg", "420.jpg", "rgb.png", "lossy.webp", "cmyk.jpg", "p4.png", "views.jpg"];
    for i in 0..count {
        let path = image_path(dir.path(), i);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, fixture(kinds[i % 6])).unwrap();
    }
    dir
}

/// Where image `i` of [`folder`] lies. Its index in the dataset is another: classes come one after the other.
pub(crate) fn image_path(root: &Path, i: usize) -> PathBuf {
    root.join(format!("class{}", i % 3)).join(format!("{i:04}.img.jpg"))
}

pub(crate) fn open(path: &Path) -> Dataset {
    Dataset::open(path, &OpenOptions::default()).unwrap()
}

pub(crate) fn options(batch: usize) -> LoaderOptions {
    LoaderOptions {
        order: Order::Shuffled { seed: 11 },
        seed: 11,
        start: Position { epoch: 2, batch: 0 },
        end_epoch: 3,
        batch,
        size: 20,
        augmentation: Augmentation::preset("moco-v2").unwrap(),
        threads: 2,
        prefetch: 2,
        ..LoaderOptions::default()
    }
}

pub(crate) fn all(dataset: &Dataset, options: LoaderOptions) -> Vec<Batch> {
    Loader::new(dataset, options).unwrap().map(|b| b.unwrap()).collect()
}

/// Number, images and views of a batch.
pub(crate) type Content<'a> = (usize, &'a [u32], &'a [Vec<f32>]);

/// What must be equal between two runs.
pub(crate) fn content(batches: &[Batch]) -> Vec<Content<'_>> {
    batches.iter().map(|b| (b.number, &b.images[..], &b.views[..])).collect()
}
