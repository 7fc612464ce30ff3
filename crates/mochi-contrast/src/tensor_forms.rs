//! The forms of [`crate::forms`] on a whole matrix of logits: loss of each query, and the derivative of every logit.

use crate::{ContrastError, Form};
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

/// From logits (B, 1 + M), the positive first, and the logarithms of the negatives' weights where not all are 1 (B, M).
pub(crate) fn derivatives(
    form: Form,
    temperature: f64,
    logits: &Tensor,
    log_omega: Option<&Tensor>,
    count: &Tensor,
) -> Result<Derivatives, ContrastError> {
    let kind = logits.kind();
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
    let positive = logits.f_narrow(1, 0, 1)?;
    let negatives = logits.f_narrow(1, 1, logits.size()[1] - 1)?;
    let weighed = |t: Tensor| match log_omega {
        Some(omega) => t.f_add(omega),
        None => Ok(t),
    };
    let x = weighed(negatives.shallow_clone())?;
    let c = match form {
        Form::InfoNce | Form::Decoupled => {
            let among = if form == Form::InfoNce { Tensor::f_cat(&[&positive, &x], 1)? } else { x.shallow_clone() };
            let total = among.f_logsumexp([1i64].as_slice(), true)?;
            let p = x.f_sub(&total)?.f_exp()?;
            // p_k - 1 as minus the negatives' share: no digits are lost where the positive has nearly all of it.
            let losses = total.f_sub(&positive)?;
            return Ok(Derivatives { losses, positive: sum(&p)?.f_neg()?, negatives: p });
        }
        Form::Debiased { c } | Form::Hcl { c, .. } => c,
    };
    let m = logits.f_amax([1i64].as_slice(), true)?;
    let power = |b: f64| weighed(negatives.f_sub(&m)?.f_mul_scalar(b)?)?.f_exp();
    let own = positive.f_sub(&m)?.f_exp()?;
    // The estimate of the negatives' sum and its derivative in each logit.
    let (estimate, slope) = match form.tilt() {
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
    let free = estimate.f_sub(&count.f_mul(&own)?.f_mul_scalar(c)?)?.f_div_scalar(1.0 - c)?;
    let least = count.f_mul(&m.f_neg()?.f_sub_scalar(1.0 / temperature)?.f_exp()?)?;
    let open = free.f_gt_tensor(&least)?.f_to_kind(kind)?;
    let sum_negatives = free.f_maximum(&least)?;
    let total = own.f_add(&sum_negatives)?;
    let losses = total.f_log()?.f_sub(&positive.f_sub(&m)?)?;
    let factor = open.f_div(&total)?.f_div_scalar(1.0 - c)?;
    let of_own = factor.f_mul(count)?.f_mul(&own)?.f_mul_scalar(c)?;
    let positive = sum_negatives.f_div(&total)?.f_add(&of_own)?.f_neg()?;
    Ok(Derivatives { losses, positive, negatives: slope.f_mul(&factor)? })
}
