//! A picture inside the page: its encoded bytes as a data URI, so that the page stays one file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::escape::Escaped;

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

/// A picture and what to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// A whole encoded file.
    pub bytes: Vec<u8>,
    /// Its format.
    pub encoding: Encoding,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// What it is, for those who hover over it or cannot see it.
    pub name: String,
}

/// The `<img>` element.
impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.encoding {
            Encoding::Jpeg => "jpeg",
            Encoding::Png => "png",
        };
        write!(
            f,
            "<img src=\"data:image/{kind};base64,{}\" width=\"{}\" height=\"{}\" alt=\"{name}\" title=\"{name}\">",
            STANDARD.encode(&self.bytes),
            self.width,
            self.height,
            name = Escaped(&self.name)
        )
    }
}
