//! Groups of nearly equal fingerprints among many, without comparing all pairs.
//!
//! Two fingerprints that differ in at most 31 of 256 bits differ, in at least one of 16 bands of 16 bits, in at most one bit
//! (16 x 2 > 31): whoever shares a band up to one bit is compared in full, nobody else needs to be (multi-index hashing, Norouzi,
//! Punjani, Fleet, CVPR 2012). Of a million fingerprints each meets about 4,000 instead of all. A band takes one bit of each row and of each
//! column of the 16 x 16 frequencies, so that none consists of the few bits that many pictures share.
//!
//! A group is a first image and every later one near to *it* that belongs to no earlier group: in the order of the images, hence the same
//! for any number of threads, and no chain of small steps ties unlike pictures together.

use rayon::prelude::*;

use super::fingerprint::{Fingerprint, NEAR};

const BANDS: usize = 16;
const _: () = assert!((BANDS as u32) * 2 > NEAR);
/// First images whose neighbors are looked up in parallel.
const AHEAD: usize = 512;
/// Longest list of neighbors that is kept of an image that is looked up ahead. A longer one is looked up again when it is needed: of a
/// million frames of one static camera, 512 lists of a million would be kept otherwise.
const KEPT: usize = 4096;

/// For every band, whose positions lie under each of its 65,536 values.
struct Index {
    bands: Vec<Band>,
}

struct Band {
    /// 65,537 places in `members`.
    starts: Vec<u32>,
    members: Vec<u32>,
}

/// Bit `(i + band) % 16` of each row i.
fn key(print: &Fingerprint, band: usize) -> u16 {
    let mut key = 0;
    for row in 0..BANDS {
        let bits = (print.0[row / 4] >> (16 * (row % 4))) as u16;
        key |= (bits >> ((row + band) % 16) & 1) << row;
    }
    key
}

impl Index {
    fn new(prints: &[Fingerprint]) -> Self {
        let band = |band: usize| {
            let mut starts = vec![0u32; (1 << 16) + 1];
            for print in prints {
                starts[usize::from(key(print, band)) + 1] += 1;
            }
            for at in 1..starts.len() {
                starts[at] += starts[at - 1];
            }
            let (mut free, mut members) = (starts.clone(), vec![0u32; prints.len()]);
            for (position, print) in prints.iter().enumerate() {
                let place = &mut free[usize::from(key(print, band))];
                members[*place as usize] = position as u32;
                *place += 1;
            }
            Band { starts, members }
        };
        Self { bands: (0..BANDS).into_par_iter().map(band).collect() }
    }

    /// Later positions near to `position` that are not taken, rising; `None` if there are more than `most`.
    fn neighbors(&self, prints: &[Fingerprint], position: usize, taken: &[bool], most: usize) -> Option<Vec<u32>> {
        let print = &prints[position];
        let mut found = Vec::new();
        for (number, band) in self.bands.iter().enumerate() {
            let own = key(print, number);
            for value in std::iter::once(own).chain((0..16).map(|bit| own ^ 1 << bit)) {
                let value = usize::from(value);
                let members = &band.members[band.starts[value] as usize..band.starts[value + 1] as usize];
                // Members lie in rising order: those before are out of the question.
                let later = members.partition_point(|&other| other as usize <= position);
                for &other in &members[later..] {
                    let at = other as usize;
                    if !taken[at] && print.distance(&prints[at]) <= NEAR {
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

/// Groups of positions, each rising, by their first; on the current thread pool. `progress` is told how many were looked at.
pub(super) fn groups(prints: &[Fingerprint], progress: &mut dyn FnMut(usize)) -> Vec<Vec<u32>> {
    let index = Index::new(prints);
    let mut taken = vec![false; prints.len()];
    let mut groups = Vec::new();
    for begin in (0..prints.len()).step_by(AHEAD) {
        let end = (begin + AHEAD).min(prints.len());
        let firsts: Vec<usize> = (begin..end).filter(|&at| !taken[at]).collect();
        let ahead = |&first: &usize| index.neighbors(prints, first, &taken, KEPT);
        let found: Vec<Option<Vec<u32>>> = firsts.par_iter().map(ahead).collect();
        for (first, group) in firsts.into_iter().zip(found) {
            if taken[first] {
                continue;
            }
            let group = group.or_else(|| index.neighbors(prints, first, &taken, usize::MAX));
            let mut group = group.unwrap_or_default();
            // Taken meanwhile by another first image of this stretch.
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
    use crate::random::{Purpose, Stream};

    fn drawn(n: usize) -> Vec<Fingerprint> {
        let mut stream = Stream::new(7, Purpose::Order, 0, 0, 0);
        let mut word = move || u64::from(stream.next_u32()) << 32 | u64::from(stream.next_u32());
        (0..n).map(|_| Fingerprint([word(), word(), word(), word()])).collect()
    }

    /// The same groups by comparing all pairs.
    fn slow(prints: &[Fingerprint]) -> Vec<Vec<u32>> {
        let mut taken = vec![false; prints.len()];
        let mut groups = Vec::new();
        for first in 0..prints.len() {
            if taken[first] {
                continue;
            }
            let near = |&at: &usize| !taken[at] && prints[first].distance(&prints[at]) <= NEAR;
            let mut group: Vec<usize> = (first + 1..prints.len()).filter(near).collect();
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
        let mut prints = drawn(600);
        let mut stream = Stream::new(8, Purpose::Order, 0, 0, 0);
        // Copies with 0 to 40 bits turned, about half beyond the limit's neighbourhood, and copies of copies.
        for copy in 0..1500 {
            let mut print = prints[stream.below(prints.len() as u32) as usize];
            for _ in 0..copy % 41 {
                let bit = stream.below(256) as usize;
                print.0[bit / 64] ^= 1 << (bit % 64);
            }
            prints.push(print);
        }
        let wanted = slow(&prints);
        assert!(wanted.len() > 100 && wanted.iter().any(|group| group.len() > 3));
        let mut seen = 0;
        assert_eq!(groups(&prints, &mut |done| seen = done), wanted);
        assert_eq!(seen, prints.len());
        assert!(groups(&[], &mut |_| ()).is_empty());
    }

    /// Report H6.19.
    #[test]
    fn h6_19_long_lists_of_neighbors_are_not_kept_for_many_images_at_once() {
        let one = drawn(1)[0];
        let prints = vec![one; KEPT + 100];
        let index = Index::new(&prints);
        let taken = vec![false; prints.len()];
        assert_eq!(index.neighbors(&prints, 0, &taken, KEPT), None);
        assert_eq!(index.neighbors(&prints, 200, &taken, KEPT).map(|found| found.len()), Some(KEPT - 101));
        let groups = groups(&prints, &mut |_| ());
        assert!(groups.len() == 1 && groups[0].len() == prints.len());
    }

    #[test]
    fn the_limit_itself_is_near_wherever_the_bits_lie() {
        let one = drawn(1)[0];
        for turned in [NEAR, NEAR + 1] {
            for begin in 0..256 {
                let mut other = one;
                for bit in (0..turned as usize).map(|i| (begin + i * 8) % 256 + (begin + i * 8) / 256 % 8) {
                    other.0[bit % 256 / 64] ^= 1 << (bit % 64);
                }
                let near = one.distance(&other) <= NEAR;
                assert_eq!(groups(&[one, other], &mut |_| ()).len(), usize::from(near));
            }
        }
    }
}
