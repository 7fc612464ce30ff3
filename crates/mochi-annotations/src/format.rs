//! The formats of datasets with objects.

use std::fmt;
use std::str::FromStr;

/// A format of annotation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// PASCAL VOC: one XML file per image.
    Voc,
    /// COCO: one JSON file per split.
    Coco,
    /// YOLO: one text file per image.
    Yolo,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Voc, Format::Coco, Format::Yolo];

    /// The name on the command line: `voc`, `coco` or `yolo`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voc => "voc",
            Self::Coco => "coco",
            Self::Yolo => "yolo",
        }
    }
}

/// The name for people: VOC, COCO or YOLO.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Voc => "VOC",
            Self::Coco => "COCO",
            Self::Yolo => "YOLO",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("expected voc, coco or yolo, got {text}"))
    }
}
