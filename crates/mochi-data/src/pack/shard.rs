//! Writing of one shard: a POSIX tar file, its index and its checksum. A shard is complete or absent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::encode::Encoded;
use super::write::{partial, write_whole};
use crate::dataset::shards::index::{Listing, Member, encode};
use crate::dataset::shards::manifest::{Shard, index_of};
use crate::error::DataError;

/// Size of a tar block.
const RECORD: u64 = 512;

/// A shard that is being written. If dropped before it is finished, its file is removed.
pub(super) struct ShardWriter {
    /// `None` once finished.
    tar: Option<tar::Builder<Counting<BufWriter<File>>>>,
    path: PathBuf,
    images: Vec<Member>,
}

impl ShardWriter {
    /// Starts the shard `name` in the folder `out`.
    pub(super) fn create(out: &Path, name: &str) -> Result<Self, DataError> {
        let path = out.join(name);
        // A file of an earlier call is removed first, so that nothing is written through a link or into another file.
        let made = match fs::remove_file(partial(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::create_new(partial(&path)),
        };
        let file = made.map_err(|source| DataError::Write { path: path.clone(), source })?;
        let counting = Counting { inner: BufWriter::with_capacity(1 << 20, file), bytes: 0, crc: 0 };
        Ok(Self { tar: Some(tar::Builder::new(counting)), path, images: Vec::new() })
    }

    pub(super) fn images(&self) -> usize {
        self.images.len()
    }

    /// Length of the file if this image were the last. A name that is too long for its header takes additional blocks.
    pub(super) fn bytes_with(&self, class: Option<u32>, image: &Encoded) -> u64 {
        let now = self.tar.as_ref().map_or(0, |tar| tar.get_ref().bytes);
        let class = if class.is_some() { 2 * RECORD } else { 0 };
        // Two empty records end a tar.
        now + RECORD + padded(image.bytes.len() as u64) + class + 2 * RECORD
    }

    pub(super) fn add(&mut self, key: &str, class: Option<u32>, image: &Encoded) -> Result<(), DataError> {
        let write = |source| DataError::Write { path: self.path.clone(), source };
        let Some(tar) = &mut self.tar else { return Ok(()) };
        let name = format!("{key}.{}", image.extension);
        append(tar, &name, &image.bytes).map_err(write)?;
        let length = image.bytes.len() as u64;
        let offset = tar.get_ref().bytes - padded(length);
        if let Some(class) = class {
            append(tar, &format!("{key}.cls"), class.to_string().as_bytes()).map_err(write)?;
        }
        let crc = Some(crc32c::crc32c(&image.bytes));
        // Files above decode::MAX_FILE_BYTES are not read.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.images.push(Member { name, offset, length, crc, class });
        Ok(())
    }

    /// Finishes the tar file, writes the index, and renames both. The index is first, so that a shard always has an index.
    pub(super) fn finish(mut self) -> Result<Shard, DataError> {
        let path = self.path.clone();
        let write = |source| DataError::Write { path: path.clone(), source };
        let Some(tar) = self.tar.take() else { return Err(write(io::ErrorKind::BrokenPipe.into())) };
        let temporary = partial(&path);
        let ended = || {
            let Counting { mut inner, bytes, crc } = tar.into_inner()?;
            inner.flush()?;
            inner.get_ref().sync_all()?;
            Ok((bytes, crc))
        };
        let (bytes, crc) = ended().map_err(|e| {
            let _ = fs::remove_file(&temporary);
            write(e)
        })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let images = self.images.len() as u32;
        let listing = Listing { bytes, images: std::mem::take(&mut self.images) };
        let indexed = write_whole(&path.with_file_name(index_of(&file)), &encode(&listing));
        indexed.and_then(|()| fs::rename(&temporary, &path).map_err(write)).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })?;
        Ok(Shard { file, images, bytes, crc32c: format!("{crc:08x}") })
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        if let Some(tar) = self.tar.take() {
            // Dropping the builder would write the end of the file that is being removed.
            drop(tar);
            let _ = fs::remove_file(partial(&self.path));
        }
    }
}

/// Writes one member. Its header has no time and no owner, so that output is reproducible.
fn append<W: Write>(tar: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    if header.set_path(name).is_err() {
        // Longer than a ustar header holds, or odd: the true name goes into a pax header before it.
        tar.append_pax_extensions([("path", name.as_bytes())])?;
        let cut: String = name.chars().filter(char::is_ascii).rev().take(90).collect();
        let cut: String = cut.chars().rev().collect();
        header.set_path(cut.trim_start_matches('/'))?;
    }
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    tar.append(&header, bytes)
}

fn padded(length: u64) -> u64 {
    length.div_ceil(RECORD) * RECORD
}

/// Counts the written bytes and computes their checksum.
struct Counting<W> {
    inner: W,
    bytes: u64,
    crc: u32,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.bytes += written as u64;
        self.crc = crc32c::crc32c_append(self.crc, &buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
