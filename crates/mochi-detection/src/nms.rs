//! Non-maximum suppression: boxes in the order of their scores, each kept unless its IoU with a kept one exceeds the threshold. Equals
//! `torchvision.ops.nms` and, by class, `batched_nms`.

use crate::boxes::{BoundingBox, area};

/// The indices of the kept boxes, best first; equal scores in the order of the boxes. The scan ends when `most` are kept, which changes none of them.
pub fn nms(boxes: &[BoundingBox], scores: &[f32], threshold: f32, most: usize) -> Vec<usize> {
    suppress(boxes, &by_score(scores), threshold, most)
}

/// As [`nms`] within each class. The kept boxes of all classes together are best first, at most `most`.
pub fn nms_by_class(
    boxes: &[BoundingBox],
    scores: &[f32],
    classes: &[usize],
    threshold: f32,
    most: usize,
) -> Vec<usize> {
    let order = by_score(scores);
    let mut kept = Vec::new();
    let mut all: Vec<usize> = classes.to_vec();
    all.sort_unstable();
    all.dedup();
    for class in all {
        let own: Vec<usize> = order.iter().copied().filter(|&i| classes[i] == class).collect();
        kept.extend(suppress(boxes, &own, threshold, most));
    }
    let mut rank = vec![0; scores.len()];
    order.iter().enumerate().for_each(|(at, &i)| rank[i] = at);
    kept.sort_unstable_by_key(|&i| rank[i]);
    kept.truncate(most);
    kept
}

/// Indices by falling score; equal scores in their order.
fn by_score(scores: &[f32]) -> Vec<usize> {
    best(scores, scores.len())
}

/// The first `count` indices by falling score; equal scores in their order.
pub(crate) fn best(scores: &[f32], count: usize) -> Vec<usize> {
    let before = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    let mut order: Vec<usize> = (0..scores.len()).collect();
    if count < order.len() {
        order.select_nth_unstable_by(count, before);
        order.truncate(count);
    }
    order.sort_unstable_by(before);
    order
}

fn suppress(boxes: &[BoundingBox], order: &[usize], threshold: f32, most: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    let mut columns = Columns::default();
    for &i in order {
        if kept.len() >= most {
            break;
        }
        if !columns.any_above(boxes[i], threshold) {
            kept.push(i);
            columns.push(boxes[i]);
        }
    }
    kept
}

/// The kept boxes by coordinate, so that a compiler can compare several at once.
#[derive(Default)]
struct Columns {
    sides: [Vec<f32>; 4],
    areas: Vec<f32>,
}

/// Boxes compared between two looks at the result.
const BLOCK: usize = 64;

impl Columns {
    fn push(&mut self, b: BoundingBox) {
        self.sides.iter_mut().zip(b).for_each(|(side, value)| side.push(value));
        self.areas.push(area(b));
    }

    /// Whether the IoU of `b` with any of the boxes exceeds the threshold.
    fn any_above(&self, b: BoundingBox, threshold: f32) -> bool {
        let own = area(b);
        let [x0, y0, x1, y1] = &self.sides;
        let blocks = x0.chunks(BLOCK).zip(y0.chunks(BLOCK)).zip(x1.chunks(BLOCK)).zip(y1.chunks(BLOCK));
        blocks.zip(self.areas.chunks(BLOCK)).any(|((((x0, y0), x1), y1), areas)| {
            let mut above = false;
            for i in 0..areas.len() {
                let width = (x1[i].min(b[2]) - x0[i].max(b[0])).max(0.0);
                let height = (y1[i].min(b[3]) - y0[i].max(b[1])).max(0.0);
                let intersection = width * height;
                above |= intersection / (areas[i] + own - intersection) > threshold;
            }
            above
        })
    }
}
