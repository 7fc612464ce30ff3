//! Groups of near duplicates among many perceptual hashes, found without comparing all pairs.
//!
//! A hash is split into 16 bands of 16 bits. If two hashes differ in at most 31 of 256 bits, then at least one band differs in at most one bit
//! (16 x 2 > 31). Only pairs with such a band are compared in full (multi-index hashing; Norouzi, Punjani, Fleet, CVPR 2012). Among a million
//! hashes, each is compared with about 4,000. A band contains one bit of each row and of each column of the 16 x 16 frequencies, so that no band
//! consists only of bits that are equal in many images.
//!
//! A group consists of a first image and all later images near to that first image that are in no earlier group. Groups are formed in the order
//! of the images, so they do not depend on the number of threads, and a chain of small differences does not join different images.

use rayon::prelude::*;

use mochi_views::perceptual_hash::{NEAR, PerceptualHash};

const BANDS: usize = 16;
const _: () = assert!((BANDS as u32) * 2 > NEAR);
/// Number of first images whose neighbors are searched in parallel.
const AHEAD: usize = 512;
/// Longest list of neighbors that is kept from the parallel search. A longer list is searched again when it is needed; otherwise, for a
/// million frames of a static camera, 512 lists of a million entries would be in memory.
const KEPT: usize = 4096;

/// For every band, the positions of the hashes with each of its 65,536 values.
struct Index {
    bands: Vec<Band>,
}

struct Band {
    /// 65,537 offsets into `members`.
    starts: Vec<u32>,
    members: Vec<u32>,
}

/// Value of a band: bit `(i + band) % 16` of each row i.
fn key(hash: &PerceptualHash, band: usize) -> u16 {
    let mut key = 0;
    for row in 0..BANDS {
        let bits = (hash.0[row / 4] >> (16 * (row % 4))) as u16;
        key |= (bits >> ((row + band) % 16) & 1) << row;
    }
    key
}

impl Index {
    fn new(hashes: &[PerceptualHash]) -> Self {
        let band = |band: usize| {
            let mut starts = vec![0u32; (1 << 16) + 1];
            for hash in hashes {
                starts[usize::from(key(hash, band)) + 1] += 1;
            }
            for at in 1..starts.len() {
                starts[at] += starts[at - 1];
            }
            let (mut free, mut members) = (starts.clone(), vec![0u32; hashes.len()]);
            for (position, hash) in hashes.iter().enumerate() {
                let place = &mut free[usize::from(key(hash, band))];
                members[*place as usize] = position as u32;
                *place += 1;
            }
            Band { starts, members }
        };
        Self { bands: (0..BANDS).into_par_iter().map(band).collect() }
    }

