//! Which classes are taken for which.
//!
//! Only detections from a score on count. In each image, best first:
//!
//! 1. A detection that finds an object of its class (IoU >= 0.5, see `scene.rs`) is right.
//! 2. Each of the others takes the object that no detection found or took and that it overlaps most, if the IoU is at least 0.5: the object was
//!    taken for the detection's class.
//! 3. What is left was found where nothing is, or was not found. A detection in a crowd or on a difficult object of its class does not count.
//!
//! The first step keeps a better detection of the wrong class from taking the object of a right one.

use serde::{Deserialize, Serialize};

use super::scene::{FOUND, Scene};

/// Numbers of objects by their class and the class that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// The names of the classes; the row and column after the last are the background.
    pub classes: Vec<String>,
    /// The score from which on detections count.
    pub minimum_score: f32,
    /// Row by row: true class, then background; columns: found class, then background. (C + 1) x (C + 1) numbers.
    pub counts: Vec<u64>,
}

impl Confusion {
    pub(super) fn new(classes: Vec<String>, minimum_score: f32) -> Self {
        let counts = vec![0; (classes.len() + 1) * (classes.len() + 1)];
        Self { classes, minimum_score, counts }
    }

    /// The number of objects of class `truth` that were taken for `found`. `None` is the background: `count(None, Some(c))` are detections of c
    /// where nothing is, `count(Some(c), None)` objects of c that were not found. 0 for an index that is too large.
    pub fn count(&self, truth: Option<usize>, found: Option<usize>) -> u64 {
        self.position(truth, found).and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }

    fn position(&self, truth: Option<usize>, found: Option<usize>) -> Option<usize> {
        let background = self.classes.len();
        let [row, column] = [truth, found].map(|class| class.unwrap_or(background));
        (row <= background && column <= background).then_some(row * (background + 1) + column)
    }

    fn add(&mut self, truth: Option<usize>, found: Option<usize>) {
        if let Some(at) = self.position(truth, found) {
            self.counts[at] += 1;
        }
    }

    /// Adds the objects and detections of an image; `detection` gives class and score.
    pub(super) fn add_image(&mut self, scene: &Scene, detection: impl Fn(usize) -> (usize, f32)) {
        // Detections are sorted, and what one finds does not depend on those after it.
        let number = scene.found.iter().take_while(|&&index| detection(index).1 >= self.minimum_score).count();
        let mut free: Vec<bool> = scene.objects.iter().map(|object| !object.ignored).collect();
        for object in scene.finds[..number].iter().flatten() {
            free[*object] = false;
        }
        for i in 0..number {
            let (class, _) = detection(scene.found[i]);
            if let Some(object) = scene.finds[i] {
                if !scene.objects[object].ignored {
                    self.add(Some(class), Some(class));
                }
                continue;
            }
            let taken = scene.nearest(i, |object| free[object]).filter(|&(_, iou)| iou >= FOUND);
            if let Some((object, _)) = taken {
                free[object] = false;
            }
            self.add(taken.map(|(object, _)| scene.objects[object].class), Some(class));
        }
        for (object, _) in scene.objects.iter().zip(free).filter(|&(_, free)| free) {
            self.add(Some(object.class), None);
        }
    }
}
