//! The parts of a COCO file that are read. Entries are parsed one by one, so that an invalid one does not end the file.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A file whose entries are not parsed yet.
#[derive(Deserialize)]
pub(crate) struct Document<'a> {
    #[serde(borrow)]
    pub(crate) images: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) annotations: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) categories: Vec<&'a RawValue>,
}

/// An entry of `images`.
#[derive(Deserialize)]
pub(crate) struct Image {
    pub(crate) id: u64,
    pub(crate) file_name: String,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
}

/// An entry of `categories`.
#[derive(Deserialize)]
pub(crate) struct Category {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// An entry of `annotations`.
#[derive(Deserialize)]
pub(crate) struct Annotation {
    pub(crate) id: Option<u64>,
    pub(crate) image_id: u64,
    pub(crate) category_id: u64,
    bbox: [f64; 4],
    pub(crate) segmentation: Option<Segmentation>,
    pub(crate) area: Option<f64>,
    #[serde(default, rename = "iscrowd", deserialize_with = "flag")]
    pub(crate) crowd: bool,
    /// Where it is in the list.
    #[serde(skip)]
    pub(crate) position: usize,
}

/// A mask as the file has it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Segmentation {
    Polygons(Vec<Vec<f64>>),
    Runs {
        counts: Counts,
        /// Height, width.
        size: [u32; 2],
    },
}

/// Run lengths, compressed or not.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Counts {
    Numbers(Vec<u32>),
    Text(String),
}

impl Annotation {
    /// (x, y, width, height) as corners.
    pub(crate) fn bounds(&self) -> [f64; 4] {
        let [x, y, width, height] = self.bbox;
        [x, y, x + width, y + height]
    }

    /// Its name in problems.
    pub(crate) fn label(&self) -> String {
        self.id.map_or_else(|| format!("annotation {} of the list", self.position + 1), |id| format!("annotation {id}"))
    }
}

/// 0, 1, false or true.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Switch(bool),
        Number(u64),
    }
    Ok(match Option::<Flag>::deserialize(deserializer)? {
        None => false,
        Some(Flag::Switch(on)) => on,
        Some(Flag::Number(number)) => number != 0,
    })
}

/// The document of a file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document<'_>, serde_json::Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes)
}

/// An entry of `images`; the error says what is wrong.
pub(crate) fn image(raw: &RawValue) -> Result<Image, String> {
    entry(raw)
}

/// An entry of `categories`; the error says what is wrong.
pub(crate) fn category(raw: &RawValue) -> Result<Category, String> {
    entry(raw)
}

/// An entry of `annotations`; the error says what is wrong.
pub(crate) fn annotation(raw: &RawValue) -> Result<Annotation, String> {
    entry(raw)
}

fn entry<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    // The position within an entry says nothing to the reader of a file.
    let place = |error: serde_json::Error| {
        let text = error.to_string();
        text.split(" at line ").next().unwrap_or_default().to_owned()
    };
    serde_json::from_str(raw.get()).map_err(place)
}
