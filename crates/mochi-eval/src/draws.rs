//! Random draws of a linear probe: the held-out tenth, the order of an epoch, the initial weights. All follow from the seed alone.

use mochi_random::{Philox, below, shuffle, unit};

/// Streams of random numbers of this crate; nothing else draws from them.
const HELD_OUT: u64 = 0x6576_616c_0000_0001;
const ORDER: u64 = 0x6576_616c_0000_0002;
const WEIGHTS: u64 = 0x6576_616c_0000_0003;

/// [`hold_out`] of one in ten.
pub(crate) fn hold_out_tenth(labels: &[u32], seed: u64) -> (Vec<u32>, Vec<u32>) {
    hold_out(labels, 10, seed)
}

/// Splits rows into (fitted, held out), one in `one_in` of each class held out, both ascending.
///
/// A class of two or more images contributes at least one row, so that small sets can be validated on. A class of one contributes
/// none, since it could not be learned otherwise.
pub(crate) fn hold_out(labels: &[u32], one_in: usize, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let philox = Philox::new(seed, HELD_OUT);
    // Sorted by class, and within a class by a random number; the position breaks ties.
    let mut keyed: Vec<(u32, u32, u32)> =
        (0u32..).zip(labels).map(|(row, &class)| (class, philox.words([row, 0, 0, 0])[0], row)).collect();
    keyed.sort_unstable();
    let (mut fitted, mut held_out) = (Vec::new(), Vec::new());
    for class in keyed.chunk_by(|a, b| a.0 == b.0) {
        let count = if class.len() < 2 { 0 } else { ((class.len() + one_in / 2) / one_in).max(1) };
        held_out.extend(class.iter().take(count).map(|&(_, _, row)| row));
        fitted.extend(class.iter().skip(count).map(|&(_, _, row)| row));
    }
    fitted.sort_unstable();
    held_out.sort_unstable();
    (fitted, held_out)
}

/// `rows` in the order of an epoch.
pub(crate) fn shuffled(rows: &[u32], seed: u64, epoch: u32) -> Vec<u32> {
    let philox = Philox::new(seed, ORDER);
    let mut order = rows.to_vec();
    shuffle(&mut order, |n| below(philox.words([n - 1, epoch, 0, 0])[0], n));
    order
}

/// `count` values from N(0, deviation^2) (Box-Muller transform).
pub(crate) fn normal(count: usize, deviation: f64, seed: u64) -> Vec<f32> {
    let philox = Philox::new(seed, WEIGHTS);
    let mut values = Vec::with_capacity(count + 1);
    let mut counter = 0u64;
    while values.len() < count {
        let [a, b, ..] = philox.words([(counter & 0xffff_ffff) as u32, (counter >> 32) as u32, 0, 0]);
        // 1 - u lies in (0, 1]: the logarithm is finite.
        let radius = deviation * (-2.0 * (1.0 - unit(a)).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * unit(b)).sin_cos();
        values.extend([(radius * cos) as f32, (radius * sin) as f32]);
        counter += 1;
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_tenth_of_each_class_is_held_out(labels in prop::collection::vec(0u32..6, 0..400), seed: u64) {
            let (fitted, held_out) = hold_out_tenth(&labels, seed);
            let mut all = [fitted.clone(), held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..u32::try_from(labels.len()).unwrap()).collect::<Vec<_>>());
            prop_assert!(fitted.is_sorted() && held_out.is_sorted());
            for class in 0..6 {
                let of = |rows: &[u32]| rows.iter().filter(|&&r| labels[r as usize] == class).count();
                let (f, h) = (of(&fitted), of(&held_out));
                let tenth = (f + h) as f64 / 10.0;
                prop_assert!((h as f64 - tenth).abs() <= 0.5 || h == 1, "{} of {}", h, f + h);
                prop_assert!(f > 0 || h == 0);
            }
            prop_assert_eq!((fitted, held_out), hold_out_tenth(&labels, seed));
        }

        #[test]
        fn an_epoch_visits_every_row_once(count in 0u32..300, seed: u64, epoch in 0u32..5) {
            let rows: Vec<u32> = (0..count).collect();
            let mut order = shuffled(&rows, seed, epoch);
            if count > 20 {
                prop_assert_ne!(&order, &rows);
                prop_assert_ne!(&order, &shuffled(&rows, seed, epoch + 1));
            }
            order.sort_unstable();
            prop_assert_eq!(order, rows);
        }
    }

    #[test]
    fn weights_have_the_requested_moments() {
        let values = normal(100_001, 0.01, 3);
        assert_eq!(values.len(), 100_001);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let fourth = values.iter().map(|&v| (f64::from(v) - mean).powi(4)).sum::<f64>() / n;
        // Five standard errors each.
        assert!(mean.abs() < 5.0 * 0.01 / n.sqrt(), "{mean}");
        assert!((variance / 1e-4 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
        assert!((fourth / (variance * variance) - 3.0).abs() < 5.0 * (24.0 / n).sqrt(), "{fourth}");
        assert_ne!(values, normal(100_001, 0.01, 4));
    }
}
