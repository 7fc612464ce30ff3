//! The mean as NumPy computes it, so that numbers equal pycocotools' in every bit.

/// Mean of the values above -1, which stands for "undefined" in pycocotools; `None` if there are none.
pub(crate) fn mean_of_defined(values: impl Iterator<Item = f64>) -> Option<f64> {
    let defined: Vec<f64> = values.filter(|&value| value > -1.0).collect();
    (!defined.is_empty()).then(|| sum(&defined) / defined.len() as f64)
}

/// Sum in the order of `numpy.add.reduce` for contiguous float64 (`pairwise_sum` in `numpy/_core/src/umath/loops_utils.h.src`): halves,
/// the first of a multiple of 8 values, down to blocks of at most 128 values; in a block, eight sums of every eighth value.
fn sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() > BLOCK {
        let (first, second) = values.split_at(values.len() / 2 / 8 * 8);
        return sum(first) + sum(second);
    }
    let (lanes, rest) = values.as_chunks::<8>();
    let Some((first, lanes)) = lanes.split_first() else {
        return rest.iter().sum();
    };
    let mut sums = *first;
    for lane in lanes {
        for (sum, value) in sums.iter_mut().zip(lane) {
            *sum += value;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMPY: [(usize, f64); 9] = [
        (1, 1.0),
        (7, 2.5928571428571425),
        (8, 2.7178571428571425),
        (13, 3.180133755133755),
        (128, 5.433147092589173),
        (129, 5.440899030573669),
        (300, 6.282663880299504),
        (1010, 7.495416242550459),
        (80800, 11.876954097516766),
    ];

    #[test]
    fn undefined_values_are_left_out() {
        assert_eq!(mean_of_defined([-1.0, -1.0].into_iter()), None);
        assert_eq!(mean_of_defined([-1.0, 0.5, 0.0, -1.0, 1.0].into_iter()), Some(0.5));
    }

    /// `numpy.sum(1 / numpy.arange(1, n + 1))` of NumPy 2.4.6.
    #[test]
    fn sums_are_numpys() {
        for (n, expected) in NUMPY {
            let values: Vec<f64> = (1..=n).map(|i| 1.0 / i as f64).collect();
            assert_eq!(sum(&values), expected, "{n}");
        }
    }
}
