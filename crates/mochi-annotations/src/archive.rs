//! A dataset in tar files: their members together are its folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use mochi_files::{FileError, open_regular};
use mochi_tar::{End, Headers, Members, Part, PatternError, Span, is_pattern, matching};

use crate::entry::Entry;
use crate::error::AnnotationError;

/// The files and folders of tar files. Of members with the same name the last one counts, as in unpacking.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    tars: Vec<PathBuf>,
    folders: BTreeMap<String, BTreeMap<String, Option<Member>>>,
}

/// A file of an archive.
#[derive(Clone, Copy, Debug)]
struct Member {
    tar: usize,
    span: Span,
}

/// The tar files that a path means: one, those of a pattern, or those of a folder with nothing else but their indexes and descriptions; `None` for other
/// paths.
pub(crate) fn tars(path: &Path) -> Result<Option<Vec<PathBuf>>, AnnotationError> {
    let is_tar = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar"));
    let read = |source| AnnotationError::from(FileError::Io { action: "read", path: path.to_owned(), source });
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut tars = Vec::new();
            for entry in std::fs::read_dir(path).map_err(read)? {
                let entry = entry.map_err(read)?.path();
                if is_tar(&entry) {
                    tars.push(entry);
                } else if entry.is_dir() {
                    return Ok(None);
                }
            }
            tars.sort();
            Ok((!tars.is_empty()).then_some(tars))
        }
        Ok(_) => Ok(is_tar(path).then(|| vec![path.to_owned()])),
        Err(error) => match path.to_str().filter(|text| is_tar(path) && is_pattern(text)) {
            None => Err(read(error)),
            Some(pattern) => matching(pattern).map(Some).map_err(|error| match error {
                PatternError::Io { path, source } => FileError::Io { action: "read", path, source }.into(),
                other => AnnotationError::NoArchive { path: path.to_owned(), detail: other.to_string() },
            }),
        },
    }
}

impl Archive {
    /// Reads the headers of tar files.
    pub(crate) fn open(tars: Vec<PathBuf>) -> Result<Self, AnnotationError> {
        let mut archive = Self { tars, folders: BTreeMap::new() };
        archive.folders.insert(String::new(), BTreeMap::new());
        for tar in 0..archive.tars.len() {
            let members = members(&archive.tars[tar])?;
            let files = members.names().filter_map(|name| Some((name, members.find(name)?)));
            files.for_each(|(name, span)| archive.insert(name, Member { tar, span }));
        }
        Ok(archive)
    }

    /// The only folder at the top, if there is nothing beside it: `tar cf photos.tar photos` puts one there.
    pub(crate) fn only_folder(&self) -> Option<PathBuf> {
        let mut top = self.folders.get("")?.iter();
        let (name, member) = top.next()?;
        (member.is_none() && top.next().is_none()).then(|| PathBuf::from(name))
    }

    fn insert(&mut self, name: &str, member: Member) {
        let (mut rest, mut node) = (name, Some(member));
        loop {
            let (folder, own) = rest.rsplit_once('/').unwrap_or(("", rest));
            let known = self.folders.contains_key(folder);
            self.folders.entry(folder.to_owned()).or_default().insert(own.to_owned(), node.take());
            if folder.is_empty() || known {
                return;
            }
            rest = folder;
        }
    }

    fn member(&self, name: &Path) -> Option<Member> {
        let name = key(name)?;
        let (folder, own) = name.rsplit_once('/').unwrap_or(("", &name));
        *self.folders.get(folder)?.get(own)?
    }

    pub(crate) fn is_file(&self, name: &Path) -> bool {
        self.member(name).is_some()
    }

    pub(crate) fn is_folder(&self, name: &Path) -> bool {
        key(name).is_some_and(|name| self.folders.contains_key(&name))
    }

    pub(crate) fn list(&self, folder: &Path) -> Vec<Entry> {
        let entries = key(folder).and_then(|folder| self.folders.get(&folder));
        let shown = entries.into_iter().flatten().filter(|(name, _)| !name.starts_with('.'));
        shown.map(|(name, member)| Entry { name: name.into(), folder: member.is_none() }).collect()
    }

    /// The tar file and the bytes of a file.
    pub(crate) fn place(&self, name: &Path) -> Option<(&Path, Span)> {
        let Member { tar, span } = self.member(name)?;
        Some((self.tars.get(tar)?, span))
    }

    /// A file for reading.
    pub(crate) fn reader(&self, name: &Path) -> Result<BufReader<Part>, FileError> {
        let (tar, span) = self.place(name).ok_or_else(|| FileError::Io {
            action: "read",
            path: name.to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        })?;
        Ok(BufReader::new(Part::new(open_regular(tar)?, span)))
    }
}

/// The members of a tar file that is complete.
fn members(path: &Path) -> Result<Members, AnnotationError> {
    let incomplete = |detail: String| AnnotationError::Archive { path: path.to_owned(), detail };
    let read = |source| AnnotationError::from(FileError::Io { action: "read", path: path.to_owned(), source });
    let file: File = open_regular(path)?;
    let length = file.metadata().map_err(read)?.len();
    // A small buffer, because most bytes belong to images and are skipped.
    let mut headers = Headers::new(BufReader::with_capacity(4096, file), length);
    let (mut members, mut last) = (Members::default(), None);
    let end = loop {
        match headers.read_next().map_err(read)? {
            Ok(entry) => {
                members.add(&entry);
                last = Some(entry.name);
            }
            Err(end) => break end,
        }
    };
    match (end, last) {
        (End::Damaged { at: 0 }, _) => Err(incomplete("it does not start with a tar header".to_owned())),
        (_, None) => Err(incomplete("the archive is empty".to_owned())),
        (End::Complete | End::Unmarked, _) => Ok(members),
        (End::CutShort, Some(last)) => Err(incomplete(format!("it is truncated after {last}"))),
        (End::Damaged { at }, _) => Err(incomplete(format!("it is damaged at byte {at}"))),
    }
}

/// The key of a path within the archive; `None` if it leads out of it or is not UTF-8.
fn key(path: &Path) -> Option<String> {
    use std::path::Component;
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}
