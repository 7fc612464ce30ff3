//! The symmetric Beta distribution by its quantile function: one random word in, one number out, without rejection or further words.
//!
//! The distribution function on [0, 1/2] is integrated in t = x^q, q = min(p, 1), where the density is bounded for every p > 0:
//!
//! ```text
//! F(x) ∝ ∫₀^{x^q} t^{p/q - 1} (1 - t^{1/q})^{p-1} dt        F(1 - x) = 1 - F(x)
//! ```
//!
//! relative to its value at x = 1/2 and from fourteen standard deviations below 1/2 on, so that nothing underflows for large p. It is inverted
//! at 4,097 equally spaced levels of each half, and below the lowest of them at halves, quarters, ... of it, down to a word's 2^-32. Between two
//! levels x is linear, in the tail its logarithm is. The distribution function of the draws is within 1e-4 of the exact one for p from 1e-3 to 1e6.

use crate::unit;

/// Levels of one half.
const CELLS: usize = 4096;
/// Steps of the integral; several to a level.
const STEPS: usize = 1 << 15;
/// Octaves of the tail: a level of the table has the probability 2^-13, a word 2^-32.
const OCTAVES: usize = 19;

/// Beta(p, p), prepared for drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Beta {
    /// Quantiles at `i / (2 CELLS)`, i from 0 to CELLS.
    lower: Vec<f64>,
    /// Quantiles at `2^-i / (2 CELLS)`, i from 0 to OCTAVES.
    tail: Vec<f64>,
}

/// The distribution function of the lower half at equally spaced t, up to a factor.
struct Cumulative {
    sums: Vec<f64>,
    start: f64,
    width: f64,
    /// 1 / q.
    inverse_q: f64,
}

impl Cumulative {
    fn new(p: f64) -> Self {
        let q = p.min(1.0);
        let (end, inverse_q) = (0.5f64.powf(q), 1.0 / q);
        let deviation = 0.5 / (2.0 * p + 1.0).sqrt();
        let start = if p > 1.0 { (0.5 - 14.0 * deviation).max(0.0) } else { 0.0 };
        // ln of the density over its value at x = 1/2; 4 x (1 - x) is 1 there.
        let density = |t: f64| {
            let x = t.powf(inverse_q);
            if p <= 1.0 { (1.0 - x).powf(p - 1.0) } else { (4.0 * x * (1.0 - x)).powf(p - 1.0) }
        };
        let width = (end - start) / STEPS as f64;
        let mut sums = Vec::with_capacity(STEPS + 1);
        let (mut total, mut before) = (0.0f64, density(start));
        sums.push(0.0);
        for step in 1..=STEPS {
            let here = density(start + width * step as f64);
            total += 0.5 * (before + here);
            before = here;
            sums.push(total);
        }
        Self { sums, start, width, inverse_q }
    }

