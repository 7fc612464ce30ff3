//! Forms of the loss: how a query's positive and negatives make one number. All are functions of a few sums over the negatives.
//!
//! With logits `x = cosine / t`, weights ω (1, or a point's own) and `M = Σ ω`, everything relative to a shift m, the largest logit:
//!
//! ```text
//! own = e^{x+ - m}    plain = Σ ω e^{x - m}    tilted = Σ ω e^{b (x - m)}    hard = Σ ω e^{(1+b) (x - m)}
//! ```
//!
//! A form turns them into the loss and into the slopes that every logit's gradient is made of:
//! `dL/dx = ω ( plain' e^{x-m} + tilted' e^{b(x-m)} + hard' e^{(1+b)(x-m)} )` for a negative, `positive'` for the positive.

pub mod debiased;
pub mod decoupled;
pub mod hcl;
pub mod plain;

use crate::ContrastError;

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Form {
    /// InfoNCE: [`plain`].
    #[default]
    InfoNce,
    /// The positive is left out of the denominator: [`decoupled`].
    Decoupled,
    /// Corrected for false negatives: [`debiased`].
    Debiased {
        /// Class probability c: the share of false negatives that is assumed.
        c: f64,
    },
    /// Debiased, with harder negatives weighing more: [`hcl`].
    Hcl {
        /// Concentration b.
        beta: f64,
        /// Class probability c.
        c: f64,
    },
}

/// The sums that a form is a function of; see the module.
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
    /// Σ ω e^{b (x - m)}; only for a form that [`Form::tilt`]s.
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

impl From<(f64, f64)> for Part {
    fn from((plain, weighted): (f64, f64)) -> Self {
        Self { plain, weighted, ..Self::default() }
    }
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

/// A query's loss and its derivatives; see the module.
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

impl Form {
    /// The word in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InfoNce => "info-nce",
            Self::Decoupled => "decoupled",
            Self::Debiased { .. } => "debiased",
            Self::Hcl { .. } => "hcl",
        }
    }

    /// b, where the form needs the tilted sums.
    pub fn tilt(&self) -> Option<f64> {
        match self {
            Self::Hcl { beta, .. } => Some(*beta),
            _ => None,
        }
    }

    /// Loss and slopes of one query.
    #[inline(always)]
    pub fn slopes(&self, sums: &Sums) -> Slopes {
        match *self {
            Self::InfoNce => plain::slopes(sums),
            Self::Decoupled => decoupled::slopes(sums),
            Self::Debiased { c } => debiased::slopes(sums, c),
            Self::Hcl { beta, c } => hcl::slopes(sums, beta, c),
        }
    }

    /// The loss where all logits are equal, against `negatives` of them.
    pub(crate) fn ceiling(&self, negatives: f64) -> f64 {
        if *self == Self::Decoupled { negatives.ln() } else { negatives.ln_1p() }
    }

    pub(crate) fn check(&self) -> Result<(), ContrastError> {
        let (value, good) = match *self {
            Self::InfoNce | Self::Decoupled => return Ok(()),
            Self::Debiased { c } => (c.to_string(), (0.0..1.0).contains(&c)),
            Self::Hcl { beta, c } => {
                (format!("beta {beta}, c {c}"), (0.0..1.0).contains(&c) && beta > 0.0 && beta.is_finite())
            }
        };
        let expected = "c lies in [0, 1) and beta above 0";
        if good { Ok(()) } else { Err(ContrastError::Option { option: "moco.loss", value, expected }) }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
