//! An index of a folder's images as bytes: what each folder below a root held, and the stamp by which to know that it still does.
//!
//! ```text
//! "mochi-ix" version:u32 crc32c(body):u32 body          numbers little-endian, n: LEB128
//! body   = n root, n folders, folder*                    the root without links, to tell a hash that two roots share
//! folder = path, inode:u64, (seconds:i64, nanoseconds:u32) x 2, n others, n size of names, names
//! names  = n images, path*, n folders, path*             sorted; of a folder's own entries
//! path   = n shared with the one before, n bytes, bytes
//! ```
//!
//! Sharing beginnings makes a million names like `n01440764_10026.JPEG` about 6 MB. Names are taken apart when a folder is asked for.

use std::collections::HashMap;
use std::ops::Range;

use super::listing::{Listing, Stamp};
use super::paths::Paths;

const MAGIC: &[u8; 8] = b"mochi-ix";
const VERSION: u32 = 1;
/// Magic, version, checksum.
const HEAD: usize = 16;
/// Longest name of an entry and longest path below a root, in bytes, as Linux has them. What is longer is not kept; and shared
/// beginnings cannot blow a small file up without bound.
pub(super) const NAME_MAX: usize = 255;
pub(super) const PATH_MAX: usize = 4096;

/// An index that was read: its checksum fits and its folders can be found; see the head of this file.
#[derive(Debug, Default)]
pub struct Index {
    bytes: Vec<u8>,
    root: Vec<u8>,
    folders: Folders,
}

/// By path from the root.
type Folders = HashMap<Vec<u8>, Entry>;

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    others: usize,
    /// In `bytes`.
    names: Range<usize>,
}

impl Index {
    /// Reads an index from the bytes of its file.
    ///
    /// # Errors
    /// One phrase: what is wrong with them. No bytes make it panic, and memory is at most 128 times their number.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let Some((head, body)) = bytes.split_at_checked(HEAD) else { return Err("it is cut short".into()) };
        let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        if !head.starts_with(MAGIC) {
            return Err("it is no index of Mochi's".into());
        }
        if word(8) != VERSION {
            return Err(format!("it is of version {}, not {VERSION}", word(8)));
        }
        if word(12) != crc32c::crc32c(body) {
            return Err("its checksum does not fit".into());
        }
        let mut reader = Reader { bytes: body, at: 0 };
        let read = reader.folders(HEAD).ok_or("its parts do not fit together")?;
        let (root, folders) = read;
        Ok(Self { bytes, root, folders })
    }

    /// The folder that it is an index of, links resolved.
    pub(super) fn root(&self) -> &[u8] {
        &self.root
    }

    /// How many folders it knows.
    pub fn len(&self) -> usize {
        self.folders.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// How many images all its folders hold together, if every name can be read.
    pub fn images(&self) -> Option<usize> {
        self.folders.values().map(|entry| Some(self.listing(entry)?.images.len())).sum()
    }

    /// What the folder at `relative` held, if it is known and its stamp is still the same.
    pub(super) fn get(&self, relative: &[u8], stamp: Stamp) -> Option<Listing> {
        self.folders.get(relative).filter(|entry| entry.stamp == stamp).and_then(|entry| self.listing(entry))
    }

    fn listing(&self, entry: &Entry) -> Option<Listing> {
        let mut reader = Reader { bytes: self.bytes.get(entry.names.clone())?, at: 0 };
        let (images, folders) = (reader.paths()?, reader.paths()?);
        Some(Listing { images, folders, others: entry.others, stamp: Some(entry.stamp), ..Listing::default() })
    }
}

/// Writes the index of `root`: each folder by its path from there, with its stamp and what it holds.
pub(super) fn write<'a>(root: &[u8], folders: &[(&'a [u8], Stamp, &'a Listing)]) -> Vec<u8> {
    let mut body = Vec::new();
    number(&mut body, root.len());
    body.extend_from_slice(root);
    number(&mut body, folders.len());
    let (mut before, mut names): (&[u8], _) = (b"", Vec::new());
    for (path, stamp, listing) in folders {
        shared(&mut body, before, path);
        before = path;
        body.extend_from_slice(&stamp.inode.to_le_bytes());
        for (seconds, nanoseconds) in [stamp.modified, stamp.changed] {
            body.extend_from_slice(&seconds.to_le_bytes());
            body.extend_from_slice(&u32::try_from(nanoseconds).unwrap_or(0).to_le_bytes());
        }
        number(&mut body, listing.others);
        names.clear();
        for list in [&listing.images, &listing.folders] {
            number(&mut names, list.len());
            let mut before: &[u8] = b"";
            for name in list.iter() {
                shared(&mut names, before, name);
                before = name;
            }
        }
        number(&mut body, names.len());
        body.extend_from_slice(&names);
    }
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn number(to: &mut Vec<u8>, number: usize) {
    let mut rest = number as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn shared(to: &mut Vec<u8>, before: &[u8], path: &[u8]) {
    let same = before.iter().zip(path).take_while(|(a, b)| a == b).count();
    let rest = path.get(same..).unwrap_or_default();
    number(to, same);
    number(to, rest.len());
    to.extend_from_slice(rest);
}

/// Goes through bytes that may hold anything: every step gives `None` rather than go beyond them.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    fn path(&mut self, before: &mut Vec<u8>) -> Option<()> {
        let (same, rest) = (self.number()?, self.number()?);
        if same > before.len() || same.checked_add(rest)? > PATH_MAX {
            return None;
        }
        before.truncate(same);
        before.extend_from_slice(self.take(rest)?);
        Some(())
    }

    fn paths(&mut self) -> Option<Paths> {
        let mut paths = Paths::default();
        for _ in 0..self.number()? {
            let (same, rest) = (self.number()?, self.number()?);
            if same.checked_add(rest)? > NAME_MAX || !paths.push_shared(same, self.take(rest)?) {
                return None;
            }
        }
        Some(paths)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        let inode = u64::from_le_bytes(self.fixed()?);
        let mut time = || Some((i64::from_le_bytes(self.fixed()?), i64::from(u32::from_le_bytes(self.fixed()?))));
        Some(Stamp { inode, modified: time()?, changed: time()? })
    }

    /// The root and the folders of a body that begins at `offset` of its file.
    fn folders(&mut self, offset: usize) -> Option<(Vec<u8>, Folders)> {
        let length = self.number()?;
        let root = self.take(length)?.to_vec();
        let count = self.number()?;
        // A folder takes 36 bytes at least: a count that lies reserves nothing.
        let mut folders = HashMap::with_capacity(count.min(self.bytes.len() / 36));
        let mut path = Vec::new();
        for _ in 0..count {
            self.path(&mut path)?;
            let (stamp, others, size) = (self.stamp()?, self.number()?, self.number()?);
            let start = self.at;
            self.take(size)?;
            folders.insert(path.clone(), Entry { stamp, others, names: offset + start..offset + self.at });
        }
        (self.at == self.bytes.len()).then_some((root, folders))
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
