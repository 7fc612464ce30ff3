//! Laws of the draws: what they depend on, where they lie, what they are on average.

use super::*;
use crate::synthesis::Block;
use mochi_random::Philox;

const KEY: DrawKey = DrawKey { seed: 3, purpose: 0, step: 1 << 40, direction: 0, first_row: 0 };

/// The draws of block `at` of a synthesis, for some queries.
fn all(synthesis: &Synthesis, at: usize, key: DrawKey, batch: usize, n: usize) -> Drawn {
    let Block { strategy, count } = synthesis.blocks(&[])[at];
    let mut out = Drawn::default();
    for row in 0..batch {
        strategy.draw(Source::Drawn(key), row, n, count, &mut out);
    }
    out
}

#[test]
fn a_split_batch_draws_what_the_whole_one_does() {
    let synthesis = Synthesis::paper(50, 7, 5);
    for (block, count) in [(0, 7), (1, 5)] {
        let whole = all(&synthesis, block, KEY, 6, 50);
        let second = all(&synthesis, block, KEY.from_row(4), 2, 50);
        assert_eq!(whole.first[4 * count..], second.first);
        assert_eq!(whole.second[4 * count..], second.second);
        assert_eq!(whole.share[4 * count..], second.share);
        let other = all(&synthesis, block, DrawKey { direction: 1, ..KEY }, 6, 50);
        assert_ne!(whole.first, other.first);
    }
}

#[test]
fn draws_are_those_of_the_first_version() {
    // Written by the first version, which drew a point at a time: a run that is resumed goes on with its own points.
    let words = Philox::new(KEY.seed, u64::from(purpose::PAIRS)).words([0, 256, 2, 17]);
    let drawn = all(&Synthesis::paper(1000, 20, 0), 0, KEY, 3, 1000);
    assert_eq!([drawn.first[57], drawn.second[57]], [below(words[0], 1000), below(words[1], 1000)]);
    assert_eq!(drawn.share[57], unit(words[2]));
    let words = Philox::new(KEY.seed, u64::from(purpose::QUERY_MIXES)).words([0, 256, 2, 17]);
    let drawn = all(&Synthesis::paper(1000, 0, 20), 0, KEY, 3, 1000);
    assert_eq!((drawn.first[57], drawn.share[57]), (below(words[0], 1000), 0.5 * unit(words[1])));
}

#[test]
fn draws_stay_in_range_and_have_their_means() {
    let mut synthesis = Synthesis::paper(5, 20_000, 20_000);
    synthesis.distinct = true;
    let (pairs, mixes) = (all(&synthesis, 0, KEY, 1, 5), all(&synthesis, 1, KEY, 1, 5));
    assert!(pairs.first.iter().zip(&pairs.second).all(|(i, j)| i != j && *i < 5 && *j < 5));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    // Standard errors are 0.002 and 0.001.
    assert!((mean(&pairs.share) - 0.5).abs() < 0.01);
    assert!((mean(&mixes.share) - 0.25).abs() < 0.005);
    assert!(mixes.share.iter().all(|b| (0.0..0.5).contains(b)));
    for j in 0..5 {
        let share = pairs.second.iter().filter(|&&p| p == j).count() as f64 / 20_000.0;
        assert!((share - 0.2).abs() < 0.02, "parent {j}: {share}");
    }
    // A single parent cannot differ from itself: the set may be clamped to one row.
    assert!(all(&synthesis, 0, KEY, 1, 1).second.iter().all(|&j| j == 0));
}

#[test]
fn beta_draws_have_their_moments() {
    // Field case H6.11: until now a quarter of the draws at 0.001 were 0.5.
    for p in [0.001, 0.4, 1.0, 3.0] {
        let synthesis = Synthesis { alpha: Coefficient::Beta { p }, ..Synthesis::paper(4, 20_000, 0) };
        let a = all(&synthesis, 0, KEY, 1, 4).share;
        let mean = a.iter().sum::<f64>() / a.len() as f64;
        let variance = a.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / a.len() as f64;
        let wanted = 1.0 / (4.0 * (2.0 * p + 1.0));
        assert!((mean - 0.5).abs() < 0.015, "Beta({p},{p}) mean {mean}");
        assert!((variance / wanted - 1.0).abs() < 0.05, "Beta({p},{p}) variance {variance}, wanted {wanted}");
    }
}
