//! Errors of the loss's inputs.

/// An invalid input of the loss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// Inconsistent lengths or shapes.
    #[error("{0}")]
    Shape(String),
    /// A value out of its range.
    #[error("{what} is {value}; expected {expected}")]
    Value {
        /// Name of the value.
        what: String,
        /// The given value.
        value: String,
        /// Valid values.
        expected: &'static str,
    },
    /// The metadata of a filter is missing.
    #[error("the filter {filter} needs the {what} of queries and candidate keys")]
    MissingMetadata {
        /// The filter.
        filter: &'static str,
        /// "images" or "labels".
        what: &'static str,
    },
}
