//! What can be wrong in a dataset with objects: kinds of problems, each with its rule.

use std::collections::BTreeMap;

use serde::Serialize;

/// Number of problems of each kind that are kept with their details; the others are counted.
pub const EXAMPLES: usize = 100;
/// Longest text of a problem in characters.
const TEXT: usize = 200;

/// What is done about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The object or image is used as the explanation says.
    Keep,
    /// The object is left out.
    SkipObject,
    /// The image is left out with its objects.
    SkipImage,
}

/// The table of kinds: name, rule, explanation.
macro_rules! kinds {
    ($($kind:ident, $rule:ident, $explanation:literal;)+) => {
        /// A kind of problem. Problems that end the reading are [`crate::AnnotationError`]s.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum ProblemKind {
            $(#[doc = $explanation] $kind,)+
        }

        impl ProblemKind {
            /// All kinds.
            pub const ALL: &[ProblemKind] = &[$(ProblemKind::$kind),+];

            /// What is done about it.
            pub fn rule(self) -> Rule {
                match self {
                    $(ProblemKind::$kind => Rule::$rule,)+
                }
            }

            /// What is wrong, in one sentence without its period.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(ProblemKind::$kind => $explanation,)+
                }
            }
        }
    };
}

kinds! {
    MissingImage, SkipImage, "the image file does not exist";
    UnreadableImage, SkipImage, "the header of the image cannot be read, or it has too many pixels";
    MissingAnnotation, SkipImage, "the split lists an image without an annotation file";
    MalformedFile, SkipImage, "the annotation file of the image cannot be parsed";
    MalformedImage, SkipImage, "the entry of the image lacks its number or name, or has a value of another type";
    RepeatedImage, SkipImage, "an image is listed again; the first time counts";
    UnsafeName, SkipImage, "the name of the image leads out of the dataset's folder";
    SizeConflict, SkipImage, "the annotated size is not that of the image, so its objects may belong to another image";
    MalformedObject, SkipObject, "the object lacks its class or box, or has a value of another type";
    UnknownImage, SkipObject, "the object belongs to an image that is not listed or that was left out as malformed";
    UnknownClass, SkipObject, "the class of the object is not in the list of classes";
    InvalidNumber, SkipObject, "a coordinate is not finite or beyond 4,194,304 pixels";
    EmptyBox, SkipObject, "the width or height of the box is zero or negative";
    OutsideBox, SkipObject, "the box lies outside of the image";
    InvalidPolygon, SkipObject, "none of the object's polygons has three points and as many x as y";
    InvalidRle, SkipObject, "the run lengths of the mask cannot be decoded or do not add up to its size";
    RleSize, SkipObject, "the run-length mask has another size than the image";
    BoxBeyondEdge, Keep, "the box reaches more than one pixel beyond the image; training clips it";
    DroppedPolygon, Keep, "a polygon without three points is left out; the object has others";
    RepeatedBox, Keep, "another object of the image has the same class, box and mask";
    RepeatedObject, Keep, "another object has the same number; this one gets a new number";
    RepeatedClass, Keep, "two classes have the same name; they are one class";
    NoSize, Keep, "the annotation has no size; that of the image is used";
    SwappedSize, Keep, "width and height of the annotation are swapped; the boxes fit the image";
    StoredOrientation, Keep, "the annotated size is that of the stored pixels; the image is read without its EXIF orientation";
    NoLabelFile, Keep, "the image has no label file, so it counts as an image without objects";
}

/// A problem in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, relative to the dataset's folder: of the annotation, or of the image if the problem is the image.
    pub file: String,
    /// Where in the file: "annotation 1768", "object 3", "line 4".
    pub object: Option<String>,
    /// The values in question.
    pub detail: String,
}

/// Problems of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many there are.
    pub count: u64,
    /// The first [`EXAMPLES`] of them, in the order of the dataset.
    pub examples: Vec<Problem>,
}

/// All problems of a dataset. Its memory does not grow with their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems {
    found: BTreeMap<ProblemKind, Found>,
}

impl Problems {
    /// Problems by kind, in the order of the table.
    pub fn by_kind(&self) -> impl Iterator<Item = (ProblemKind, &Found)> {
        self.found.iter().map(|(&kind, found)| (kind, found))
    }

    /// Number of problems of a kind.
    pub fn count(&self, kind: ProblemKind) -> u64 {
        self.found.get(&kind).map_or(0, |found| found.count)
    }

    /// Number of problems with a rule: of objects or images that are left out, or of those that are kept.
    pub fn count_of(&self, rule: Rule) -> u64 {
        self.by_kind().filter(|(kind, _)| kind.rule() == rule).map(|(_, found)| found.count).sum()
    }

    /// Number of all problems.
    pub fn total(&self) -> u64 {
        self.found.values().map(|found| found.count).sum()
    }

    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds a problem.
    pub(crate) fn add(&mut self, kind: ProblemKind, file: &str, object: Option<String>, detail: impl Into<String>) {
        let found = self.found.entry(kind).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES {
            found.examples.push(Problem { file: shortened(file), object, detail: shortened(&detail.into()) });
        }
    }

    /// Adds the problems of a later part of the dataset.
    pub(crate) fn append(&mut self, later: Problems) {
        for (kind, found) in later.found {
            let all = self.found.entry(kind).or_default();
            all.count += found.count;
            let room = EXAMPLES - all.examples.len();
            all.examples.extend(found.examples.into_iter().take(room));
        }
    }
}

/// The beginning of a long text, which may come from a damaged file.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_the_first_ones_and_all_are_counted() {
        let part = |from: usize, to: usize| {
            let mut problems = Problems::default();
            for number in from..to {
                problems.add(ProblemKind::EmptyBox, "a.xml", Some(format!("object {number}")), "é".repeat(300));
            }
            problems
        };
        let mut all = part(0, 70);
        all.append(part(70, 150));
        assert_eq!(all, part(0, 150));
        let (kind, found) = all.by_kind().next().unwrap();
        assert_eq!((kind, found.count, found.examples.len()), (ProblemKind::EmptyBox, 150, EXAMPLES));
        assert_eq!(found.examples[99].object.as_deref(), Some("object 99"));
        assert_eq!(found.examples[0].detail.chars().count(), TEXT + 1);
        assert_eq!((all.count_of(Rule::SkipObject), all.count_of(Rule::SkipImage), all.total()), (150, 0, 150));
    }

    #[test]
    fn every_kind_has_a_sentence_without_its_end() {
        for kind in ProblemKind::ALL {
            let text = kind.explanation();
            assert!(
                text.len() > 20 && !text.ends_with('.') && text.starts_with(char::is_lowercase),
                "{kind:?}: {text}"
            );
        }
    }
}
