//! Many paths in two allocations, instead of one allocation per path.
//!
//! Paths are bytes and need not be UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// List of paths or names, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paths {
    bytes: Vec<u8>,
    /// End of each path in `bytes`.
    ends: Vec<usize>,
}

impl Paths {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn push(&mut self, path: &[u8]) {
        self.bytes.extend_from_slice(path);
        self.ends.push(self.bytes.len());
    }

    /// Adds `folder/name`, or `name` alone if the folder is empty.
    pub(super) fn push_joined(&mut self, folder: &[u8], name: &[u8]) {
        self.bytes.extend_from_slice(folder);
        if !folder.is_empty() && !folder.ends_with(b"/") {
            self.bytes.push(b'/');
        }
        self.push(name);
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before).copied()).unwrap_or(0)
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        self.bytes.get(self.start(index)..*self.ends.get(index)?)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let path = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            path
        })
    }

    /// The same paths, sorted by their bytes.
    pub(super) fn sorted(&self) -> Self {
        let mut all: Vec<&[u8]> = self.iter().collect();
        all.sort_unstable();
        all.into_iter().collect()
    }

    /// Releases unused capacity.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

impl<'a> FromIterator<&'a [u8]> for Paths {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(paths: I) -> Self {
        let mut all = Self::default();
        paths.into_iter().for_each(|path| all.push(path));
        all
    }
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

pub(super) fn as_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back_as_they_went_in() {
        let mut paths = Paths::default();
        paths.push(b"");
        paths.push_joined(b"", b"b\xff");
        paths.push_joined(b"a", b"c");
        paths.push_joined(b"/", b"c");
        paths.push(b"/d/e");
        let all = [&b""[..], b"b\xff", b"a/c", b"/c", b"/d/e"];
        assert!(paths.iter().eq(all) && paths.len() == 5 && !paths.is_empty());
        assert_eq!((paths.get(4), paths.get(5)), (Some(&b"/d/e"[..]), None));
        assert!(paths.sorted().iter().eq([&b""[..], b"/c", b"/d/e", b"a/c", b"b\xff"]));
    }
}
