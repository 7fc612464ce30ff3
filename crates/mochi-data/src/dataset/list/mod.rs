//! Text file of sources: one per line, relative to the list's folder, with an optional class after a tab. `#` starts a comment.
//!
//! A line is an image, a folder or a pattern. A name with an image extension is not checked when the list is opened, so that a list of a million
//! images opens quickly; a missing file is a bad image when it is read. Names need not be UTF-8. Lines keep their order. An image that is listed
//! twice is used twice, but images from folders and patterns are used once.

mod line;

use std::collections::BTreeMap;
use std::path::Path;

use super::counter::Counter;
use line::{Line, lines, quote};
use mochi_text::{counted_with, part_of};

use super::file::read_maybe_gzip;
use super::folder::{classes, find_images};
use super::listing::has_image_extension;
use super::paths::{Paths, as_bytes, as_path};
use super::unique::unique;
use super::{Opened, Store, pattern};
use crate::error::DataError;
use crate::skipped::Skipped;

/// Maximum size of a list: more than ten million long paths.
const MAX_LIST_BYTES: u64 = 2 << 30;

/// Number of files that are checked when a list is opened.
const TRIED: usize = 16;

/// Images collected from the lines so far.
#[derive(Default)]
struct Gathered {
    images: Paths,
    /// Class of each image, from its line or its folder: an index into `names`.
    labels: Vec<u32>,
    /// Class names and their numbers, in the order of their first use.
    names: BTreeMap<Vec<u8>, u32>,
    unlabelled: bool,
    /// Ranges of images from folders or patterns.
    found: Vec<std::ops::Range<usize>>,
    warnings: Vec<String>,
    missing: Vec<String>,
    /// Images recognized by extension only and not checked: index and line.
    named: Vec<(usize, usize)>,
    skipped: Skipped,
    counter: Counter,
}

pub(super) fn open(path: &Path, counter: &Counter) -> Result<Opened, DataError> {
    let bytes = read_maybe_gzip(path, MAX_LIST_BYTES)?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let refused = |detail: String| DataError::Format { path: path.into(), detail };
    if bytes.iter().take(8192).any(|&b| b == 0) {
        let is_utf16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
        let detail = if is_utf16 { "the list is UTF-16; save it as UTF-8" } else { "the list is not a text file" };
        return Err(refused(detail.into()));
    }
    let root = path.parent().unwrap_or(Path::new(""));
    let mut gathered = Gathered { counter: counter.clone(), ..Gathered::default() };
    let (mut count, mut with_class) = (0usize, 0usize);
    for (number, line) in lines(bytes) {
        let Some(line) = Line::parse(line, root) else { continue };
        if count == 0 && with_class == 0 && line.is_header() && !root.join(as_path(line.name)).exists() {
            gathered.warnings.push(format!("line {number} of {} was skipped as a header", path.display()));
            continue;
        }
        count += 1;
        with_class += usize::from(line.class.is_some());
        let wrong = |detail| DataError::List { path: path.into(), line: number, detail };
        gathered.line(root, number, &line, wrong)?;
    }
    if with_class > 0 && with_class < count {
        return Err(refused(format!(
            "{} a class after a tab; all lines must have one, or none",
            part_of(with_class, count, "line", ["has", "have"])
        )));
    }
    if count == 0 {
        return Err(refused("the list is empty".into()));
    }
    if gathered.images.is_empty() {
        return Err(DataError::NoImages { path: path.into(), skipped: gathered.skipped });
    }
    gathered.check_some_exist(path, root)?;
    Ok(gathered.finish(path, root))
}

/// A folder relative to the list's folder, if it is below it, so that its images have the same names however the folder is written.
fn below<'a>(folder: &'a Path, root: &Path) -> &'a [u8] {
    as_bytes(folder.strip_prefix(root).unwrap_or(folder))
}

impl Gathered {
    fn line(
        &mut self,
        root: &Path,
        number: usize,
        line: &Line<'_>,
        wrong: impl Fn(String) -> DataError,
    ) -> Result<(), DataError> {
        let Line { name, class } = *line;
        let path = root.join(as_path(name));
        let names_folder = name.ends_with(b"/");
        if !names_folder && has_image_extension(name) && (!pattern::is_pattern(name) || path.exists()) {
            if line.is_odd()
                && !path.exists()
                && let Some(detail) = line.diagnose()
            {
                return Err(wrong(detail));
            }
            self.named.push((self.images.len(), number));
            self.image(name, class);
            return Ok(());
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                let walked = find_images(&path, &self.counter)?;
                if walked.images.is_empty() {
                    self.warnings.push(format!("folder {} contains no images", path.display()));
                }
                self.warnings.extend(walked.warnings);
                self.skipped.add(&walked.skipped);
                self.found(below(&path, root), &walked.images, class);
            }
            Ok(_) if !names_folder => self.image(name, class),
            Err(_) if pattern::is_pattern(name) => {
                let matched = pattern::find(as_bytes(&path), &self.counter)?;
                self.warnings.extend(matched.warnings);
                self.skipped.add(&matched.skipped);
                self.found(below(&matched.base, root), &matched.images, class);
            }
            Err(error) if names_folder && error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DataError::Io { path, source: error });
            }
            _ if names_folder => return Err(wrong(format!("folder {} does not exist", quote(name)))),
            _ => match line.diagnose() {
                Some(detail) => return Err(wrong(detail)),
                None => {
                    self.missing.push(path.display().to_string());
                    self.image(name, class);
                }
            },
        }
        Ok(())
    }

    /// Refuses a list if none of a few checked lines is an existing file. Otherwise every line would be a bad image.
    fn check_some_exist(&self, path: &Path, root: &Path) -> Result<(), DataError> {
        let Some(&(first, line)) = self.named.first() else { return Ok(()) };
        let step = self.named.len().div_ceil(TRIED);
        let name = |image: usize| self.images.get(image).unwrap_or_default();
        let tried: Vec<usize> = self.named.iter().step_by(step).map(|&(image, _)| image).collect();
        let missing = |&image: &usize| {
            let found = std::fs::metadata(root.join(as_path(name(image))));
            found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        if self.named.len() < self.images.len() || !tried.iter().all(missing) {
            return Ok(());
        }
        let what = root.join(as_path(name(first)));
        let detail = match tried.len() {
            1 => format!("file {} does not exist", quote(as_bytes(&what))),
            n => format!("none of {n} files that were checked exists; first: {}", quote(as_bytes(&what))),
        };
        Err(DataError::List { path: path.into(), line, detail })
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

    /// Classes of the images below `folder`: that of the line, otherwise the first folder level.
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
            let images = counted_with(left_out, "image", ["is given by two lines", "are given by two lines"]);
            self.warnings.push(format!("{images} of {} and used once", path.display()));
        }
        if twice > 0 {
            let lines = counted_with(twice, "line", ["repeats", "repeat"]);
            self.warnings.push(format!("{lines} an image of the list {}, which is used once per line", path.display()));
        }
        if let Some(first) = self.missing.first() {
            let count = self.missing.len();
            let entries = counted_with(count, "entry", ["does not exist", "do not exist"]);
            self.warnings.push(format!("list {}: {entries}; first: {first}", path.display()));
        }
        relative.shrink();
        let class_names = match labels {
            Some(_) => self.names.keys().map(|c| String::from_utf8_lossy(c).into_owned()).collect(),
            None => Vec::new(),
        };
        let store = Store::Files { root: root.into(), relative };
        Opened { kind: "list file", store, labels, class_names, warnings: self.warnings, skipped: self.skipped }
    }
}
