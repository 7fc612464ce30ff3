//! Listing of a shard without an index, from its tar headers: WebDataset shards of any program, or any tar file of images.
//!
//! A sample consists of consecutive members with the same key, the name up to the first dot after the last slash (WebDataset's rule). Its image is
//! the first member with an image extension, `.cls` contains its class as a number, and other members are ignored. Links are followed within the
//! archive.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use mochi_tar::{Content, End, Entry, Headers, Members, normal};
use mochi_text::{counted, counted_with};

use super::index::{Listing, Member};
use crate::dataset::has_image_extension;

/// Maximum size of a `.cls` member.
const MOST_CLASS: u64 = 32;

/// Result of a scan.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) listing: Listing,
    pub(super) warnings: Vec<String>,
    /// Number of members that neither are an image nor belong to one.
    pub(super) others: usize,
    /// Whether members at the end are, or may be, missing.
    pub(super) incomplete: bool,
}

/// Reads the headers of a shard.
///
/// # Errors
/// A message if the file is not a tar file or has no complete header.
pub(super) fn scan(path: &Path) -> std::io::Result<Scanned> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    // A small buffer, because most bytes belong to images and are skipped.
    scan_from(BufReader::with_capacity(4096, file), length, &path.display().to_string())
}

fn scan_from<R: Read + Seek>(source: R, length: u64, shown: &str) -> std::io::Result<Scanned> {
    let refused = |detail: &str| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, detail.to_owned()));
    let mut headers = Headers::new(source, length);
    let mut scan = Scan::default();
    let mut last: Option<Entry> = None;
    let end = loop {
        match headers.read_next()? {
            Ok(entry) => {
                scan.add(&mut headers, &entry)?;
                last = Some(entry);
            }
            Err(end) => break end,
        }
    };
    let Some(last) = last else {
        return refused(match end {
            _ if length == 0 => "the file is empty",
            End::Complete => "the archive is empty",
            End::Damaged { at: 0 } => "it does not start with a tar header",
            _ => "it ends inside its first member",
        });
    };
    let mut scanned = scan.finish(length, shown);
    let images = scanned.listing.images.len();
    let found = counted_with(images, "image", ["was found", "were found"]);
    let warning = match (&end, &last.content) {
        (End::Complete, _) => None,
        (End::Damaged { at }, _) => Some(format!("shard {shown} is damaged at byte {at}; {found} before it")),
        (End::CutShort, Content::File { offset, length: wanted }) if *offset + *wanted > length => Some(format!(
            "shard {shown} is truncated: it ends inside {} ({} of {}), the last of {}",
            last.name,
            length.saturating_sub(*offset),
            counted(wanted, "byte"),
            counted(images, "image")
        )),
        (End::CutShort, _) => Some(format!("shard {shown} is truncated after {}; {found}", last.name)),
        (End::Unmarked, _) => {
            Some(format!("shard {shown} ends after {} without an end marker and may be truncated; {found}", last.name))
        }
    };
    scanned.incomplete = warning.is_some();
    scanned.warnings.splice(0..0, warning);
    Ok(scanned)
}

/// State of the scan.
#[derive(Default)]
struct Scan {
    images: Vec<Member>,
    /// Images that are links: index and target.
    links: Vec<(usize, String)>,
    /// All files and links.
    members: Members,
    key: String,
    sample: Sample,
    others: usize,
    more_images: usize,
    unsupported: Option<(usize, String)>,
    odd_classes: Option<(usize, String)>,
    lone_classes: Option<(usize, String)>,
}

/// The current sample.
#[derive(Default)]
struct Sample {
    image: Option<Member>,
    link: Option<String>,
    class: Option<u32>,
    /// Name of the `.cls`.
    class_name: Option<String>,
}

/// Counts a case and stores the first one.
fn count(cases: &mut Option<(usize, String)>, first: impl FnOnce() -> String) {
    match cases {
        Some((count, _)) => *count += 1,
        None => *cases = Some((1, first())),
    }
}

