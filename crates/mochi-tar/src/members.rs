//! The files of a tar archive by name.

use std::collections::HashMap;

use crate::headers::{Content, Entry};

/// Maximum length of a chain of links.
const MOST_LINKS: usize = 16;

/// The bytes of a file within an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Bytes before it.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// The files and links of an archive by their names without `.` and `..`. A later member replaces an earlier one of the same name, as in unpacking.
#[derive(Debug, Default)]
pub struct Members {
    files: HashMap<String, Span>,
    targets: HashMap<String, String>,
}

impl Members {
    /// Takes a member in; folders, devices and members in unsupported forms are left out.
    pub fn add(&mut self, Entry { name, content }: &Entry) {
        let own = normal(name);
        match content {
            Content::File { offset, length } => {
                self.targets.remove(&own);
                self.files.insert(own, Span { offset: *offset, length: *length });
            }
            Content::Link { target, symbolic } => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let relative = *symbolic && !target.starts_with('/');
                let target = if relative { normal(&format!("{folder}/{target}")) } else { normal(target) };
                self.files.remove(&own);
                self.targets.insert(own, target);
            }
            Content::Unsupported(_) | Content::Nothing => {}
        }
    }

    /// The file of a name, links followed within the archive.
    pub fn find(&self, name: &str) -> Option<Span> {
        let mut at = name;
        for _ in 0..=MOST_LINKS {
            match self.files.get(at) {
                Some(span) => return Some(*span),
                None => at = self.targets.get(at)?,
            }
        }
        None
    }

    /// What a link of this name leads to; `None` for other members.
    pub fn target(&self, name: &str) -> Option<&str> {
        self.targets.get(name).map(String::as_str)
    }

    /// The names of all files and links, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().chain(self.targets.keys()).map(String::as_str)
    }
}

/// A path without `.` and `..`, which cannot lead out of the archive.
pub fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, offset: u64) -> Entry {
        Entry { name: name.to_owned(), content: Content::File { offset, length: 1 } }
    }

    fn link(name: &str, target: &str, symbolic: bool) -> Entry {
        Entry { name: name.to_owned(), content: Content::Link { target: target.to_owned(), symbolic } }
    }

    #[test]
    fn links_are_followed_within_the_archive() {
        let mut members = Members::default();
        let entries = [
            file("./a/1.jpg", 512),
            link("b/2.jpg", "../a/1.jpg", true),
            link("b/3.jpg", "b/2.jpg", false),
            link("b/4.jpg", "../../../../a/1.jpg", true),
            link("loop", "loop", false),
            link("lost", "nowhere", false),
        ];
        entries.iter().for_each(|entry| members.add(entry));
        let at = |name: &str| members.find(name).map(|span| span.offset);
        let found = ["a/1.jpg", "b/2.jpg", "b/3.jpg", "b/4.jpg", "loop", "lost", "none"].map(at);
        assert_eq!(found, [Some(512), Some(512), Some(512), Some(512), None, None, None]);
        assert_eq!((members.target("lost"), members.target("a/1.jpg")), (Some("nowhere"), None));
    }

    #[test]
    fn a_later_member_replaces_an_earlier_one() {
        let mut members = Members::default();
        [file("a", 1), link("a", "b", false), file("b", 2)].iter().for_each(|entry| members.add(entry));
        assert_eq!(members.find("a"), Some(Span { offset: 2, length: 1 }));
        members.add(&file("a", 3));
        assert_eq!(members.find("a"), Some(Span { offset: 3, length: 1 }));
        assert_eq!(members.names().count(), 2);
    }
}
