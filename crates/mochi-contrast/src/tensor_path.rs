//! The closed form in libtorch operations: CUDA, float64, and the partner that the CPU kernel is tested against.
//!
//! Same algebra as [`crate::row`], whole batch at a time: `topk` for the hardest set, gathers of parents' cosines, `scatter_add` for the
//! weights that points hand back. The host waits for the device once, when everything is on its way: for the loss and the step's numbers.

use crate::measures::{HARDER_BY, Has, uniformity};
use crate::queue::UnitRows;
use crate::readings::{Numbers, Place, Readings};
use crate::tensor_forms::{Derivatives, derivatives};
use crate::tensor_points::{Synthetic, draw, for_extra_vectors, hardest_sets, mix};
use crate::{Context, ContrastError, Loss, Measures, Objective, tensor_guards};
use mochi_tensor::{Kind, Tensor};

/// The loss as tensors, before anything is read back.
pub struct ClosedForm {
    /// (B, 1 + K + points): positive, columns (masked ones -infinity), pair mixes, query mixes, further strategies; divided by the temperature.
    pub logits: Tensor,
    /// (B,): loss of each query.
    pub losses: Tensor,
    /// (B, D).
    pub gradient: Tensor,
    /// q·k (B, 1)
    positive: Tensor,
    columns: i64,
    /// Points of each block.
    points: Vec<i64>,
    /// Cosines of the hardest sets (B, N).
    hardest: Option<Tensor>,
    /// How many columns each query has left (B, 1).
    valid: Tensor,
}