    /// Later positions near to `position` that are not taken, in increasing order; `None` if there are more than `most`.
    fn neighbors(&self, hashes: &[PerceptualHash], position: usize, taken: &[bool], most: usize) -> Option<Vec<u32>> {
        let hash = &hashes[position];
        let mut found = Vec::new();
        for (number, band) in self.bands.iter().enumerate() {
            let own = key(hash, number);
            for value in std::iter::once(own).chain((0..16).map(|bit| own ^ 1 << bit)) {
                let value = usize::from(value);
                let members = &band.members[band.starts[value] as usize..band.starts[value + 1] as usize];
                // Members are in increasing order; earlier positions are skipped.
                let later = members.partition_point(|&other| other as usize <= position);
                for &other in &members[later..] {
                    let at = other as usize;
                    if !taken[at] && hash.distance(&hashes[at]) <= NEAR {
                        found.push(other);
                        // The same position is found by up to 16 bands.
                        if found.len() / BANDS > most {
                            found.sort_unstable();
                            found.dedup();
                            if found.len() > most {
                                return None;
                            }
                        }
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        (found.len() <= most).then_some(found)
    }
}

/// Groups of positions, ordered by their first position, computed on the current thread pool. `progress` is called with the number of hashes done.
pub(super) fn groups(hashes: &[PerceptualHash], progress: &mut dyn FnMut(usize)) -> Vec<Vec<u32>> {
    let index = Index::new(hashes);
    let mut taken = vec![false; hashes.len()];
    let mut groups = Vec::new();
    for begin in (0..hashes.len()).step_by(AHEAD) {
        let end = (begin + AHEAD).min(hashes.len());
        let firsts: Vec<usize> = (begin..end).filter(|&at| !taken[at]).collect();
        let ahead = |&first: &usize| index.neighbors(hashes, first, &taken, KEPT);
        let found: Vec<Option<Vec<u32>>> = firsts.par_iter().map(ahead).collect();
        for (first, group) in firsts.into_iter().zip(found) {
            if taken[first] {
                continue;
            }
            let group = group.or_else(|| index.neighbors(hashes, first, &taken, usize::MAX));
            let mut group = group.unwrap_or_default();
            // Some were added to a group of an earlier first image since the parallel search.
            group.retain(|&other| !taken[other as usize]);
            if group.is_empty() {
                continue;
            }
            group.insert(0, first as u32);
            group.iter().for_each(|&member| taken[member as usize] = true);
            groups.push(group);
        }
        progress(end);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_views::random::{Purpose, Stream};

    fn drawn(n: usize) -> Vec<PerceptualHash> {
        let mut stream = Stream::new(7, Purpose::Order, 0, 0, 0);
        let mut word = move || u64::from(stream.next_u32()) << 32 | u64::from(stream.next_u32());
        (0..n).map(|_| PerceptualHash([word(), word(), word(), word()])).collect()
    }

    /// The same groups, found by comparing all pairs.
    fn slow(hashes: &[PerceptualHash]) -> Vec<Vec<u32>> {
        let mut taken = vec![false; hashes.len()];
        let mut groups = Vec::new();
        for first in 0..hashes.len() {
            if taken[first] {
                continue;
            }
            let near = |&at: &usize| !taken[at] && hashes[first].distance(&hashes[at]) <= NEAR;
            let mut group: Vec<usize> = (first + 1..hashes.len()).filter(near).collect();
            if !group.is_empty() {
                group.insert(0, first);
                group.iter().for_each(|&at| taken[at] = true);
                groups.push(group.into_iter().map(|at| at as u32).collect());
            }
        }
        groups
    }

    #[test]
    fn nothing_within_the_limit_is_missed_and_nothing_beyond_is_taken() {
        let mut hashes = drawn(600);
        let mut stream = Stream::new(8, Purpose::Order, 0, 0, 0);
        // Copies with 0 to 40 bits flipped, about half beyond the limit's neighborhood, and copies of copies.
        for copy in 0..1500 {
            let mut hash = hashes[stream.below(hashes.len() as u32) as usize];
            for _ in 0..copy % 41 {
                let bit = stream.below(256) as usize;
                hash.0[bit / 64] ^= 1 << (bit % 64);
            }
            hashes.push(hash);
        }
        let wanted = slow(&hashes);
        assert!(wanted.len() > 100 && wanted.iter().any(|group| group.len() > 3));
        let mut done_so_far = 0;
        assert_eq!(groups(&hashes, &mut |done| done_so_far = done), wanted);
        assert_eq!(done_so_far, hashes.len());
        assert!(groups(&[], &mut |_| ()).is_empty());
    }

    /// Report H6.19.
    #[test]
    fn h6_19_long_lists_of_neighbors_are_not_kept_for_many_images_at_once() {
        let one = drawn(1)[0];
        let hashes = vec![one; KEPT + 100];
        let index = Index::new(&hashes);
        let taken = vec![false; hashes.len()];
        assert_eq!(index.neighbors(&hashes, 0, &taken, KEPT), None);
        assert_eq!(index.neighbors(&hashes, 200, &taken, KEPT).map(|found| found.len()), Some(KEPT - 101));
        let groups = groups(&hashes, &mut |_| ());
        assert!(groups.len() == 1 && groups[0].len() == hashes.len());
    }

    #[test]
    fn the_limit_itself_is_near_wherever_the_bits_lie() {
        let one = drawn(1)[0];
        for flipped in [NEAR, NEAR + 1] {
            for begin in 0..256 {
                let mut other = one;
                for bit in (0..flipped as usize).map(|i| (begin + i * 8) % 256 + (begin + i * 8) / 256 % 8) {
                    other.0[bit % 256 / 64] ^= 1 << (bit % 64);
                }
                let near = one.distance(&other) <= NEAR;
                assert_eq!(groups(&[one, other], &mut |_| ()).len(), usize::from(near));
            }
        }
    }
}
