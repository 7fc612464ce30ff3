//! Softmax classifiers on the same rows, one per learning rate, trained at once.
//!
//! With L rates and C classes the weights are one matrix W (F+1, L C), the last row the bias. A step on rows X (B, F+1):
//!
//! ```text
//! P = softmax over each classifier's C columns of X W      G = (P - onehot) / B      V <- 0.9 V + Xᵀ G      W <- W - lr V
//! ```
//!
//! That is `torch.optim.SGD(momentum=0.9)` on `CrossEntropyLoss` for each classifier: columns never mix, so one that diverges does not
//! affect the others. No autograd. A test compares a trajectory with PyTorch in float64.

use crate::EvalError;
use crate::draws::normal;
use crate::features::as_i64;
use mochi_tensor::{Device, Kind, Tensor, from_f32, no_grad};

const MOMENTUM: f64 = 0.9;

/// L classifiers of C classes.
#[derive(Debug)]
pub(crate) struct Probe {
    /// (F+1, L C) each.
    weights: Tensor,
    velocity: Tensor,
    /// (L C,), each classifier's rate over its columns.
    rates: Tensor,
    classifiers: i64,
    classes: i64,
}

/// Percentage of rows whose class is first, or among the first five, for each classifier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accuracy {
    pub(crate) top1: Vec<f64>,
    pub(crate) top5: Vec<f64>,
}

impl Probe {
    /// Weights from N(0, 0.01^2), the same for each classifier, and zero bias, as in `main_lincls.py` of facebookresearch/moco.
    pub(crate) fn new(
        width: usize,
        classes: usize,
        rates: &[f64],
        seed: u64,
        device: Device,
    ) -> Result<Self, EvalError> {
        let first = from_f32(&normal(width * classes, 0.01, seed), &[as_i64(width), as_i64(classes)])?;
        let bias = Tensor::f_zeros([1, as_i64(classes)], (Kind::Float, Device::Cpu))?;
        let one = Tensor::f_cat(&[first, bias], 0)?;
        Self::from_weights(&one.f_to_device(device)?, rates)
    }

    /// Every classifier starts from `weights` (F+1, C); their dtype and device are those of the computation.
    pub(crate) fn from_weights(weights: &Tensor, rates: &[f64]) -> Result<Self, EvalError> {
        let (classifiers, classes) = (as_i64(rates.len()), weights.size2()?.1);
        let weights = weights.f_repeat([1, classifiers])?;
        let columns = Tensor::f_from_slice(rates)?.f_repeat_interleave_self_int(classes, None, None)?;
        let rates = columns.f_to_device(weights.device())?.f_to_kind(weights.kind())?;
        Ok(Self { velocity: weights.f_zeros_like()?, weights, rates, classifiers, classes })
    }

    /// One step on rows (B, F+1) with labels (B,) int64; `factor` multiplies each rate (the schedule).
    pub(crate) fn step(&mut self, rows: &Tensor, labels: &Tensor, factor: f64) -> Result<(), EvalError> {
        no_grad(|| {
            let batch = rows.size().first().copied().unwrap_or(0);
            if batch == 0 {
                return Ok(());
            }
            let mut gradient = self.logits(rows)?.f_softmax(-1, None)?;
            let truth = labels.f_view([batch, 1, 1])?.f_expand([batch, self.classifiers, 1], false)?;
            let ones = truth.f_ones_like()?.f_to_kind(rows.kind())?;
            let _ = gradient.f_scatter_add_(2, &truth, &ones.f_neg()?)?;
            let gradient = gradient.f_div_scalar_(batch as f64)?.f_view([batch, self.classifiers * self.classes])?;
            let _ = self.velocity.f_mul_scalar_(MOMENTUM)?.f_addmm_(&rows.f_tr()?, &gradient)?;
            let _ = self.weights.f_addcmul_(&self.velocity, &self.rates.f_mul_scalar(-factor)?)?;
            Ok(())
        })
    }