/// Loss, gradient and measurements from rows of any float type on any device, which are looked at here.
pub(crate) fn loss(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<Loss, ContrastError> {
    let form = evaluate_all(query, key, columns, objective, context)?;
    let value = match context.weights {
        None => form.losses.f_mean(Kind::Double)?,
        Some(weights) => {
            let weights = tensor_guards::column(weights, &form.losses)?.f_view([-1])?;
            form.losses.f_mul(&weights)?.f_sum(Kind::Double)?
        }
    };
    let mut readings = Readings::default();
    let rows = [UnitRows::ask("query", query, &mut readings)?, UnitRows::ask("key", key, &mut readings)?];
    let fewest = [readings.add(&form.valid.f_min()?)?, readings.add(&form.valid.f_argmin(None, false)?)?];
    let value = readings.add(&value)?;
    let pull = readings.add(&form.gradient.f_sum(Kind::Double)?)?;
    let spread = match (uniformity::of_rows(query)?, uniformity::of_rows(key)?) {
        (Some(q), Some(k)) => Some(readings.add(&q.f_add(&k)?.f_mul_scalar(0.5)?)?),
        _ => None,
    };
    let places = form.measures(objective, &mut readings)?;

    let numbers = readings.read()?;
    let step = context.draws.step;
    rows.iter().try_for_each(|rows| rows.check(&numbers, step))?;
    let fewest = fewest.map(|place| numbers.count(place));
    tensor_guards::all_masked(fewest.into(), objective, context)?;
    // A column that is not finite leaves the loss a number but not the gradient.
    let value = numbers.at(value);
    if !(value.is_finite() && numbers.at(pull).is_finite()) {
        return Err(ContrastError::LossNotFinite { step });
    }
    let measures =
        Measures { uniformity: spread.map(|place| numbers.at(place)), ..places.measures(&numbers, objective) };
    Ok(Loss { value, gradient: form.gradient, measures, clamped: objective.clamped(fewest[0]) })
}

/// As [`crate::info_nce`], with the logits kept: parity against references that print them. Rows are not checked.
///
/// # Errors
/// What libtorch says of shapes that do not fit; a query for which every column is masked.
pub fn evaluate(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<ClosedForm, ContrastError> {
    let form = mochi_tensor::no_grad(|| evaluate_all(query, key, columns, objective, context))?;
    tensor_guards::some_left(&form.valid, objective, context)?;
    Ok(form)
}

fn evaluate_all(
    query: &Tensor,
    key: &Tensor,
    columns: &Tensor,
    objective: &Objective,
    context: &Context,
) -> Result<ClosedForm, ContrastError> {
    let (batch, size, kind) = (query.size()[0], columns.size()[0], query.kind());
    let sum_rows = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
    let positive = sum_rows(&query.f_mul(key)?)?; // (B, 1)
    let cosines = query.f_matmul(&columns.f_transpose(0, 1)?)?; // (B, K)
    let (cosines, valid) = tensor_guards::mask(&cosines, &positive, objective, context)?;

    let (mut hardest, mut blocks) = (None, Vec::new());
    if objective.synthesises() {
        let (set, values) = hardest_sets(&cosines, objective.synthesis.hardest)?;
        for drawing in draw(objective, context, &set, &valid, kind)? {
            blocks.push(mix(query, columns, &cosines, drawing, context.source())?);
        }
        hardest = Some(values);
    }
    let points: Vec<i64> = blocks.iter().map(|block| block.cosines.size()[1]).collect();

    let (of_pair, slope) = tensor_guards::positives(&positive, context)?;
    let mut parts = vec![of_pair, cosines];
    parts.extend(blocks.iter().map(|block| block.cosines.shallow_clone()));
    let logits = Tensor::f_cat(&parts, 1)?.f_div_scalar(objective.temperature)?;
    let (log_omega, count) = weights_of(&blocks, &valid, size, query)?;
    let form = derivatives(objective.form, objective.temperature, &logits, log_omega.as_ref(), &count)?;
    let Derivatives { losses, positive: of_positive, negatives } = form;

    let mut sizes = vec![size];
    sizes.extend(&points);
    let parts = negatives.f_split_with_sizes(sizes.as_slice(), 1)?;
    let mut weights = parts[0].copy(); // (B, K), of its own: the points are added in place
    let mut own = Tensor::f_zeros_like(&positive)?;
    let of_cosine = match &slope {
        Some(slope) => of_positive.f_mul(slope)?,
        None => of_positive,
    };
    let mut gradient = key.f_mul(&of_cosine)?;
    for (block, p) in blocks.iter().zip(&parts[1..]) {
        weights = weights.f_scatter_add_(1, &block.drawing.first, &p.f_mul(&block.first)?)?;
        if block.drawing.block.strategy.has_pairs() {
            weights = weights.f_scatter_add_(1, &block.drawing.second, &p.f_mul(&block.second)?)?;
        }
        own = own.f_add_(&sum_rows(&p.f_mul(&block.query)?)?)?;
        if let Some(part) = extra_gradient(block, p, query, context)? {
            gradient = gradient.f_add_(&part)?;
        }
    }
    gradient = weights.f_matmul(columns)?.f_add(&gradient)?.f_add(&query.f_mul(&own)?)?;
    let gradient = match context.weights {
        None => gradient.f_div_scalar(objective.temperature * batch as f64)?,
        Some(weights) => {
            gradient.f_mul(&tensor_guards::column(weights, query)?)?.f_div_scalar(objective.temperature)?
        }
    };
    Ok(ClosedForm { logits, losses: losses.f_view([-1])?, gradient, positive, columns: size, points, hardest, valid })
}

/// The logarithms of the negatives' weights (B, K + points), where not all are 1; and M of each query (B, 1).
fn weights_of(
    blocks: &[Synthetic],
    valid: &Tensor,
    columns: i64,
    query: &Tensor,
) -> Result<(Option<Tensor>, Tensor), ContrastError> {
    let kind = query.kind();
    let mut count = valid.f_to_kind(kind)?;
    let mut parts = Vec::new();
    for block in blocks {
        let ones = block.cosines.f_ones_like()?;
        let omega = block.drawing.omega.as_ref().unwrap_or(&ones);
        count = count.f_add(&omega.f_sum_dim_intlist([1i64].as_slice(), true, kind)?)?;
        parts.push(omega.f_log()?);
    }
    if blocks.iter().all(|block| block.drawing.omega.is_none()) {
        return Ok((None, count));
    }
    parts.insert(0, Tensor::f_zeros([query.size()[0], columns], (kind, query.device()))?);
    Ok((Some(Tensor::f_cat(&parts, 1)?), count))
}

/// What a block's extra vectors add to the gradient (B, D).
fn extra_gradient(
    block: &Synthetic,
    p: &Tensor,
    query: &Tensor,
    context: &Context,
) -> Result<Option<Tensor>, ContrastError> {
    let (Some(share), Some(extra)) = (&block.extra, block.drawing.block.strategy.extra()) else { return Ok(None) };
    let weights = p.f_mul(share)?; // (B, n)
    let mut parts = Vec::new();
    for_extra_vectors(extra, query, p.size()[1], context.source(), |start, count, vectors| {
        let weights = weights.f_narrow(0, start, count)?;
        let shared = vectors.size()[1] == 1;
        let weights = if shared { weights.f_sum_dim_intlist([1i64].as_slice(), true, query.kind())? } else { weights };
        parts.push(weights.f_unsqueeze(1)?.f_matmul(vectors)?.f_squeeze_dim(1)?);
        Ok(())
    })?;
    Ok(Some(Tensor::f_cat(&parts, 0)?))
}

/// Where a step's measurements are among the readings.
struct Places {
    accuracy_real: Place,
    accuracy_with_synthetic: Place,
    positive: Place,
    hardest: Option<Place>,
    pair: Option<Place>,
    query_mix: Option<Place>,
    synthetic_harder: Option<Place>,
    effective_negatives: Place,
}

impl Places {
    fn measures(&self, numbers: &Numbers, objective: &Objective) -> Measures {
        let at = |place: Option<Place>| place.map(|place| numbers.at(place));
        let cosine = |place: Option<Place>| at(place).map(|logit| logit * objective.temperature);
        Measures {
            accuracy_real: numbers.at(self.accuracy_real),
            accuracy_with_synthetic: numbers.at(self.accuracy_with_synthetic),
            positive: numbers.at(self.positive),
            hardest: at(self.hardest),
            pair: cosine(self.pair),
            query_mix: cosine(self.query_mix),
            synthetic_harder: at(self.synthetic_harder),
            effective_negatives: numbers.at(self.effective_negatives),
            uniformity: None,
        }
    }
}

impl ClosedForm {
    fn measures(&self, objective: &Objective, readings: &mut Readings) -> Result<Places, ContrastError> {
        let points: i64 = self.points.iter().sum();
        let logits = self.logits.f_to_kind(Kind::Double)?;
        let part = |start: i64, len: i64| logits.f_narrow(1, start, len);
        let positive = part(0, 1)?;
        let real = part(1, self.columns)?;
        let top = |t: &Tensor| t.f_amax([1i64].as_slice(), true);
        let largest_real = top(&real)?;
        let synthetic = part(1 + self.columns, points)?;
        let largest =
            if points > 0 { top(&synthetic)?.f_maximum(&largest_real)? } else { largest_real.shallow_clone() };
        let mut mean = |t: &Tensor| readings.add(&t.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?);
        // Perplexity of softmax over the columns: exp(log Z - sum p x); a masked column has p = 0 and counts for nothing.
        let z = real.f_logsumexp([1i64].as_slice(), true)?;
        let p = real.f_sub(&z)?.f_exp()?;
        let seen = p.f_mul(&real.f_clamp_min(f64::MIN)?)?;
        let entropy = z.f_view([-1])?.f_sub(&seen.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double)?)?;
        let hardest = match &self.hardest {
            Some(values) => Some(mean(&mean_of_valid(&values.f_to_kind(Kind::Double)?)?)?),
            None => None,
        };
        let bar = largest_real.f_add_scalar(f64::from(HARDER_BY) / objective.temperature)?;
        let has = Has::new(objective);
        let mut at = 1 + self.columns;
        let mut paper = [None, None];
        for (slot, there) in paper.iter_mut().zip([has.pairs, has.query_mixes]) {
            // The paper's blocks come first, in this order.
            if let Some(&len) = self.points.get(usize::from(has.pairs && at > 1 + self.columns)).filter(|_| there) {
                *slot = Some(mean(&part(at, len)?)?);
                at += len;
            }
        }
        Ok(Places {
            accuracy_real: mean(&positive.f_gt_tensor(&largest_real)?)?,
            accuracy_with_synthetic: mean(&positive.f_gt_tensor(&largest)?)?,
            positive: mean(&self.positive)?,
            hardest,
            pair: paper[0],
            query_mix: paper[1],
            synthetic_harder: if points > 0 { Some(mean(&share_of_points(&synthetic, &bar)?)?) } else { None },
            effective_negatives: mean(&entropy.f_exp()?)?,
        })
    }
}

/// The share of a row's points above the bar (B, 1); points of no weight are none.
fn share_of_points(points: &Tensor, bar: &Tensor) -> Result<Tensor, ContrastError> {
    let count = |t: Tensor| t.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    let all = count(points.f_gt(f64::NEG_INFINITY)?)?;
    Ok(count(points.f_gt_tensor(bar)?)?.f_div(&all)?)
}

/// The mean over a row's entries above -infinity: a set of fewer valid columns than N ends in others.
fn mean_of_valid(values: &Tensor) -> Result<Tensor, ContrastError> {
    let valid = values.f_gt(f64::NEG_INFINITY)?;
    let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
    let total = sum(&values.f_masked_fill(&valid.f_logical_not()?, 0.0)?)?;
    Ok(total.f_div(&sum(&valid)?.f_clamp_min(1.0)?)?)
}
