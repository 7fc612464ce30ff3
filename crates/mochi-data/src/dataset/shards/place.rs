//! Where the bytes of an image are.

/// Where the bytes of an image are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) shard: u32,
}
