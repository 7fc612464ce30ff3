//! Reads the headers of a tar file in sequence; the number of bytes read per header is bounded.
//!
//! Supported are v7, ustar, GNU (long names, base-256 sizes, volume labels, sparse files) and pax (`path`, `linkpath`, `size`).

use std::io::{self, Read, Seek, SeekFrom};

const BLOCK: u64 = 512;
/// Maximum size of a long name or of a pax header.
const MOST_EXTENSION: u64 = 64 << 10;

/// A member of a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive.
    pub name: String,
    /// What it is.
    pub content: Content,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file whose bytes are at `offset`.
    File {
        /// Bytes of the archive before those of the file.
        offset: u64,
        /// Length of the file in bytes.
        length: u64,
    },
    /// A link. The target of a hard link is a member; that of a symbolic link is a path relative to its folder.
    Link {
        /// What it leads to.
        target: String,
        /// Whether it is a symbolic link.
        symbolic: bool,
    },
    /// A member that is not supported, and the reason.
    Unsupported(&'static str),
    /// A folder, a device, a label.
    Nothing,
}

/// End of a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The end marker.
    Complete,
    /// The end of a member, without an end marker.
    Unmarked,
    /// Inside of a member or a header.
    CutShort,
    /// An invalid header; the content after it is unknown.
    Damaged {
        /// Offset of the header in bytes.
        at: u64,
    },
}

/// The headers of a tar file.
#[derive(Debug)]
pub struct Headers<R> {
    source: R,
    length: u64,
    next: u64,
}

/// Extension headers of the next member.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    too_long: bool,
    any: bool,
}

impl<R: Read + Seek> Headers<R> {
    /// Reads the headers of `source`, which has `length` bytes.
    pub fn new(source: R, length: u64) -> Self {
        Self { source, length, next: 0 }
    }

    /// Reads the next member, or the end of the file.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read_next(&mut self) -> io::Result<Result<Entry, End>> {
        let mut extensions = Extensions::default();
        loop {
            let at = self.next;
            if at == self.length && !extensions.any {
                return Ok(Err(End::Unmarked));
            }
            if at.saturating_add(BLOCK) > self.length {
                return Ok(Err(End::CutShort));
            }
            let block = self.block(at)?;
            if block.iter().all(|&byte| byte == 0) {
                return Ok(Err(End::Complete));
            }
            let header = tar::Header::from_byte_slice(&block);
            if !checksum_fits(&block) {
                return Ok(Err(End::Damaged { at }));
            }
            let kind = block[156];
            // The size field of a member without data may be invalid.
            let size = match kind {
                b'V' | b'1'..=b'6' => 0,
                _ => match header.entry_size() {
                    Ok(size) => size,
                    Err(_) => return Ok(Err(End::Damaged { at })),
                },
            };
            let body = at + BLOCK;
            if matches!(kind, b'L' | b'K' | b'x' | b'g') {
                if body.checked_add(size).is_none_or(|end| end > self.length) {
                    return Ok(Err(End::CutShort));
                }
                extensions.any = true;
                self.next = body + size.next_multiple_of(BLOCK);
                if kind == b'g' {
                    continue;
                }
                if size > MOST_EXTENSION {
                    extensions.too_long = true;
                    continue;
                }
                let mut bytes = vec![0; size as usize];
                self.source.seek(SeekFrom::Start(body))?;
                self.source.read_exact(&mut bytes)?;
                match kind {
                    b'L' => extensions.name = Some(until_zero(&bytes).to_vec()),
                    b'K' => extensions.link = Some(until_zero(&bytes).to_vec()),
                    _ => extensions.read_pax(&bytes),
                }
                continue;
            }
            return Ok(Ok(self.entry(header, &block, body, size, extensions)?));
        }
    }

    /// The member of a header that is not an extension header.
    fn entry(
        &mut self,
        header: &tar::Header,
        block: &[u8; BLOCK as usize],
        body: u64,
        size: u64,
        extensions: Extensions,
    ) -> io::Result<Entry> {
        let Extensions { name, link, size: pax_size, sparse, too_long, .. } = extensions;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let name = text(name.unwrap_or_else(|| header.path_bytes().into_owned()));
        let kind = block[156];
        let (size, mut offset) = (if matches!(kind, b'1'..=b'6' | b'V') { 0 } else { pax_size.unwrap_or(size) }, body);
        let mut content = match kind {
            0 | b'0' | b'7' if sparse => Content::Unsupported("a sparse file"),
            0 | b'0' | b'7' => Content::File { offset, length: size },
            b'1' | b'2' => {
                let target = link.or_else(|| header.link_name_bytes().map(|bytes| bytes.into_owned()));
                Content::Link { target: text(target.unwrap_or_default()), symbolic: kind == b'2' }
            }
            b'S' => {
                let dense = is_dense(block);
                // More blocks of the map may come before the data.
                let mut more = block[482];
                while more != 0 && offset.saturating_add(BLOCK) <= self.length {
                    more = self.block(offset)?[504];
                    offset += BLOCK;
                }
                if dense { Content::File { offset, length: size } } else { Content::Unsupported("a sparse file") }
            }
            _ => Content::Nothing,
        };
        if too_long && content != Content::Nothing {
            content = Content::Unsupported("a name or header of more than 64 KiB");
        }
        self.next = size.checked_next_multiple_of(BLOCK).and_then(|size| offset.checked_add(size)).unwrap_or(u64::MAX);
        Ok(Entry { name, content })
    }

    /// Reads the bytes of a small member.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read(&mut self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        self.source.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        (&mut self.source).take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn block(&mut self, at: u64) -> io::Result<[u8; BLOCK as usize]> {
        let mut block = [0; BLOCK as usize];
        self.source.seek(SeekFrom::Start(at))?;
        self.source.read_exact(&mut block)?;
        Ok(block)
    }
}

