//! Errors of the loss's inputs.

/// An invalid input of the loss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// Lengths or shapes that do not fit each other.
    #[error("{0}")]
    Shape(String),
    /// A value out of its range.
    #[error("{what} is {value}; expected {expected}")]
    Value {
        /// What was set.
        what: String,
        /// What it was set to.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A filter without the metadata that it compares.
    #[error("the filter {filter} needs the {what} of queries and candidate keys")]
    MissingMetadata {
        /// The filter.
        filter: &'static str,
        /// "images" or "labels".
        what: &'static str,
    },
}
