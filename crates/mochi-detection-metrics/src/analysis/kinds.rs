//! Kinds of errors: TIDE (Bolya, Foley, Hays, Hoffman: *TIDE: A General Toolbox for Identifying Object Detection Errors*, ECCV 2020,
//! section 2.2). The order in which kinds are tried is that of the toolbox (`tidecv/quantify.py`).
//!
//! With the largest IoU of a false detection with an object of its class (own) and of another (other):
//!
//! | order | kind | condition |
//! |---|---|---|
//! | 1 | localization | own in [0.1, 0.5] |
//! | 2 | classification | other >= 0.5 |
//! | 3 | duplicate | own > 0.5, and the object was found by a better detection |
//! | 4 | background | own and other <= 0.1 |
//! | 5 | both | the rest: other in (0.1, 0.5) |
//!
//! An object is missed if no detection finds it and none of the first two kinds is near it. Crowds and difficult objects do not take part.

use serde::{Deserialize, Serialize};

use super::scene::{FOUND, Scene};

/// Below this IoU a detection is on the background.
const BACKGROUND: f64 = 0.1;

/// A kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The right place, another class.
    Classification,
    /// The right class, but not the right place.
    Localization,
    /// Neither the right class nor the right place.
    Both,
    /// An object that a better detection finds.
    Duplicate,
    /// No object.
    Background,
    /// An object without a detection.
    Missed,
}

impl ErrorKind {
    /// All kinds; their positions are their numbers.
    pub const ALL: [Self; 6] =
        [Self::Classification, Self::Localization, Self::Both, Self::Duplicate, Self::Background, Self::Missed];

    /// The name.
    pub fn name(self) -> &'static str {
        ["classification", "localization", "both", "duplicate", "background", "missed"][self as usize]
    }

    /// What it is, for people.
    pub fn meaning(self) -> &'static str {
        [
            "the right place, another class",
            "the right class, but not the right place",
            "neither the right class nor the right place",
            "an object that a better detection finds",
            "no object",
            "an object without a detection",
        ][self as usize]
    }
}

/// What a detection is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It finds an object.
    Right,
    /// It finds a crowd or a difficult object.
    Ignored,
    /// It is false.
    False {
        kind: ErrorKind,
        /// The object that it overlaps most, if any, and the IoU. For a localization error an object of its class, for a classification error
        /// one of another.
        near: Option<(usize, f64)>,
    },
}

/// What each detection of the image is, in the order of [`Scene::found`].
pub(super) fn outcomes(scene: &Scene, class_of: impl Fn(usize) -> usize) -> Vec<Outcome> {
    let one = |i: usize| match scene.finds[i] {
        Some(object) if scene.objects[object].ignored => Outcome::Ignored,
        Some(_) => Outcome::Right,
        None => {
            let class = class_of(scene.found[i]);
            let own = scene.nearest(i, |object| scene.objects[object].class == class);
            let other = scene.nearest(i, |object| scene.objects[object].class != class);
            let iou = |near: Option<(usize, f64)>| near.map_or(0.0, |(_, iou)| iou);
            let (kind, near) = if (BACKGROUND..=FOUND).contains(&iou(own)) {
                (ErrorKind::Localization, own)
            } else if iou(other) >= FOUND {
                (ErrorKind::Classification, other)
            } else if iou(own) >= FOUND {
                // A free object of its class would have been found.
                (ErrorKind::Duplicate, own)
            } else if iou(other) <= BACKGROUND {
                (ErrorKind::Background, scene.nearest(i, |_| true))
            } else {
                (ErrorKind::Both, other)
            };
            Outcome::False { kind, near }
        }
    };
    (0..scene.found.len()).map(one).collect()
}

/// Whether each object of the image is missed, in the order of [`Scene::objects`].
pub(super) fn missed(scene: &Scene, outcomes: &[Outcome]) -> Vec<bool> {
    let mut missed: Vec<bool> =
        scene.objects.iter().zip(&scene.taken).map(|(object, &taken)| !taken && !object.ignored).collect();
    for outcome in outcomes {
        if let Outcome::False { kind: ErrorKind::Localization | ErrorKind::Classification, near: Some((object, _)) } =
            *outcome
        {
            missed[object] = false;
        }
    }
    missed
}
