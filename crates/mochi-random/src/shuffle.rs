//! Shuffling: Fisher and Yates, from the end.

use crate::{Philox, below};

/// Shuffles in place; `index(n)` draws a position below `n`. It is called once for each element but the first, with n falling to 2.
///
/// # Panics
/// Where there are 2^32 elements or more.
pub fn shuffle<T>(items: &mut [T], mut index: impl FnMut(u32) -> u32) {
    let count = u32::try_from(items.len()).expect("a list of at most 2^32 - 1 elements is shuffled");
    for n in (2..=count).rev() {
        items.swap(n as usize - 1, index(n) as usize);
    }
}

/// A permutation of `0..n`; the draw for position `i` takes the family's counter (`place`, i).
pub fn permutation(family: Philox, place: [u32; 3], n: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    let [a, b, c] = place;
    shuffle(&mut order, |n| below(family.words([a, b, c, n - 1])[0], n));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_permutations_and_change_with_their_place() {
        let family = Philox::new(1, 2);
        let one = permutation(family, [7, 0, 0], 100);
        let mut sorted = one.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(one, permutation(family, [8, 0, 0], 100));
        assert_ne!(one, permutation(family, [7, 0, 1], 100));
        assert_eq!(one, permutation(family, [7, 0, 0], 100));
        assert!(permutation(family, [0; 3], 0).is_empty());
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let family = Philox::new(5, 6);
        let mut counts = std::collections::BTreeMap::new();
        for place in 0..6000 {
            *counts.entry(permutation(family, [place, 0, 0], 3)).or_insert(0u32) += 1;
        }
        // 1,000 each, with a standard deviation of 29.
        assert!(counts.len() == 6 && counts.values().all(|n| n.abs_diff(1000) < 150), "{counts:?}");
    }
}