impl Extensions {
    /// Records of the form `LENGTH KEY=VALUE\n`.
    fn read_pax(&mut self, mut bytes: &[u8]) {
        while let Some((length, rest)) = split_at_byte(bytes, b' ') {
            let Some(length) = number(length) else { return };
            let Some(record) = bytes.get(..length).and_then(|record| record.get(bytes.len() - rest.len()..)) else {
                return;
            };
            let Some((key, value)) = split_at_byte(record.strip_suffix(b"\n").unwrap_or(record), b'=') else { return };
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = number(value).map(|size| size as u64),
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&b| b == byte)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Whether the checksum of a header is correct. Old programs add the bytes as signed numbers.
fn checksum_fits(block: &[u8; BLOCK as usize]) -> bool {
    let Ok(stored) = tar::Header::from_byte_slice(block).cksum() else { return false };
    let counted = |i: usize, byte: u8| if (148..156).contains(&i) { b' ' } else { byte };
    let unsigned: u32 = block.iter().enumerate().map(|(i, &byte)| u32::from(counted(i, byte))).sum();
    let signed: i64 = block.iter().enumerate().map(|(i, &byte)| i64::from(counted(i, byte).cast_signed())).sum();
    stored == unsigned || i64::from(stored) == signed
}

/// Whether an old GNU sparse file is one piece without holes.
fn is_dense(block: &[u8; BLOCK as usize]) -> bool {
    let octal = |range: std::ops::Range<usize>| {
        let text = std::str::from_utf8(until_zero(block.get(range)?)).ok()?;
        u64::from_str_radix(text.trim(), 8).ok()
    };
    let pieces = (0..4).filter(|i| octal(398 + i * 24..410 + i * 24).is_some_and(|bytes| bytes > 0)).count();
    pieces == 1 && block[482] == 0 && octal(386..398) == Some(0) && octal(398..410) == octal(483..495)
}
