//! What each kind of error costs: by how much AP50 rises if all errors of the kind are repaired (TIDE, section 2.3; `fix` in
//! `tidecv/errors/main_errors.py`).
//!
//! * A localization error becomes right if no other error of the first two kinds near the same object has a better score. Otherwise, and if
//!   the object is found by another detection, it is removed.
//! * A classification error becomes a right detection of the object's class under the same condition, or is removed.
//! * Other false detections are removed.
//! * Missed objects are no longer counted.

use std::collections::HashMap;

use hotcoco::metrics::counts::average_precision;
use hotcoco::params::default_rec_thrs;

use super::kinds::{ErrorKind, Outcome};
use super::scene::Scene;
use crate::mean::mean_of_defined;

/// An object: image and position in it.
type Place = (usize, usize);

/// The detections of one class, in the order of the images.
#[derive(Clone, Default)]
struct OfClass {
    scores: Vec<f64>,
    right: Vec<bool>,
    removed: Vec<bool>,
    /// The kind of a false detection, and whether it becomes right.
    errors: Vec<Option<(ErrorKind, bool)>>,
    /// The scores of classification errors of other classes that become right detections of this one.
    incoming: Vec<f64>,
    objects: usize,
    missed: usize,
}

impl OfClass {
    fn average_precision(&self, recalls: &[f64]) -> f64 {
        average_precision(&self.scores, &self.right, Some(&self.removed), self.objects, recalls)
    }

    fn repaired(&self, kind: ErrorKind) -> Self {
        let mut all = self.clone();
        for (i, error) in self.errors.iter().enumerate() {
            if let Some((_, becomes_right)) = error.filter(|&(own, _)| own == kind) {
                // A repaired classification error counts in another class.
                let here = becomes_right && kind == ErrorKind::Localization;
                all.right[i] = here;
                all.removed[i] = !here;
            }
        }
        match kind {
            ErrorKind::Classification => {
                let scores = self.scores.iter().chain(&self.incoming).copied().collect();
                all.scores = scores;
                all.right.resize(all.scores.len(), true);
                all.removed.resize(all.scores.len(), false);
            }
            ErrorKind::Missed => all.objects -= self.missed,
            _ => {}
        }
        all
    }
}

/// AP50, and by how much it rises without each kind of error, in the order of [`ErrorKind::ALL`]. Means over the classes that have objects;
/// `None` if none has. A class that keeps no object because all are missed gains nothing.
pub(super) fn costs(
    scenes: &[(Scene, Vec<Outcome>, Vec<bool>)],
    classes: usize,
    detection: impl Fn(usize) -> (usize, f64),
) -> Option<(f64, [f64; 6])> {
    let winners = winners(scenes, &detection);
    let mut all = vec![OfClass::default(); classes];
    for (scene, outcomes, missed) in scenes {
        for (object, &missed) in scene.objects.iter().zip(missed).filter(|(object, _)| !object.ignored) {
            all[object.class].objects += 1;
            all[object.class].missed += usize::from(missed);
        }
        for (&index, outcome) in scene.found.iter().zip(outcomes) {
            let (class, score) = detection(index);
            let error = match *outcome {
                Outcome::False { kind, near } => {
                    let wins = target(scene, kind, near).is_some_and(|place| winners.get(&place) == Some(&index));
                    if let (true, ErrorKind::Classification, Some((object, _))) = (wins, kind, near) {
                        all[scene.objects[object].class].incoming.push(score);
                    }
                    Some((kind, wins))
                }
                _ => None,
            };
            let one = &mut all[class];
            one.scores.push(score);
            one.right.push(*outcome == Outcome::Right);
            one.removed.push(*outcome == Outcome::Ignored);
            one.errors.push(error);
        }
    }
    let recalls = default_rec_thrs();
    let counted: Vec<&OfClass> = all.iter().filter(|class| class.objects > 0).collect();
    let base = mean_of_defined(counted.iter().map(|class| class.average_precision(&recalls)))?;
    let rise = |kind: ErrorKind| {
        mean_of_defined(counted.iter().map(|class| class.repaired(kind).average_precision(&recalls)))
            .map_or(0.0, |repaired| repaired - base)
    };
    Some((base, ErrorKind::ALL.map(rise)))
}

/// The free object that an error is near to.
fn target(scene: &Scene, kind: ErrorKind, near: Option<(usize, f64)>) -> Option<Place> {
    let (object, _) = near?;
    let repairable = matches!(kind, ErrorKind::Localization | ErrorKind::Classification);
    (repairable && !scene.taken[object]).then_some((scene.image, object))
}

/// The best error near each free object, the first of equals.
fn winners(
    scenes: &[(Scene, Vec<Outcome>, Vec<bool>)],
    detection: &impl Fn(usize) -> (usize, f64),
) -> HashMap<Place, usize> {
    let mut best: HashMap<Place, usize> = HashMap::new();
    for (scene, outcomes, _) in scenes {
        for (&index, outcome) in scene.found.iter().zip(outcomes) {
            let Outcome::False { kind, near } = *outcome else { continue };
            let Some(place) = target(scene, kind, near) else { continue };
            let score = |index: usize| detection(index).1;
            let winner = best.entry(place).or_insert(index);
            if score(index) > score(*winner) || (score(index) == score(*winner) && index < *winner) {
                *winner = index;
            }
        }
    }
    best
}
