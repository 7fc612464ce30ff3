//! Location of an image's bytes.

/// Location of an image's bytes: shard, offset and length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) shard: u32,
}