    /// x at a fraction of the half's probability.
    fn quantile(&self, fraction: f64) -> f64 {
        let wanted = self.sums[STEPS] * fraction;
        let above = self.sums.partition_point(|&sum| sum < wanted).clamp(1, STEPS);
        let (low, high) = (self.sums[above - 1], self.sums[above]);
        let part = if high > low { ((wanted - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
        (self.start + self.width * ((above - 1) as f64 + part)).powf(self.inverse_q).min(0.5)
    }
}

impl Beta {
    /// Beta(p, p), for `p` from 1e-3 to 1e6; other values are replaced by the nearest of these. (Below 1e-3 all but 1.4 % of the draws lie
    /// within 1e-6 of 0 or 1.)
    ///
    /// # Panics
    /// Where `p` is not a number.
    pub fn symmetric(p: f64) -> Self {
        assert!(!p.is_nan(), "the parameter of a Beta distribution must be a number");
        let cumulative = Cumulative::new(p.clamp(1e-3, 1e6));
        let cell = 1.0 / CELLS as f64;
        Self {
            lower: (0..=CELLS).map(|level| cumulative.quantile(cell * level as f64)).collect(),
            tail: (0..=OCTAVES).map(|octave| cumulative.quantile(cell * 0.5f64.powi(octave as i32))).collect(),
        }
    }

    /// The draw of a random word, in [0, 1].
    #[inline]
    pub fn draw(&self, word: u32) -> f64 {
        let level = unit(word) * (2 * CELLS) as f64;
        let (level, mirrored) = if level > CELLS as f64 { ((2 * CELLS) as f64 - level, true) } else { (level, false) };
        let cell = (level as usize).min(CELLS - 1);
        let part = level - cell as f64;
        let value = if cell == 0 {
            self.in_tail(part)
        } else {
            self.lower[cell] + part * (self.lower[cell + 1] - self.lower[cell])
        };
        if mirrored { 1.0 - value } else { value }
    }

    /// The quantile at a part of the lowest level.
    fn in_tail(&self, part: f64) -> f64 {
        if part <= 0.0 {
            return 0.0;
        }
        let octaves = -part.log2();
        let octave = (octaves as usize).min(OCTAVES - 1);
        let (above, below) = (self.tail[octave], self.tail[octave + 1]);
        if below > 0.0 { above * (below / above).powf(octaves - octave as f64) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws at the middles of equally likely intervals: the distribution itself, without chance.
    fn strata(p: f64) -> Vec<f64> {
        let beta = Beta::symmetric(p);
        (0..1u32 << 18).map(|i| beta.draw((i << 14) + (1 << 13))).collect()
    }

    #[test]
    fn h6_1_and_h6_11_moments_are_exact_over_the_whole_range() {
        for p in [0.001, 0.01, 0.2, 0.5, 1.0, 1.6, 2.0, 50.0, 540.0, 1e3, 1e6] {
            let draws = strata(p);
            let n = draws.len() as f64;
            let mean = draws.iter().sum::<f64>() / n;
            let moment = |power: i32| draws.iter().map(|x| (x - 0.5).powi(power)).sum::<f64>() / n;
            let variance = 1.0 / (4.0 * (2.0 * p + 1.0));
            let kurtosis = 3.0 - 6.0 / (2.0 * p + 3.0);
            assert!((mean - 0.5).abs() < 1e-6, "Beta({p},{p}) mean {mean}");
            assert!((moment(2) / variance - 1.0).abs() < 1e-3, "Beta({p},{p}) variance {}, not {variance}", moment(2));
            let fourth = kurtosis * variance * variance;
            assert!((moment(4) / fourth - 1.0).abs() < 3e-3, "Beta({p},{p}) fourth moment {}, not {fourth}", moment(4));
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
        }
    }

    #[test]
    fn quantiles_that_are_known_in_closed_form_are_met() {
        // Beta(1, 1) is uniform; Beta(1/2, 1/2) is the arcsine distribution, x = sin²(pi u / 2); Beta(2, 2) has F(x) = 3x² - 2x³.
        let [uniform, arcs, square] = [1.0, 0.5, 2.0].map(Beta::symmetric);
        for i in 0..1000u32 {
            let word = i * (u32::MAX / 1000) + 12_345;
            let u = unit(word);
            assert!((uniform.draw(word) - u).abs() < 1e-9);
            let arcsine = (std::f64::consts::FRAC_PI_2 * u).sin().powi(2);
            assert!((arcs.draw(word) - arcsine).abs() < 1e-6, "{u}");
            let x = square.draw(word);
            assert!((3.0 * x * x - 2.0 * x * x * x - u).abs() < 1e-4, "{u}: {x}");
        }
    }

    #[test]
    fn h6_1_large_p_is_nearly_normal() {
        // Quantiles of the normal distribution at 1/2, at its standard deviation, and at 2^-20.
        for p in [1e3, 1e6] {
            let (beta, deviation) = (Beta::symmetric(p), 0.5 / (2.0 * p + 1.0f64).sqrt());
            let z = |word: u32| (beta.draw(word) - 0.5) / deviation;
            assert!(z(1 << 31).abs() < 1e-3);
            assert!((z((0.841_344_746_07f64 * 4_294_967_296.0) as u32) - 1.0).abs() < 2e-3, "{p}");
            assert!((z(1 << 12) + 4.7636).abs() < 0.03, "{p}: {}", z(1 << 12));
        }
    }

    #[test]
    fn h6_11_tiny_p_is_nearly_always_0_or_1() {
        // F(x) = x^p / (p B(p, p)) for small x, and p B(p, p) is 2 for p -> 0.
        for p in [0.001, 0.01f64] {
            let near_0 = strata(p).iter().filter(|&&x| x < 1e-6).count() as f64 / f64::from(1u32 << 18);
            let wanted = 0.5 * 1e-6f64.powf(p);
            assert!((near_0 - wanted).abs() < 1e-3, "Beta({p},{p}): {near_0}, not {wanted}");
        }
    }
}
