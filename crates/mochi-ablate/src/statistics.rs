//! Statistics over seeds.
//!
//! Two variants are compared by the differences d_1 ... d_n of runs with the same seed, which share initial weights and draws where their
//! settings allow it. With their mean m and their standard deviation s (n - 1 in the denominator):
//!
//! ```text
//! 95 % interval = m +- t(0.975, n - 1) s / sqrt(n)          p = 2 P(T(n - 1) > |m| sqrt(n) / s)
//! ```
//!
//! which is Student's paired t-test (`scipy.stats.ttest_rel`). Several comparisons are corrected by Holm's method (Holm, *A Simple
//! Sequentially Rejective Multiple Test Procedure*, 1979; statsmodels' `multipletests(method="holm")`).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean of the values; `None` without any.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard deviation of a sample (n - 1 in the denominator); `None` for fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Outcome of a paired comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// Number of pairs.
    pub pairs: usize,
    /// Mean difference.
    pub mean: f64,
    /// Limits of its 95 % interval; `None` for fewer than two pairs.
    pub interval: Option<[f64; 2]>,
    /// Two-sided p value of Student's paired t-test; `None` for fewer than two pairs.
    pub p: Option<f64>,
}

/// Compares by the differences of pairs; `None` without any.
pub fn paired(differences: &[f64]) -> Option<Paired> {
    let (n, m) = (differences.len(), mean(differences)?);
    let mut outcome = Paired { pairs: n, mean: m, interval: None, p: None };
    let Some(error) = standard_deviation(differences).map(|sd| sd / (n as f64).sqrt()) else { return Some(outcome) };
    let Ok(t) = StudentsT::new(0.0, 1.0, (n - 1) as f64) else { return Some(outcome) };
    let half = t.inverse_cdf(0.975) * error;
    outcome.interval = Some([m - half, m + half]);
    // Equal differences have no spread: the mean is certain.
    outcome.p = Some(match (error > 0.0, m == 0.0) {
        (true, _) => 2.0 * t.sf((m / error).abs()),
        (false, true) => 1.0,
        (false, false) => 0.0,
    });
    Some(outcome)
}

/// Holm's adjusted p values, in the order of the given ones.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut largest) = (vec![0.0; p.len()], 0.0_f64);
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p[index] * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }

    /// SciPy 1.x: `a = [40.1, 41.3, 39.8, 40.9, 40.6]; b = [41.0, 41.9, 40.1, 41.2, 41.9]; r = stats.ttest_rel(b, a)` gives
    /// the p value and `r.confidence_interval()`.
    #[test]
    fn a_paired_comparison_equals_scipys() {
        let (a, b) = ([40.1, 41.3, 39.8, 40.9, 40.6], [41.0, 41.9, 40.1, 41.2, 41.9]);
        let differences: Vec<f64> = b.iter().zip(a).map(|(b, a)| b - a).collect();
        let outcome = paired(&differences).unwrap();
        assert_eq!(outcome.pairs, 5);
        close(outcome.mean, 0.68);
        close(outcome.p.unwrap(), 0.023498103972635853);
        let [low, high] = outcome.interval.unwrap();
        close(low, 0.15028803471393104);
        close(high, 1.2097119652860713);
    }

    #[test]
    fn few_pairs_and_equal_differences_have_their_own_outcome() {
        assert_eq!(paired(&[]), None);
        assert_eq!(paired(&[0.5]), Some(Paired { pairs: 1, mean: 0.5, interval: None, p: None }));
        let same = paired(&[0.5, 0.5]).unwrap();
        assert_eq!((same.interval, same.p), (Some([0.5, 0.5]), Some(0.0)));
        assert_eq!(paired(&[0.0, 0.0]).unwrap().p, Some(1.0));
    }

    /// statsmodels: `multipletests([0.01, 0.04, 0.03, 0.005], method="holm")[1]`.
    #[test]
    fn holms_correction_equals_statsmodels() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        [0.03, 0.06, 0.06, 0.02].into_iter().zip(adjusted).for_each(|(a, b)| close(a, b));
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn a_standard_deviation_needs_two_values() {
        assert_eq!((mean(&[]), standard_deviation(&[1.0])), (None, None));
        close(standard_deviation(&[1.0, 2.0, 4.0]).unwrap(), (7.0_f64 / 3.0).sqrt());
    }
}
