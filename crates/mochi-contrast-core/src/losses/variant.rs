//! Description of a loss variant with its values, which the compute paths use.

use crate::CoreError;
use crate::spec::{Argument, Range};

/// A loss variant with its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossVariant {
    /// Name in a configuration.
    pub name: &'static str,
    /// Whether the positive is part of the denominator.
    pub positive_in_denominator: bool,
    /// b: each negative weighs `e^{b x}` relative to the mean of these weights.
    pub concentration: Option<f64>,
    /// c: assumed fraction of false negatives, whose part is subtracted.
    pub class_prior: Option<f64>,
}

impl LossVariant {
    /// InfoNCE.
    pub const INFO_NCE: Self =
        Self { name: "info-nce", positive_in_denominator: true, concentration: None, class_prior: None };

    /// The loss if all logits are equal and the negatives have the total weight `negatives`; 0 without negatives.
    pub fn chance_level(&self, negatives: f64) -> f64 {
        match self.positive_in_denominator {
            _ if negatives <= 0.0 => 0.0,
            true => negatives.ln_1p(),
            false => negatives.ln(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), CoreError> {
        let (b, c) = (self.concentration.unwrap_or(1.0), self.class_prior.unwrap_or(0.0));
        if b > 0.0 && b.is_finite() && (0.0..1.0).contains(&c) {
            return Ok(());
        }
        Err(CoreError::Value {
            what: format!("loss variant {}", self.name),
            value: format!("concentration {b}, class prior {c}"),
            expected: "a concentration above 0 and a class prior from 0 to below 1",
        })
    }
}

/// Argument `c`: the assumed fraction of false negatives.
pub(super) const CLASS_PRIOR: Argument = Argument {
    name: "c",
    range: Range::Number { min: 0.0, max: 0.999 },
    default: 0.1,
    doc: "Assumed fraction of false negatives.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        for (concentration, class_prior) in [(None, Some(1.0)), (Some(0.0), None), (Some(1.0), Some(f64::NAN))] {
            let variant = LossVariant { name: "toy", concentration, class_prior, ..LossVariant::INFO_NCE };
            assert!(variant.check().unwrap_err().to_string().contains("loss variant toy"));
        }
    }
}
