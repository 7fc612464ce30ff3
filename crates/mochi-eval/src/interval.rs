//! The 95 % interval of an accuracy over test images.
//!
//! The percentile bootstrap draws n of the n test images with replacement and takes the 2.5 % and 97.5 % quantiles of the accuracy. The number of
//! correct images among the drawn ones is Binomial(n, p), p being the measured accuracy, so the quantiles are those of the binomial distribution:
//! no image is drawn, and nothing depends on a seed. The interval covers the choice of test images. It does not cover the seed of training.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Limits in percent of the 95 % interval of an accuracy of `percent` on `images` test images.
pub fn bootstrap_interval(percent: f64, images: usize) -> [f64; 2] {
    let p = (percent / 100.0).clamp(0.0, 1.0);
    let n = images as u64;
    match Binomial::new(p, n) {
        // A quantile at 0 or 1 is the distribution's only value.
        Ok(binomial) if n > 0 && p > 0.0 && p < 1.0 => {
            [0.025, 0.975].map(|q| 100.0 * binomial.inverse_cdf(q) as f64 / images as f64)
        }
        _ => [percent, percent],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_random::{Philox, unit};

    /// SciPy: `100 * stats.binom.ppf([0.025, 0.975], n, p) / n`.
    #[test]
    fn quantiles_equal_scipys() {
        assert_eq!(bootstrap_interval(50.0, 100), [40.0, 60.0]);
        let [low, high] = bootstrap_interval(46.8, 713);
        assert!((low - 43.19775596).abs() < 1e-6 && (high - 50.49088359).abs() < 1e-6, "{low} {high}");
        assert_eq!(bootstrap_interval(0.0, 10), [0.0, 0.0]);
        assert_eq!(bootstrap_interval(100.0, 10), [100.0, 100.0]);
        assert_eq!(bootstrap_interval(50.0, 0), [50.0, 50.0]);
    }

    #[test]
    fn drawing_images_with_replacement_gives_the_same_limits() {
        let (n, correct, rounds) = (200_u32, 70, 4000_u32);
        let philox = Philox::new(1, 2);
        let mut accuracies: Vec<f64> = (0..rounds)
            .map(|round| {
                let drawn =
                    (0..n).filter(|&i| unit(philox.words([i, round, 0, 0])[0]) < f64::from(correct) / f64::from(n));
                100.0 * drawn.count() as f64 / f64::from(n)
            })
            .collect();
        accuracies.sort_by(f64::total_cmp);
        let [low, high] = bootstrap_interval(35.0, 200);
        assert!((accuracies[100] - low).abs() <= 0.5 && (accuracies[3900] - high).abs() <= 0.5);
    }
}
