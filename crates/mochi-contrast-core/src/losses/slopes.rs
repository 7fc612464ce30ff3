//! Loss and slopes of one query from sums over its negatives, relative to a shift m:
//!
//! ```text
//! own = e^{x+ - m}    plain = Σ ω e^{x - m}    tilted = Σ ω e^{b (x - m)}    hard = Σ ω e^{(1+b) (x - m)}
//! ```
//!
//! `dL/dx = ω ( plain' e^{x-m} + tilted' e^{b(x-m)} + hard' e^{(1+b)(x-m)} )` for a negative, `positive'` for the positive.

use super::variant::LossVariant;

/// Sums that determine a loss variant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// e^{x+ - m}.
    pub own: f64,
    /// x+ - m.
    pub positive: f64,
    /// m.
    pub shift: f64,
    /// 1/t.
    pub inverse_t: f64,
    /// M.
    pub count: f64,
    /// Σ ω e^{x - m}.
    pub plain: f64,
    /// Σ ω e^{b (x - m)}; only for a variant with a concentration.
    pub tilted: f64,
    /// Σ ω e^{(1+b) (x - m)}; likewise.
    pub hard: f64,
}

/// The sums of some negatives, relative to the shift.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    pub plain: f64,
    /// Σ e^{x - m} (x - m), for the perplexity.
    pub weighted: f64,
    pub tilted: f64,
    pub hard: f64,
}

/// A query's loss and its derivatives.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slopes {
    /// L.
    pub loss: f64,
    /// dL/dx+.
    pub positive: f64,
    /// Factor of e^{x - m}.
    pub plain: f64,
    /// Factor of e^{b (x - m)}.
    pub tilted: f64,
    /// Factor of e^{(1+b) (x - m)}.
    pub hard: f64,
}

impl Sums {
    /// Adds negatives of the weight `omega`.
    #[inline(always)]
    pub(crate) fn add(&mut self, part: Part, omega: f64) {
        self.plain += omega * part.plain;
        self.tilted += omega * part.tilted;
        self.hard += omega * part.hard;
    }
}

