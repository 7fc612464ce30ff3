//! The index of a shard, `000000.idx` next to `000000.tar`: offset and length of each image, so that opening a shard reads no tar headers.
//!
//! ```text
//! "MOCHIIDX" | version u32 | images u32 | bytes of the tar u64
//! for each image: offset u64 | length u32 | crc32c of the bytes u32 | class u32 (0xFFFFFFFF: none) | name length u16 | name (UTF-8)
//! crc32c of all before u32
//! ```
//!
//! Little-endian. Offsets point at the image's own bytes, after its tar header.

/// Images of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Length of the tar file.
    pub(crate) bytes: u64,
    pub(crate) images: Vec<Member>,
}

/// One image in a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    /// CRC-32C of the image's bytes; unknown if only headers were read.
    pub(crate) crc: Option<u32>,
    pub(crate) class: Option<u32>,
}

const MAGIC: &[u8; 8] = b"MOCHIIDX";
const VERSION: u32 = 1;
const NO_CLASS: u32 = u32::MAX;

/// Maximum size of an index, for `images` images or for any number.
pub(crate) fn most_bytes(images: Option<u32>) -> u64 {
    let any = 1 << 30;
    images.map_or(any, |images| (28 + u64::from(images) * (22 + u64::from(u16::MAX))).min(any))
}

/// Encodes an index. Names are truncated to 65,535 bytes, at a character boundary.
pub(crate) fn encode(listing: &Listing) -> Vec<u8> {
    let mut out = Vec::with_capacity(28 + listing.images.len() * 64);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(listing.images.len() as u32).to_le_bytes());
    out.extend_from_slice(&listing.bytes.to_le_bytes());
    for image in &listing.images {
        let name = image.name.get(..image.name.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
        let length = name.len() as u16;
        out.extend_from_slice(&image.offset.to_le_bytes());
        out.extend_from_slice(&image.length.to_le_bytes());
        out.extend_from_slice(&image.crc.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&image.class.unwrap_or(NO_CLASS).to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

/// Reads an index.
///
/// # Errors
/// A message if the file is not an index, is damaged, or refers to bytes outside of its shard.
pub(crate) fn decode(bytes: &[u8]) -> Result<Listing, String> {
    let damaged = || "it is damaged or incomplete".to_owned();
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Err("it is not an index of a shard".into()) };
    let mut head = Fields(rest);
    let version = head.u32().ok_or_else(damaged)?;
    if version != VERSION {
        return Err(format!("unsupported version {version}; expected {VERSION}"));
    }
    let (body, crc) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return Err(damaged());
    }
    let mut fields = Fields(body.get(MAGIC.len() + 4..).ok_or_else(damaged)?);
    let count = fields.u32().ok_or_else(damaged)?;
    let tar = fields.u64().ok_or_else(damaged)?;
    let mut images = Vec::new();
    for _ in 0..count {
        let mut member = || {
            let (offset, length, crc, class) = (fields.u64()?, fields.u32()?, fields.u32()?, fields.u32()?);
            let letters = fields.u16()?;
            let name = std::str::from_utf8(fields.take(usize::from(letters))?).ok()?.to_owned();
            let inside = offset.checked_add(u64::from(length)).is_some_and(|end| end <= tar);
            let class = (class != NO_CLASS).then_some(class);
            inside.then_some(Member { name, offset, length, crc: Some(crc), class })
        };
        images.push(member().ok_or_else(damaged)?);
    }
    Ok(Listing { bytes: tar, images })
}

/// Reads little-endian numbers from the start of a slice; `None` at its end.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing() -> Listing {
        let member = |name: &str, offset, class| Member { name: name.into(), offset, length: 7, crc: Some(9), class };
        Listing { bytes: 10_240, images: vec![member("a/0.jpg", 512, Some(3)), member("ß.png", 1536, None)] }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(decode(&encode(&listing())), Ok(listing()));
        assert_eq!(decode(&encode(&Listing::default())), Ok(Listing::default()));
    }

    #[test]
    fn damage_is_detected_at_every_byte() {
        let whole = encode(&listing());
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(decode(&bytes).is_err(), "byte {at}");
            assert!(decode(&whole[..at]).is_err(), "cut at {at}");
        }
        let outside = Listing { bytes: 1540, ..listing() };
        assert!(decode(&encode(&outside)).is_err(), "an image may not end after its shard");
    }

    // House review H6.24.
    #[test]
    fn h6_24_long_names_are_cut_between_characters() {
        for letters in 65_530..65_538 {
            let name = "a".repeat(letters) + "\u{df}\u{1f600}";
            let member = Member { name: name.clone(), offset: 512, length: 1, crc: Some(0), class: None };
            let bytes = encode(&Listing { bytes: 1024, images: vec![member] });
            let read = &decode(&bytes).unwrap().images[0].name;
            assert!(name.starts_with(read) && read.len() > 65_531 && read.len() <= 65_535, "{}", read.len());
            assert!(bytes.len() as u64 <= most_bytes(Some(1)));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut with_magic = MAGIC.to_vec();
            with_magic.extend_from_slice(&1u32.to_le_bytes());
            with_magic.extend_from_slice(&bytes);
            with_magic.extend_from_slice(&crc32c::crc32c(&with_magic).to_le_bytes());
            let _ = decode(&with_magic);
        }
    }
}
