//! The hardest negatives: matching probability by rank (MoCHi, section 3.1 and figure 2), and the fraction of false negatives among the hardest r
//! (MoCHi, section 5 and its appendix on the class oracle).
//!
//! ```text
//! p_in           = e^{x_i·y_n/t} / Σ_m e^{x_i·y_m/t}                x_i: first view of image i; y_n: second view of image n, n != i a negative
//! probability(r) = mean over i of the r-th largest p_in             r = 1 .. 1,024
//! false(r)       = mean over i of the fraction of images of i's class among its r negatives of largest cosine
//! ```
//!
//! The curve is [`mochi_contrast::diagnostics`]' of a loss whose candidate keys are the sample's other images. Its level depends on their number, so it
//! is compared between checkpoints, not with the curve of training.

use crate::EvalError;
use mochi_contrast::{Context, Objective, SampleMetadata, diagnostics};
use mochi_tensor::{Kind, Tensor};
use serde::Serialize;

/// Negatives that count for [`super::measure::FALSE_NEGATIVES_HARDEST`].
pub const HARDEST: usize = 64;

/// Curves over the rank of a negative, hardest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hardest {
    /// Ranks from 1, rising, at most 1,024.
    pub ranks: Vec<u32>,
    /// Mean matching probability of the negative of each rank.
    pub probability: Vec<f64>,
    /// Fraction of false negatives among the negatives up to each rank; only with labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_negatives: Option<Vec<f64>>,
    /// The same among the [`HARDEST`] hardest, or all if there are fewer.
    #[serde(skip)]
    pub false_among_hardest: Option<f64>,
    /// The same among all negatives.
    #[serde(skip)]
    pub false_among_all: Option<f64>,
}

/// The curves of first views (B, D) and second views (N, D) of images whose classes are `labels` (N), B <= N, at `temperature`; `None` unless
/// there is a negative.
///
/// # Errors
/// Shapes that do not fit, a temperature that is not above 0, or an error of libtorch.
pub fn hardest(
    first: &Tensor,
    second: &Tensor,
    labels: Option<&[u32]>,
    temperature: f64,
) -> Result<Option<Hardest>, EvalError> {
    let size = |t: &Tensor| t.size().first().copied().unwrap_or(0);
    let (b, n) = (size(first), size(second));
    if b < 1 || n < 2 || b > n {
        return Ok(None);
    }
    let own: Vec<u32> = (0u32..).take(usize::try_from(b).unwrap_or(0)).collect();
    let keys: Option<Vec<i64>> = labels.map(|labels| labels.iter().map(|&label| i64::from(label)).collect());
    let queries = keys.as_ref().and_then(|keys| keys.get(..own.len()));
    let metadata = |labels| SampleMetadata { labels, ..SampleMetadata::default() };
    let context = Context {
        queries: metadata(queries),
        candidates: metadata(keys.as_deref()),
        positive_indices: &own,
        ..Context::default()
    };
    let key = second.f_narrow(0, 0, b)?;
    let Some(found) = diagnostics(first, &key, second, &Objective::plain(temperature), &context)? else {
        return Ok(None);
    };
    // The last rank of a short curve is the excluded image itself.
    let kept = found.curve.ranks.iter().take_while(|&&rank| i64::from(rank) < n).count();
    let curve = |values: &[f64]| values.iter().take(kept).copied().collect::<Vec<f64>>();
    let ranks: Vec<u32> = found.curve.ranks.iter().take(kept).copied().collect();
    let fractions = keys.map(|keys| fractions(first, second, &keys, ranks.last().copied())).transpose()?;
    let at = |rank: usize| fractions.as_ref().and_then(|all| all.get(rank.min(all.len()).checked_sub(1)?).copied());
    Ok(Some(Hardest {
        probability: curve(&found.curve.real),
        false_negatives: fractions.is_some().then(|| ranks.iter().filter_map(|&rank| at(rank as usize)).collect()),
        false_among_hardest: at(HARDEST),
        false_among_all: found.false_negatives.and_then(|all| all.candidates),
        ranks,
    }))
}

/// Fraction of the query's class among its 1, 2, ... `most` hardest negatives.
fn fractions(first: &Tensor, second: &Tensor, labels: &[i64], most: Option<u32>) -> Result<Vec<f64>, EvalError> {
    let b = first.size().first().copied().unwrap_or(0);
    let cosines = first.f_matmul(&second.f_tr()?)?; // (B, N)
    let _ = cosines.f_diagonal(0, 0, 1)?.f_fill_(f64::NEG_INFINITY)?;
    let hardest = cosines.f_topk(i64::from(most.unwrap_or(0)), 1, true, true)?.1; // (B, most)
    let labels = Tensor::f_from_slice(labels)?;
    let same = labels.f_take(&hardest)?.f_eq_tensor(&labels.f_narrow(0, 0, b)?.f_unsqueeze(1)?)?;
    let by_rank =
        Vec::<f64>::try_from(same.f_to_kind(Kind::Double)?.f_mean_dim([0i64].as_slice(), false, Kind::Double)?)?;
    let sums = by_rank.iter().scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    Ok(sums.zip(1u32..).map(|(sum, rank)| sum / f64::from(rank)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{close, labels, matrix, number, numbers};

    #[test]
    fn curves_are_those_of_numpy_in_float64() {
        let (first, second) = (matrix("first").narrow(0, 0, 9), matrix("second"));
        let found = hardest(&first, &second, Some(&labels()), 0.2).unwrap().unwrap();
        assert_eq!((found.ranks[0], found.ranks.last()), (1, Some(&23)));
        let false_negatives = found.false_negatives.unwrap();
        for (found, ranks, wanted) in
            [(&found.probability, &found.ranks, "matching"), (&false_negatives, &found.ranks, "false_by_rank")]
        {
            let wanted = numbers(wanted);
            assert_eq!(found.len(), ranks.len());
            found.iter().zip(ranks).for_each(|(&a, &rank)| close(a, wanted[rank as usize - 1], 1e-6));
        }
        close(found.false_among_all.unwrap(), number("false_all"), 1e-9);
        // Of 23 negatives all count.
        close(found.false_among_hardest.unwrap(), number("false_all"), 1e-9);
    }

    #[test]
    fn without_labels_or_negatives_there_is_less() {
        let (first, second) = (matrix("first"), matrix("second"));
        let found = hardest(&first, &second, None, 0.2).unwrap().unwrap();
        assert_eq!((found.false_negatives, found.false_among_all), (None, None));
        let one = |t: &Tensor| t.narrow(0, 0, 1);
        assert_eq!(hardest(&one(&first), &one(&second), None, 0.2).unwrap(), None);
        assert!(hardest(&first, &second, None, 0.0).is_err());
    }
}