impl LossVariant {
    /// Loss and slopes of one query.
    #[inline(always)]
    pub fn slopes(&self, sums: &Sums) -> Slopes {
        // The estimate E of the negatives' sum, and its derivatives.
        let (estimate, derivative) = match self.concentration {
            None => (sums.plain, Slopes { plain: 1.0, ..Slopes::default() }),
            Some(b) => {
                let (ratio, scale) = (sums.hard / sums.tilted, sums.count / sums.tilted);
                let derivative = Slopes { hard: scale * (1.0 + b), tilted: -scale * ratio * b, ..Slopes::default() };
                (sums.count * ratio, derivative)
            }
        };
        // G, dG/dE and dG/dx+.
        let (negatives, kept, corrected) = match self.class_prior {
            None => (estimate, 1.0, 0.0),
            Some(c) => {
                let kept = 1.0 / (1.0 - c);
                let free = (estimate - sums.count * c * sums.own) * kept;
                let least = sums.count * (-sums.inverse_t - sums.shift).exp();
                if free <= least { (least, 0.0, 0.0) } else { (free, kept, -sums.count * c * kept * sums.own) }
            }
        };
        let total = if self.positive_in_denominator { sums.own + negatives } else { negatives };
        let factor = kept / total;
        Slopes {
            loss: total.ln() - sums.positive,
            // Minus the negatives' part: no precision is lost if the positive is nearly all of the denominator.
            positive: (corrected - negatives) / total,
            plain: factor * derivative.plain,
            tilted: factor * derivative.tilted,
            hard: factor * derivative.hard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{debiased, decoupled, hcl};
    use proptest::prelude::*;

    /// The sums of explicit logits, in the order (x+, negatives).
    fn sums(positive: f64, negatives: &[(f64, f64)], t: f64, b: f64) -> Sums {
        let shift = negatives.iter().map(|n| n.0).fold(positive, f64::max);
        let sum = |power: f64| negatives.iter().map(|(x, w)| w * (power * (x - shift)).exp()).sum::<f64>();
        Sums {
            own: (positive - shift).exp(),
            positive: positive - shift,
            shift,
            inverse_t: 1.0 / t,
            count: negatives.iter().map(|n| n.1).sum(),
            plain: sum(1.0),
            tilted: sum(b),
            hard: sum(1.0 + b),
        }
    }

    fn variants(c: f64, beta: f64) -> [LossVariant; 4] {
        [
            LossVariant::INFO_NCE,
            decoupled::SPEC.defaults().build(),
            debiased::SPEC.configure([("c", c)]).unwrap().build(),
            hcl::SPEC.configure([("beta", beta), ("c", c)]).unwrap().build(),
        ]
    }

    proptest! {
        #[test]
        fn slopes_are_the_derivatives_of_the_loss(
            positive in -4.0..5.0f64,
            negatives in prop::collection::vec((-5.0..5.0f64, 0.5..2.0f64), 1..8),
            (c, beta) in (0.0..0.3f64, 0.1..2.0f64),
            which in 0usize..4,
        ) {
            let t = 0.2;
            let variant = variants(c, beta)[which];
            let loss = |positive: f64, negatives: &[(f64, f64)]| variant.slopes(&sums(positive, negatives, t, beta)).loss;
            let here = sums(positive, &negatives, t, beta);
            let slopes = variant.slopes(&here);
            // A kink has no derivative: step aside from where the bound begins to hold.
            let (up, down) = (variant.slopes(&sums(positive + 1e-4, &negatives, t, beta)), variant.slopes(&sums(positive - 1e-4, &negatives, t, beta)));
            prop_assume!((up.plain == 0.0 && up.hard == 0.0) == (down.plain == 0.0 && down.hard == 0.0));
            let e = 1e-5;
            let numeric = (loss(positive + e, &negatives) - loss(positive - e, &negatives)) / (2.0 * e);
            prop_assert!((slopes.positive - numeric).abs() < 1e-5 * (1.0 + numeric.abs()), "positive {} against {numeric}", slopes.positive);
            for at in 0..negatives.len() {
                let moved = |by: f64| {
                    let mut moved = negatives.clone();
                    moved[at].0 += by;
                    moved
                };
                prop_assume!((variant.slopes(&sums(positive, &moved(1e-4), t, beta)).plain == 0.0) == (slopes.plain == 0.0));
                let numeric = (loss(positive, &moved(e)) - loss(positive, &moved(-e))) / (2.0 * e);
                let (x, w) = (negatives[at].0 - here.shift, negatives[at].1);
                let ours = w * (slopes.plain * x.exp() + slopes.tilted * (beta * x).exp() + slopes.hard * ((1.0 + beta) * x).exp());
                prop_assert!((ours - numeric).abs() < 1e-4 * (1.0 + numeric.abs()), "negative {at}: {ours} against {numeric}");
            }
        }

        #[test]
        fn no_false_negatives_and_no_concentration_are_infonce(positive in -4.0..5.0f64, negatives in prop::collection::vec((-5.0..5.0f64, 1.0..=1.0f64), 1..8)) {
            let t = 0.2;
            let [plain, _, debiased, hcl] = variants(0.0, 1e-9);
            let plain = plain.slopes(&sums(positive, &negatives, t, 1.0));
            let debiased = debiased.slopes(&sums(positive, &negatives, t, 1.0));
            prop_assert!((plain.loss - debiased.loss).abs() < 1e-12 && (plain.positive - debiased.positive).abs() < 1e-12);
            // b -> 0: every weight is 1.
            let hcl = hcl.slopes(&sums(positive, &negatives, t, 1e-9));
            prop_assert!((plain.loss - hcl.loss).abs() < 1e-6);
        }
    }
}
