//! Which images a step takes (detectron2 `data/samplers/distributed_sampler.py`, `data/common.py`): an endless row of permutations, dealt out to the groups in
//! turn; each group collects wide and other images apart, and gives a batch as soon as one kind suffices.

use std::sync::Arc;

use crate::order::shuffled;

/// The images of one group of each step.
pub(super) struct GroupOrder {
    seed: u64,
    /// This group, and how many there are.
    group: usize,
    groups: usize,
    /// Images of a batch of the group.
    count: usize,
    /// Whether each image is wider than high; all the same where the kinds are not kept apart.
    wide: Arc<[bool]>,
    /// The next element of the row.
    next: u64,
    epoch: Option<(u64, Vec<u32>)>,
    waiting: [Vec<u32>; 2],
}

impl GroupOrder {
    pub(super) fn new(seed: u64, group: usize, groups: usize, count: usize, wide: Arc<[bool]>) -> Self {
        let (next, waiting) = (group as u64, [Vec::new(), Vec::new()]);
        Self { seed, group, groups, count, wide, next, epoch: None, waiting }
    }

    /// The images of the next step.
    pub(super) fn next_images(&mut self) -> Vec<u32> {
        debug_assert!(self.group < self.groups && !self.wide.is_empty());
        loop {
            let image = self.element(self.next);
            self.next += self.groups as u64;
            let waiting = &mut self.waiting[usize::from(self.wide[image as usize])];
            waiting.push(image);
            if waiting.len() >= self.count {
                return std::mem::take(waiting);
            }
        }
    }

    /// An element of the row of permutations.
    fn element(&mut self, at: u64) -> u32 {
        let images = self.wide.len() as u64;
        let epoch = at / images;
        if self.epoch.as_ref().is_none_or(|(own, _)| *own != epoch) {
            self.epoch = Some((epoch, shuffled(self.wide.len(), self.seed, epoch)));
        }
        self.epoch.as_ref().map_or(0, |(_, order)| order[(at % images) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(order: &mut GroupOrder, count: usize) -> Vec<Vec<u32>> {
        (0..count).map(|_| order.next_images()).collect()
    }

    #[test]
    fn two_groups_see_every_image_once_per_permutation() {
        let wide: Arc<[bool]> = (0..24).map(|_| false).collect();
        let mut groups: Vec<_> = (0..2).map(|g| GroupOrder::new(3, g, 2, 2, wide.clone())).collect();
        let mut seen: Vec<u32> = groups.iter_mut().flat_map(|group| steps(group, 6).concat()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..24).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_has_one_orientation_and_no_image_is_lost() {
        let wide: Arc<[bool]> = (0..30).map(|i| i % 3 == 0).collect();
        let mut order = GroupOrder::new(1, 0, 1, 4, wide.clone());
        let batches = steps(&mut order, 75);
        for batch in &batches {
            assert_eq!(batch.len(), 4);
            assert!(batch.iter().all(|&i| wide[i as usize] == wide[batch[0] as usize]));
        }
        let mut counts = [0; 30];
        batches.iter().flatten().for_each(|&i| counts[i as usize] += 1);
        assert!(counts.iter().all(|&n| (9..=11).contains(&n)), "{counts:?}");
    }
}
