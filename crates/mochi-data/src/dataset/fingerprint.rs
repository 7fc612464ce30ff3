//! Fingerprint of a dataset: a hash of its names, labels and contents.

use std::collections::BinaryHeap;
use std::io::Read;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Number of files whose size and first bytes are part of a fingerprint. Reading them takes about 10 ms from a disk and about 1 s over a slow
/// network, whatever the number of files.
const SAMPLED: usize = 256;
/// Number of first bytes per file.
const HEAD: u64 = 4096;

/// Hasher of a fingerprint: 64-bit XXH3, which is stable. It is not cryptographic.
#[derive(Default)]
pub(super) struct Hasher(Xxh3);

impl Hasher {
    /// Includes the length, so that "ab", "c" and "a", "bc" differ.
    pub(super) fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The class of each image and the names of the classes.
    pub(super) fn labels(&mut self, labels: Option<&[u32]>, names: &[String]) {
        for &label in labels.unwrap_or_default() {
            self.0.update(&label.to_le_bytes());
        }
        names.iter().for_each(|name| self.part(name.as_bytes()));
    }

    /// Sizes and first bytes of a sample of the files below `root`. A file that cannot be read is hashed as unreadable.
    pub(super) fn contents<'a>(&mut self, root: &Path, names: impl Iterator<Item = &'a [u8]>) {
        let heads: Vec<(u64, Vec<u8>)> = sample(names, SAMPLED)
            .par_iter()
            .map(|name| {
                let path = root.join(super::paths::as_path(name));
                let mut head = Vec::new();
                // Opening a pipe would block.
                let Ok(metadata) = std::fs::metadata(&path) else { return (u64::MAX, head) };
                if metadata.is_file() {
                    let read = std::fs::File::open(&path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
                    read.map_or((u64::MAX, Vec::new()), |_| (metadata.len(), head))
                } else {
                    (u64::MAX, head)
                }
            })
            .collect();
        for (size, head) in heads {
            self.0.update(&size.to_le_bytes());
            self.part(&head);
        }
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// The `most` names with the smallest hashes, in the order of the hashes. The same names give the same selection.
fn sample<'a>(names: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<&'a [u8]> {
    let mut kept: BinaryHeap<(u64, &[u8])> = BinaryHeap::with_capacity(most + 1);
    for name in names {
        let ranked = (xxh3_64(name), name);
        if kept.len() < most {
            kept.push(ranked);
        } else if kept.peek().is_some_and(|largest| ranked < *largest) {
            kept.pop();
            kept.push(ranked);
        }
    }
    kept.into_sorted_vec().into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Dataset, OpenOptions};

    #[test]
    fn a_sample_is_the_same_in_any_order_of_the_names() {
        let names: Vec<String> = (0..1000).map(|i| format!("{i}.jpg")).collect();
        let forward = sample(names.iter().map(String::as_bytes), 50);
        let backward = sample(names.iter().rev().map(String::as_bytes), 50);
        assert!(forward == backward && forward.len() == 50);
        assert_eq!(sample(names.iter().take(3).map(String::as_bytes), 50).len(), 3);
    }

    fn fingerprint(path: &Path) -> u64 {
        Dataset::open(path, &OpenOptions::default()).unwrap().fingerprint()
    }

    /// Report H6.5.
    #[test]
    fn h6_5_other_pixels_under_the_same_names_are_another_dataset() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, header: &[u8], value: u8, count: usize| {
            std::fs::write(dir.path().join(name), [header, &vec![value; count][..]].concat()).unwrap();
        };
        let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2];
        write("train-images-idx3-ubyte", &images, 1, 8);
        write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2], 3, 2);
        let first = fingerprint(dir.path());
        assert_eq!(first, fingerprint(dir.path()));
        // As MNIST and Fashion-MNIST, whose names, counts and sizes are equal.
        write("train-images-idx3-ubyte", &images, 2, 8);
        let second = fingerprint(dir.path());
        write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2], 4, 2);
        assert!(first != second && second != fingerprint(dir.path()));
    }

    /// Report H6.5.
    #[test]
    fn h6_5_other_classes_or_other_files_are_another_dataset() {
        let dir = crate::testing::images(4);
        let list = dir.path().join("list.txt");
        let with = |text: &str| {
            std::fs::write(&list, text).unwrap();
            fingerprint(&list)
        };
        let first = with("0.jpg\tcat\n1.jpg\tdog\n");
        assert_eq!(first, with("0.jpg\tcat\n1.jpg\tdog\n"));
        assert_ne!(first, with("0.jpg\tdog\n1.jpg\tcat\n"), "labels swapped");
        assert_ne!(first, with("0.jpg\tcat\n1.jpg\tcow\n"), "a class of another name");
        let before = fingerprint(dir.path());
        std::fs::write(dir.path().join("2.jpg"), b"other bytes").unwrap();
        assert_ne!(before, fingerprint(dir.path()), "a file replaced by another of the same name");
    }
}
