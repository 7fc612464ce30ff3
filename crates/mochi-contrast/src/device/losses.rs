//! The common form of [`mochi_contrast_core::losses`] on a whole matrix of logits: loss of each query, and the derivative of every logit.

use crate::{ContrastError, LossVariant};
use mochi_tensor::Tensor;

/// dL/dx of a whole batch.
pub(crate) struct Derivatives {
    /// (B, 1)
    pub losses: Tensor,
    /// Of the positive (B, 1).
    pub positive: Tensor,
    /// Of the negatives (B, M), their weights included.
    pub negatives: Tensor,
}

/// From logits (B, 1 + M), the positive first, the logarithms of the negatives' weights where not all are 1 (B, M), and M of each query (B, 1).
pub(crate) fn derivatives(
    loss: &LossVariant,
    temperature: f64,
    logits: &Tensor,
    log_weights: Option<&Tensor>,
    count: &Tensor,
) -> Result<Derivatives, ContrastError> {
    let kind = logits.kind();
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
    let positive = logits.f_narrow(1, 0, 1)?;
    let negatives = logits.f_narrow(1, 1, logits.size()[1] - 1)?;
    let weighed = |t: Tensor| match log_weights {
        Some(weights) => t.f_add(weights),
        None => Ok(t),
    };
    if loss.concentration.is_none() && loss.class_prior.is_none() {
        let x = weighed(negatives.shallow_clone())?;
        let among = if loss.positive_in_denominator { Tensor::f_cat(&[&positive, &x], 1)? } else { x.shallow_clone() };
        let total = among.f_logsumexp([1i64].as_slice(), true)?;
        let p = x.f_sub(&total)?.f_exp()?;
        // p_k - 1 as minus the negatives' part: no digits are lost where the positive has nearly all of it.
        let losses = total.f_sub(&positive)?;
        return Ok(Derivatives { losses, positive: sum(&p)?.f_neg()?, negatives: p });
    }
    let m = logits.f_amax([1i64].as_slice(), true)?;
    let power = |b: f64| weighed(negatives.f_sub(&m)?.f_mul_scalar(b)?)?.f_exp();
    let own = positive.f_sub(&m)?.f_exp()?;
    // The estimate of the negatives' sum and its derivative in each logit.
    let (estimate, slope) = match loss.concentration {
        None => {
            let e = power(1.0)?;
            (sum(&e)?, e)
        }
        Some(b) => {
            let (tilted, hard) = (power(b)?, power(1.0 + b)?);
            let (t, h) = (sum(&tilted)?, sum(&hard)?);
            let ratio = h.f_div(&t)?;
            let inner = hard.f_mul_scalar(1.0 + b)?.f_sub(&tilted.f_mul(&ratio)?.f_mul_scalar(b)?)?;
            (count.f_mul(&ratio)?, inner.f_mul(&count.f_div(&t)?)?)
        }
    };
    // G, dG/dE and dG/dx+.
    let (sum_negatives, kept, corrected) = match loss.class_prior {
        None => (estimate.shallow_clone(), estimate.f_ones_like()?, estimate.f_zeros_like()?),
        Some(c) => {
            let free = estimate.f_sub(&count.f_mul(&own)?.f_mul_scalar(c)?)?.f_div_scalar(1.0 - c)?;
            let least = count.f_mul(&m.f_neg()?.f_sub_scalar(1.0 / temperature)?.f_exp()?)?;
            let kept = free.f_gt_tensor(&least)?.f_to_kind(kind)?.f_div_scalar(1.0 - c)?;
            (free.f_maximum(&least)?, kept.shallow_clone(), kept.f_mul(count)?.f_mul(&own)?.f_mul_scalar(-c)?)
        }
    };
    let total = if loss.positive_in_denominator { own.f_add(&sum_negatives)? } else { sum_negatives.shallow_clone() };
    let losses = total.f_log()?.f_sub(&positive.f_sub(&m)?)?;
    let positive = corrected.f_sub(&sum_negatives)?.f_div(&total)?;
    Ok(Derivatives { losses, positive, negatives: slope.f_mul(&kept.f_div(&total)?)? })
}
