//! The error of drawing.

/// A figure cannot be drawn as PNG.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the figure {name} as PNG: {reason}")]
pub struct DrawingError {
    /// Name of the figure.
    pub name: String,
    /// What the renderer says.
    pub reason: String,
}

impl DrawingError {
    /// What to do about it, as an imperative.
    pub fn hint(&self) -> &'static str {
        "use its SVG file, which has the same figure, and report this as a bug"
    }
}
