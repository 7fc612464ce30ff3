//! What a figure lacks.

/// What a figure needs and does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// As the end of the sentence "it needs ...".
    pub(crate) needs: String,
    /// The command that makes it.
    pub(crate) command: String,
}

impl Missing {
    pub(crate) fn new(needs: impl Into<String>, command: impl Into<String>) -> Self {
        Self { needs: needs.into(), command: command.into() }
    }
}
