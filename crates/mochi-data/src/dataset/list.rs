//! A text file of sources: one a line, relative to the list's folder, `#` for a comment, an optional class after a tab.
//!
//! A line is an image, a folder, or a pattern. A name that ends like an image's is one and is not looked at, so that a list of a million
//! images opens at once; a missing one counts as a bad image when its turn comes. Names need not be UTF-8. Lines keep their order, and
//! an image that is listed twice is shown twice; what folders and patterns bring besides, once.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::read_maybe_gzip;
use super::folder::{classes, look_through};
use super::listing::has_image_extension;
use super::paths::{Paths, as_bytes, as_path};
use super::tally::Tally;
use super::unique::unique;
use super::{Opened, Store, pattern};
use crate::error::DataError;

/// More than ten million long paths.
const MAX_LIST_BYTES: u64 = 2 << 30;

/// What the lines have brought so far.
#[derive(Default)]
struct Gathered {
    images: Paths,
    /// For each image the class that its line or its folder gives it: a number in `names`.
    labels: Vec<u32>,
    /// Class names and their numbers in the order in which they came.
    names: BTreeMap<Vec<u8>, u32>,
    unlabelled: bool,
    /// Stretches of images that a folder or a pattern brought.
    found: Vec<std::ops::Range<usize>>,
    warnings: Vec<String>,
    missing: Vec<String>,
    tally: Tally,
}

pub(super) fn open(path: &Path, tally: &Tally) -> Result<Opened, DataError> {
    let bytes = read_maybe_gzip(path, MAX_LIST_BYTES)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let root = path.parent().unwrap_or(Path::new(""));
    let mut gathered = Gathered { tally: tally.clone(), ..Gathered::default() };
    let (mut lines, mut with_class) = (0usize, 0usize);
    for line in bytes.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut parts = line.splitn(2, |&b| b == b'\t');
        let (name, class) = (parts.next().unwrap_or(line), parts.next());
        lines += 1;
        with_class += usize::from(class.is_some());
        gathered.line(root, name, class)?;
    }
    if with_class > 0 && with_class < lines {
        let detail = format!("{with_class} of {lines} lines name a class after a tab; all must, or none");
        return Err(DataError::Format { path: path.into(), detail });
    }
    if gathered.images.is_empty() {
        return Err(DataError::NoImages { path: path.into(), others: 0 });
    }
    Ok(gathered.finish(path, root))
}

/// A folder as seen from the list's, where it lies below it: however it was spelt, its images get the same names.
fn below<'a>(folder: &'a Path, root: &Path) -> &'a [u8] {
    as_bytes(folder.strip_prefix(root).unwrap_or(folder))
}

impl Gathered {
    fn line(&mut self, root: &Path, name: &[u8], class: Option<&[u8]>) -> Result<(), DataError> {
        let path = root.join(as_path(name));
        let names_folder = name.ends_with(b"/");
        if !names_folder && has_image_extension(name) && (!pattern::is_pattern(name) || path.exists()) {
            self.image(name, class);
            return Ok(());
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                let walked = look_through(&path, &self.tally)?;
                if walked.images.is_empty() {
                    self.warnings.push(format!("folder {} holds no image", path.display()));
                }
                self.warnings.extend(walked.warnings);
                self.found(below(&path, root), &walked.images, class);
            }
            Ok(_) if !names_folder => self.image(name, class),
            Err(_) if pattern::is_pattern(name) => {
                let matched = pattern::find(as_bytes(&path), &self.tally)?;
                self.warnings.extend(matched.warnings);
                self.found(below(&matched.base, root), &matched.images, class);
            }
            Err(error) if names_folder && error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DataError::Io { path, source: error });
            }
            _ if names_folder => return Err(DataError::NotFound { path }),
            _ => {
                self.missing.push(path.display().to_string());
                self.image(name, class);
            }
        }
        Ok(())
    }

    fn number_of(&mut self, class: &[u8]) -> u32 {
        if let Some(&number) = self.names.get(class) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.insert(class.to_vec(), number);
        number
    }

    fn image(&mut self, name: &[u8], class: Option<&[u8]>) {
        self.images.push(name);
        match class {
            Some(class) => {
                let number = self.number_of(class);
                self.labels.push(number);
            }
            None => self.unlabelled = true,
        }
    }

    /// What lies below `folder`: the line's class, else the first level of folders.
    fn found(&mut self, folder: &[u8], images: &Paths, class: Option<&[u8]>) {
        let start = self.images.len();
        images.iter().for_each(|image| self.images.push_joined(folder, image));
        self.found.push(start..self.images.len());
        match (class, classes(images)) {
            (Some(class), _) => {
                let number = self.number_of(class);
                self.labels.resize(self.labels.len() + images.len(), number);
            }
            (None, (Some(labels), names)) => {
                let numbers: Vec<u32> = names.iter().map(|name| self.number_of(name.as_bytes())).collect();
                self.labels.extend(labels.iter().map(|&l| numbers.get(l as usize).copied().unwrap_or(0)));
            }
            (None, (None, _)) => self.unlabelled = true,
        }
    }

    fn finish(mut self, path: &Path, root: &Path) -> Opened {
        // Numbers in the order of names.
        let mut order = vec![0u32; self.names.len()];
        for (sorted, &came) in self.names.values().enumerate() {
            if let Some(slot) = order.get_mut(came as usize) {
                *slot = sorted as u32;
            }
        }
        self.labels.iter_mut().for_each(|l| *l = order.get(*l as usize).copied().unwrap_or(0));
        let mut labels = (!self.unlabelled).then_some(self.labels);

        let in_found = |index| {
            let after = self.found.partition_point(|range| range.start <= index);
            after.checked_sub(1).and_then(|i| self.found.get(i)).is_some_and(|range| range.contains(&index))
        };
        let (kept, twice) = unique(&self.images, in_found);
        let mut relative = self.images;
        if let Some(kept) = kept {
            let left_out = relative.len() - kept.len();
            relative = kept.iter().filter_map(|&i| relative.get(i)).collect();
            labels = labels.map(|all| kept.iter().filter_map(|&i| all.get(i).copied()).collect());
            self.warnings
                .push(format!("{left_out} images are named by two lines of {} and count once", path.display()));
        }
        if twice > 0 {
            self.warnings.push(format!("{twice} lines of {} name an image again: it is shown again", path.display()));
        }
        if let Some(first) = self.missing.first() {
            let count = self.missing.len();
            self.warnings.push(format!("{count} lines of {} name nothing that is there: {first}", path.display()));
        }
        relative.shrink();
        let class_names = match labels {
            Some(_) => self.names.keys().map(|c| String::from_utf8_lossy(c).into_owned()).collect(),
            None => Vec::new(),
        };
        let store = Store::Files { root: root.into(), relative };
        Opened { kind: "list file", store, labels, class_names, warnings: self.warnings }
    }
}
