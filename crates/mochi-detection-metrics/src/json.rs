//! COCO's two kinds of JSON files as records, with the entry in every error.
//!
//! Only what an evaluation needs is read. Masks stay text until they are needed, so that they can be decoded in parallel.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::MetricsError;

/// The most that is read of a file, in bytes. COCO's training annotations have 0.5 GB, results with masks of all its images 3 GB.
pub(crate) const LIMIT: u64 = 8 << 30;

/// An image of a ground-truth file.
#[derive(Deserialize)]
pub(crate) struct ImageRecord {
    pub id: Id,
    /// In pixels; needed for masks only, as is the height.
    pub width: Option<Id>,
    pub height: Option<Id>,
}

/// A class of a ground-truth file.
#[derive(Deserialize)]
pub(crate) struct CategoryRecord {
    pub id: Id,
    #[serde(default)]
    pub name: Option<String>,
}

/// An object of a ground-truth file.
#[derive(Deserialize)]
pub(crate) struct ObjectRecord<'a> {
    pub id: Id,
    pub image_id: Id,
    pub category_id: Id,
    pub bbox: Option<[f64; 4]>,
    pub area: Option<f64>,
    #[serde(borrow)]
    pub segmentation: Option<&'a RawValue>,
    #[serde(default)]
    pub iscrowd: Flag,
}

/// The parts of a ground-truth file. Their order is that of the file.
pub(crate) struct GroundTruthFile<'a> {
    pub images: Vec<ImageRecord>,
    pub categories: Vec<CategoryRecord>,
    pub annotations: Vec<ObjectRecord<'a>>,
}

/// A detection of a results file.
#[derive(Deserialize)]
pub(crate) struct ResultRecord<'a> {
    pub image_id: Id,
    pub category_id: Id,
    pub bbox: Option<[f64; 4]>,
    pub score: f64,
    #[serde(borrow)]
    pub segmentation: Option<&'a RawValue>,
}

/// Reads a ground-truth file.
///
/// # Errors
/// [`MetricsError::Form`] with the entry.
pub(crate) fn ground_truth<'a>(path: &Path, bytes: &'a [u8]) -> Result<GroundTruthFile<'a>, MetricsError> {
    let hint = "give an annotation file of COCO, such as instances_val2017.json, and the results as the second file";
    let at = Place::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parts =
        deserializer.deserialize_map(GroundTruthVisitor(&at)).and_then(|parts| deserializer.end().map(|()| parts));
    let parts = parts.map_err(|error| at.error(path, &error, hint))?;
    let missing = |key: &str| MetricsError::form(path, "", format!("has no list `{key}`"), hint);
    Ok(GroundTruthFile {
        images: parts.images.ok_or_else(|| missing("images"))?,
        categories: parts.categories.ok_or_else(|| missing("categories"))?,
        annotations: parts.annotations.ok_or_else(|| missing("annotations"))?,
    })
}

/// Reads a results file.
///
/// # Errors
/// [`MetricsError::Form`] with the entry.
pub(crate) fn results<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<ResultRecord<'a>>, MetricsError> {
    let at = Place::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let records = Entries::new("", &at).deserialize(&mut deserializer);
    let records = records.and_then(|records| deserializer.end().map(|()| records));
    records.map_err(|error| {
        let hint = "each entry has image_id, category_id, score and bbox [x, y, width, height] or segmentation (RLE)";
        at.error(path, &error, hint)
    })
}

/// Where a reader is.
#[derive(Default)]
struct Place {
    list: Cell<&'static str>,
    index: Cell<Option<usize>>,
}

impl Place {
    fn entry(&self) -> String {
        self.index.get().map_or_else(String::new, |index| entry(self.list.get(), index))
    }

    fn error(&self, path: &Path, error: &serde_json::Error, hint: &'static str) -> MetricsError {
        let foreign = self.index.get().is_none() && (error.is_syntax() || error.is_eof());
        let detail = if foreign { format!("it is not JSON: {error}") } else { error.to_string() };
        MetricsError::form(path, self.entry(), detail, hint)
    }
}

/// The name of an entry: `.annotations[3]`, `.[3]`.
pub(crate) fn entry(list: &str, index: usize) -> String {
    format!(".{list}[{index}]")
}

/// Reads a list and keeps the place of the entry that is being read.
struct Entries<'p, T> {
    list: &'static str,
    at: &'p Place,
    kind: PhantomData<T>,
}

impl<'p, T> Entries<'p, T> {
    fn new(list: &'static str, at: &'p Place) -> Self {
        Self { list, at, kind: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Entries<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        self.at.list.set(self.list);
        self.at.index.set(Some(0));
        while let Some(one) = list.next_element()? {
            all.push(one);
            self.at.index.set(Some(all.len()));
        }
        self.at.index.set(None);
        Ok(all)
    }
}

#[derive(Default)]
struct Parts<'a> {
    images: Option<Vec<ImageRecord>>,
    categories: Option<Vec<CategoryRecord>>,
    annotations: Option<Vec<ObjectRecord<'a>>>,
}

struct GroundTruthVisitor<'p>(&'p Place);

impl<'de> Visitor<'de> for GroundTruthVisitor<'_> {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with images, categories and annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "images" => parts.images = Some(map.next_value_seed(Entries::new("images", self.0))?),
                "categories" => parts.categories = Some(map.next_value_seed(Entries::new("categories", self.0))?),
                "annotations" => parts.annotations = Some(map.next_value_seed(Entries::new("annotations", self.0))?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(parts)
    }
}

/// A number of an image, class or object. A whole number that is written as a float (`7.0`) is one too: it is the same key in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(pub u64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of at least 0 as id")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Id, E> {
                Ok(Id(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Id, E> {
                // Above 2^53 a float does not name one number.
                let whole = value >= 0.0 && value.fract() == 0.0 && value <= 9_007_199_254_740_992.0;
                if whole { Ok(Id(value as u64)) } else { Err(E::invalid_value(de::Unexpected::Float(value), &self)) }
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// `iscrowd`: 0, 1, false or true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("0 or 1 for iscrowd")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 | 1 => Ok(Flag(value == 1)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
                }
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Flag, E> {
                match value {
                    0.0 | 1.0 => Ok(Flag(value == 1.0)),
                    _ => Err(E::invalid_value(de::Unexpected::Float(value), &self)),
                }
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
