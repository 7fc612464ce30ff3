//! An image inside a page, as a data URI, so that the page is one file.

use mochi_figures::Escaped;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Format of an encoded image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

/// An encoded image with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The encoded file.
    pub bytes: Vec<u8>,
    /// Its format.
    pub encoding: Encoding,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Name, shown on hover and used as alternative text.
    pub name: String,
}

/// The `<img>` element.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.encoding {
            Encoding::Jpeg => "jpeg",
            Encoding::Png => "png",
        };
        write!(
            f,
            "<img src=\"data:image/{format};base64,{}\" width=\"{}\" height=\"{}\" alt=\"{name}\" title=\"{name}\">",
            STANDARD.encode(&self.bytes),
            self.width,
            self.height,
            name = Escaped(&self.name)
        )
    }
}
