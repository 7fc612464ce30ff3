//! Metadata of samples.

/// Image ids and class labels of some rows, one entry per row. Negative values mean unknown and never match.
#[derive(Debug, Clone, Copy, Default)]
pub struct SampleMetadata<'a> {
    /// Image ids.
    pub images: Option<&'a [i64]>,
    /// Class labels.
    pub labels: Option<&'a [i64]>,
}