impl Scan {
    fn add<R: Read + Seek>(&mut self, headers: &mut Headers<R>, entry: &Entry) -> std::io::Result<()> {
        let Entry { name, content } = entry;
        if *content == Content::Nothing {
            return Ok(());
        }
        self.members.add(entry);
        let Some((key, extension)) = split(name) else {
            self.others += 1;
            return Ok(());
        };
        if key != self.key {
            self.end_sample();
            self.key = key.to_owned();
        }
        if has_image_extension(name.as_bytes()) {
            let (offset, length, link) = match content {
                Content::File { offset, length } => (*offset, *length, None),
                Content::Unsupported(why) => {
                    count(&mut self.unsupported, || format!("{name}: {why}"));
                    return Ok(());
                }
                _ => (0, 0, Some(normal(name))),
            };
            if self.sample.image.is_some() {
                self.more_images += 1;
                return Ok(());
            }
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            self.sample.image = Some(Member { name: name.clone(), offset, length, crc: None, class: None });
            self.sample.link = link;
        } else if extension == "cls"
            && let Content::File { offset, length } = content
        {
            let text = headers.read(*offset, (*length).min(MOST_CLASS))?;
            let text = String::from_utf8_lossy(&text);
            self.sample.class = text.trim().parse().ok().filter(|_| *length <= MOST_CLASS);
            self.sample.class_name = Some(name.clone());
            if self.sample.class.is_none() {
                count(&mut self.odd_classes, || format!("{name}: \"{}\"", text.trim()));
            }
        } else {
            self.others += 1;
        }
        Ok(())
    }

    fn end_sample(&mut self) {
        let Sample { image, link, class, class_name } = std::mem::take(&mut self.sample);
        match (image, class_name) {
            (Some(image), _) => {
                self.links.extend(link.map(|name| (self.images.len(), name)));
                self.images.push(Member { class, ..image });
            }
            (None, Some(name)) => count(&mut self.lone_classes, || name),
            (None, None) => {}
        }
    }

    fn finish(mut self, length: u64, shown: &str) -> Scanned {
        self.end_sample();
        let mut dangling: Option<(usize, String)> = None;
        let mut left_out = Vec::new();
        for (number, name) in &self.links {
            let Some(image) = self.images.get_mut(*number) else { continue };
            match self.members.find(name) {
                Some(span) => {
                    image.offset = span.offset;
                    image.length = u32::try_from(span.length).unwrap_or(u32::MAX);
                }
                None => {
                    let target = self.members.target(name).unwrap_or_default();
                    count(&mut dangling, || format!("{} -> {target}", image.name));
                    left_out.push(*number);
                }
            }
        }
        let mut number = 0..;
        self.images.retain(|_| number.next().is_none_or(|number| left_out.binary_search(&number).is_err()));
        let mut warnings = Vec::new();
        let mut tell = |cases: Option<(usize, String)>, what: &str, verbs| {
            if let Some((count, first)) = cases {
                warnings.push(format!("shard {shown}: {}, first: {first}", counted_with(count, what, verbs)));
            }
        };
        let verbs = ["has no target in the archive and is ignored", "have no target in the archive and are ignored"];
        tell(dangling, "link", verbs);
        let verbs = ["is in an unsupported form and is ignored", "are in an unsupported form and are ignored"];
        tell(self.unsupported, "image", verbs);
        tell(self.odd_classes, ".cls file", ["does not contain a class number", "do not contain a class number"]);
        let verbs = ["is not next to the image of its key", "are not next to the image of their key"];
        tell(self.lone_classes, ".cls file", verbs);
        if self.more_images > 0 {
            warnings.push(format!(
                "shard {shown}: {} because another image has the same key (name up to the first dot); if the dots \
                 are part of the names, pack the images again with `mochi pack`, which replaces dots",
                counted_with(self.more_images, "image", ["was ignored", "were ignored"])
            ));
        }
        let listing = Listing { bytes: length, images: self.images };
        Scanned { listing, warnings, others: self.others, incomplete: false }
    }
}

/// Key and extension; `None` for hidden files and names without a dot.
fn split(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name.get(base..)?.find('.')?;
    (dot > base).then(|| (&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
