//! The measurements of a step on the device, read back with its other numbers.

use super::{ClosedForm, Deferred, Numbers, Readback};
use crate::{ContrastError, Measures, Objective};
use mochi_contrast_core::measures::{HARDER_BY, Measured};
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};
use mochi_tensor::{Kind, Tensor};

/// The measurements before they are read back.
pub(crate) struct DeferredMeasures {
    accuracy_real: Deferred,
    accuracy_with_synthetic: Deferred,
    positive: Deferred,
    hardest: Option<Deferred>,
    pair: Option<Deferred>,
    query_mix: Option<Deferred>,
    synthetic_harder: Option<Deferred>,
    effective_negatives: Deferred,
    without_negatives: Deferred,
}

impl DeferredMeasures {
    pub fn read(&self, numbers: &Numbers, objective: &Objective) -> Measures {
        let at = |number: Option<Deferred>| number.map(|number| numbers.at(number));
        let cosine = |number: Option<Deferred>| at(number).map(|logit| logit * objective.temperature);
        Measures {
            accuracy_real: numbers.at(self.accuracy_real),
            accuracy_with_synthetic: numbers.at(self.accuracy_with_synthetic),
            positive: numbers.at(self.positive),
            hardest: at(self.hardest),
            pair: cosine(self.pair),
            query_mix: cosine(self.query_mix),
            synthetic_harder: at(self.synthetic_harder),
            effective_negatives: numbers.at(self.effective_negatives),
            without_negatives: numbers.at(self.without_negatives),
            uniformity: None,
        }
    }
}

impl ClosedForm {
    pub(super) fn measures(
        &self,
        objective: &Objective,
        readback: &mut Readback,
    ) -> Result<DeferredMeasures, ContrastError> {
        let synthetic: i64 = self.counts.iter().sum();
        let logits = self.logits.f_to_kind(Kind::Double)?;
        let part = |start: i64, len: i64| logits.f_narrow(1, start, len);
        let positive = part(0, 1)?;
        let real = part(1, self.candidates)?;
        let top = |t: &Tensor| t.f_amax([1i64].as_slice(), true);
        let largest_real = top(&real)?;
        let all_synthetic = part(1 + self.candidates, synthetic)?;
        let largest =
            if synthetic > 0 { top(&all_synthetic)?.f_maximum(&largest_real)? } else { largest_real.shallow_clone() };
        // Means over the queries that have a negative.
        let empty = self.valid.f_eq(0)?.f_view([-1])?; // (B,)
        let without = empty.f_to_kind(Kind::Double)?.f_sum(Kind::Double)?;
        let batch = empty.size()[0] as f64;
        let with = without.f_neg()?.f_add_scalar(batch)?.f_clamp_min(1.0)?;
        let mut mean = |rows: &Tensor| -> Result<Deferred, ContrastError> {
            let rows = rows.f_to_kind(Kind::Double)?.f_view([-1])?.f_masked_fill(&empty, 0.0)?;
            readback.add(&rows.f_sum(Kind::Double)?.f_div(&with)?)
        };
        let row_mean = |t: &Tensor| t.f_mean_dim([1i64].as_slice(), false, Kind::Double);
        // Perplexity of softmax over the candidate keys: exp(log Z - sum p x); an excluded key has p = 0 and counts for nothing.
        let z = real.f_logsumexp([1i64].as_slice(), true)?;
        let p = real.f_sub(&z)?.f_exp()?;
        let seen = p.f_mul(&real.f_clamp_min(f64::MIN)?)?;
        let entropy = z.f_view([-1])?.f_sub(&seen.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double)?)?;
        let hardest = match &self.hard {
            Some(values) => Some(mean(&mean_of_valid(&values.f_to_kind(Kind::Double)?)?)?),
            None => None,
        };
        let bar = largest_real.f_add_scalar(f64::from(HARDER_BY) / objective.temperature)?;
        let measured = Measured::new(objective);
        let (mut pair, mut query_mix) = (None, None);
        let mut at = 1 + self.candidates;
        for (strategy, &len) in objective.active_strategies().zip(&self.counts) {
            match strategy.purpose {
                pair_mixing::PURPOSE => pair = Some(mean(&row_mean(&part(at, len)?)?)?),
                query_mixing::PURPOSE => query_mix = Some(mean(&row_mean(&part(at, len)?)?)?),
                _ => {}
            }
            at += len;
        }
        Ok(DeferredMeasures {
            accuracy_real: mean(&positive.f_gt_tensor(&largest_real)?)?,
            accuracy_with_synthetic: mean(&positive.f_gt_tensor(&largest)?)?,
            hardest,
            pair,
            query_mix,
            synthetic_harder: if measured.synthetic {
                Some(mean(&fraction_above(&all_synthetic, &bar)?)?)
            } else {
                None
            },
            effective_negatives: mean(&entropy.f_exp()?)?,
            positive: readback.add(&self.positive.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?)?,
            without_negatives: readback.add(&without.f_div_scalar(batch)?)?,
        })
    }
}

/// The fraction of a row's synthetic negatives above the bar (B, 1); those of no weight do not count.
fn fraction_above(synthetic: &Tensor, bar: &Tensor) -> Result<Tensor, ContrastError> {
    let count = |t: Tensor| t.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    let all = count(synthetic.f_gt(f64::NEG_INFINITY)?)?;
    Ok(count(synthetic.f_gt_tensor(bar)?)?.f_div(&all)?)
}

/// The mean over a row's entries above -infinity: a row of fewer than N hard negatives ends in others.
fn mean_of_valid(values: &Tensor) -> Result<Tensor, ContrastError> {
    let valid = values.f_gt(f64::NEG_INFINITY)?;
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    let total = sum(&values.f_masked_fill(&valid.f_logical_not()?, 0.0)?)?;
    Ok(total.f_div(&sum(&valid)?.f_clamp_min(1.0)?)?)
}