    /// (B, L, C).
    pub(crate) fn logits(&self, rows: &Tensor) -> Result<Tensor, EvalError> {
        let batch = rows.size().first().copied().unwrap_or(0);
        Ok(no_grad(|| rows.f_matmul(&self.weights)?.f_view([batch, self.classifiers, self.classes]))?)
    }

    /// Which classifiers have only finite weights.
    pub(crate) fn finite(&self) -> Result<Vec<bool>, EvalError> {
        let sums = no_grad(|| {
            self.weights.f_abs()?.f_sum_dim_intlist([0i64].as_slice(), false, Kind::Double)?.f_to_device(Device::Cpu)
        })?;
        let sums = Vec::<f64>::try_from(&sums)?;
        let classes = usize::try_from(self.classes).unwrap_or(1).max(1);
        Ok(sums.chunks(classes).map(|c| c.iter().all(|s| s.is_finite())).collect())
    }

    /// Accuracy on the rows `order` (row numbers, int64) of `rows` (N, F+1) with labels (N,).
    ///
    /// The rank of a class is the number of classes with a larger logit, or the same logit and a smaller number. A row with a logit
    /// that is not finite counts as wrong.
    pub(crate) fn accuracy(&self, rows: &Tensor, labels: &Tensor, order: &Tensor) -> Result<Accuracy, EvalError> {
        let count = order.size().first().copied().unwrap_or(0);
        let mut hits = [vec![0.0f64; self.width()], vec![0.0f64; self.width()]];
        for first in (0..count).step_by(2048) {
            let part = order.f_narrow(0, first, (count - first).min(2048))?;
            let truth = labels.f_index_select(0, &part)?.f_view([-1, 1, 1])?;
            let logits = self.logits(&rows.f_index_select(0, &part)?)?;
            let rank = ranks(&logits, &truth)?;
            for (hits, limit) in hits.iter_mut().zip([1i64, 5]) {
                let counts = rank
                    .f_lt(limit)?
                    .f_sum_dim_intlist([0i64].as_slice(), false, Kind::Double)?
                    .f_to_device(Device::Cpu)?;
                hits.iter_mut().zip(Vec::<f64>::try_from(&counts)?).for_each(|(sum, n)| *sum += n);
            }
        }
        let [top1, top5] = hits.map(|hits| hits.into_iter().map(|n| 100.0 * n / (count.max(1) as f64)).collect());
        Ok(Accuracy { top1, top5 })
    }

    fn width(&self) -> usize {
        usize::try_from(self.classifiers).unwrap_or(0)
    }

    #[cfg(test)]
    pub(crate) fn weights(&self) -> &Tensor {
        &self.weights
    }
}

/// Rank of the true class (B, L), int64, 0 is best; logits (B, L, C), truth (B, 1, 1).
fn ranks(logits: &Tensor, truth: &Tensor) -> Result<Tensor, EvalError> {
    no_grad(|| {
        let (batch, classifiers, classes) = logits.size3()?;
        let own = logits.f_gather(2, &truth.f_expand([batch, classifiers, 1], false)?, false)?;
        let smaller_class = Tensor::f_arange(classes, (Kind::Int64, logits.device()))?.f_lt_tensor(truth)?;
        let before =
            logits.f_gt_tensor(&own)?.f_logical_or(&logits.f_eq_tensor(&own)?.f_logical_and(&smaller_class)?)?;
        let sum = |t: &Tensor| t.f_sum_dim_intlist([2i64].as_slice(), false, Kind::Int64);
        let not_finite = sum(&logits.f_isfinite()?.f_logical_not()?)?;
        // Ranks are below C, so adding C (5 for few classes) to a row that is not finite puts it beyond top 5.
        let penalty = not_finite.f_gt(0)?.f_to_kind(Kind::Int64)?.f_mul_scalar(classes.max(5))?;
        Ok(sum(&before)?.f_add(&penalty)?)
    })
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
