//! Contrastive loss within a batch in closed form, for SimCLR, SupCon and NNCLR. The gradient is with respect to both sides of a cosine.
//!
//! Rows a (A, D) are compared with columns c (C, D). Row i uses every column except itself, and its positives P(i) are the used columns with its label:
//!
//! ```text
//! s_ij = a_i·c_j / t          p_i = softmax over the columns that i uses          y_ij = 1/|P(i)| for j in P(i), else 0
//! loss = mean over rows of  log Σ_j e^{s_ij} - Σ_j y_ij s_ij
//! G = (p - y) / (t A)         dloss/da = G c         dloss/dc = Gᵀ a
//! ```
//!
//! With one positive per row this is InfoNCE; with several it is the L_out form of Khosla et al. (the mean is outside of the logarithm). The (A, C) matrix
//! is computed in blocks of rows, so a batch of 4,096 images does not need a matrix of 8,192 x 8,192.

use crate::device::Readback;
use crate::queue::UnitRows;
use crate::{ContrastError, Measures};
use mochi_contrast_core::CoreError;
use mochi_tensor::{Kind, Tensor, no_grad};

/// Number of rows per block of the matrix.
const BLOCK: i64 = 1024;

/// Unit rows and columns with their labels.
pub(crate) struct InBatch<'a> {
    /// (A, D).
    pub rows: &'a Tensor,
    /// (C, D).
    pub columns: &'a Tensor,
    /// Label of each row and of each column, (A,) and (C,), int64.
    pub labels: [&'a Tensor; 2],
    /// Whether row i is column i, which is then excluded.
    pub same: bool,
    /// t.
    pub temperature: f64,
    /// Training step, for errors.
    pub step: u64,
}

/// The loss with the gradients of its two sides.
pub(crate) struct Gradients {
    pub value: f64,
    /// The loss where all rows and columns are equal: the logarithm of the number of columns of a row.
    pub chance: f64,
    /// (A, D).
    pub rows: Tensor,
    /// (C, D).
    pub columns: Tensor,
    pub measures: Measures,
}

impl InBatch<'_> {
    /// Loss, gradients and measurements.
    ///
    /// # Errors
    /// Rows that are not finite or not of norm 1, shapes that do not fit, a row without a positive, a temperature out of range.
    pub fn evaluate(&self) -> Result<Gradients, ContrastError> {
        let (a, c) = (self.rows.size(), self.columns.size());
        let [row_labels, column_labels] = self.labels;
        let fits = a.len() == 2 && c.len() == 2 && a[0] > 0 && a[1] == c[1];
        if !fits || row_labels.size() != [a[0]] || column_labels.size() != [c[0]] || (self.same && a[0] != c[0]) {
            return Err(ContrastError::shape(format!(
                "rows {a:?}, columns {c:?} and their labels have inconsistent shapes"
            )));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            let (what, value) = ("the temperature".into(), self.temperature.to_string());
            return Err(CoreError::Value { what, value, expected: "a number above 0" }.into());
        }
        no_grad(|| self.blocks(a[0]))
    }

    fn blocks(&self, count: i64) -> Result<Gradients, ContrastError> {
        let mut rows = Vec::new();
        let mut columns = self.columns.f_zeros_like()?;
        let (mut sums, mut found) = (Vec::new(), Vec::new());
        let mut start = 0;
        while start < count {
            let len = BLOCK.min(count - start);
            let (gradient, seen, fewest) = self.block(start, len, count)?;
            rows.push(gradient.f_matmul(self.columns)?);
            columns = columns.f_add_(&gradient.f_transpose(0, 1)?.f_matmul(&self.rows.f_narrow(0, start, len)?)?)?;
            sums.push(seen);
            found.push(fewest);
            start += len;
        }
        // (4,): means over the rows.
        let means = Tensor::f_stack(&sums, 0)?.f_sum_dim_intlist([0i64].as_slice(), false, Kind::Double)?;
        let means = means.f_div_scalar(count as f64)?;
        let mut readback = Readback::default();
        let unit =
            [UnitRows::new("query", self.rows, &mut readback)?, UnitRows::new("key", self.columns, &mut readback)?];
        let fewest = readback.add(&Tensor::f_stack(&found, 0)?.f_min()?)?;
        let mut mean = |i: i64| readback.add(&means.f_narrow(0, i, 1)?);
        let [value, beats, positive, effective] = [mean(0)?, mean(1)?, mean(2)?, mean(3)?];

        let numbers = readback.read()?;
        unit.iter().try_for_each(|rows| rows.check(&numbers, self.step))?;
        if numbers.at(fewest) < 1.0 {
            return Err(ContrastError::shape("a row has no positive among the columns".into()));
        }
        let value = numbers.at(value);
        if !value.is_finite() {
            return Err(ContrastError::LossNotFinite { step: self.step });
        }
        let measures = Measures {
            accuracy_real: numbers.at(beats),
            accuracy_with_synthetic: numbers.at(beats),
            positive: numbers.at(positive),
            effective_negatives: numbers.at(effective),
            ..Measures::default()
        };
        let seen = self.columns.size()[0] - i64::from(self.same);
        let chance = (seen.max(1) as f64).ln();
        Ok(Gradients { value, chance, rows: Tensor::f_cat(&rows, 0)?, columns, measures })
    }

    /// G of rows `start..start + len`; their sums (4,) of loss, of rows whose nearest column is a positive, of positives' cosines, and of
    /// effective negatives; and the least number of positives that one of them has.
    fn block(&self, start: i64, len: i64, count: i64) -> Result<(Tensor, Tensor, Tensor), ContrastError> {
        let (rows, kind) = (self.rows.f_narrow(0, start, len)?, self.rows.kind());
        let sum = |t: &Tensor| t.f_sum_dim_intlist([1i64].as_slice(), true, kind);
        let cosines = rows.f_matmul(&self.columns.f_transpose(0, 1)?)?; // (len, C)
        let labels = self.labels[0].f_narrow(0, start, len)?.f_unsqueeze(1)?;
        let mut positives = labels.f_eq_tensor(&self.labels[1].f_unsqueeze(0)?)?; // (len, C)
        let mut logits = cosines.f_div_scalar(self.temperature)?;
        if self.same {
            let own =
                Tensor::f_eye_m(len, self.columns.size()[0], (Kind::Bool, rows.device()))?.f_roll([start], [1])?;
            logits = logits.f_masked_fill_(&own, f64::NEG_INFINITY)?;
            positives = positives.f_logical_and(&own.f_logical_not()?)?;
        }
        let targets = positives.f_to_kind(kind)?;
        let found = sum(&targets)?;
        let targets = targets.f_div(&found)?;
        let total = logits.f_logsumexp([1i64].as_slice(), true)?;
        let positive = sum(&targets.f_mul(&cosines)?)?; // (len, 1)
        let losses = total.f_sub(&positive.f_div_scalar(self.temperature)?)?;
        let gradient = logits.f_sub(&total)?.f_exp()?.f_sub(&targets)?.f_div_scalar(self.temperature * count as f64)?;

        let nearest = |t: &Tensor| t.f_amax([1i64].as_slice(), true);
        let best = nearest(&cosines.f_masked_fill(&positives.f_logical_not()?, f64::NEG_INFINITY)?)?;
        let negatives = logits.f_masked_fill_(&positives, f64::NEG_INFINITY)?;
        let beats = best.f_div_scalar(self.temperature)?.f_gt_tensor(&nearest(&negatives)?)?;
        // Perplexity of the softmax over the negatives alone: exp(log Z - Σ p s); 0 for a row that has none.
        let z = negatives.f_logsumexp([1i64].as_slice(), true)?;
        let p = negatives.f_sub(&z)?.f_exp()?;
        let entropy = z.f_sub(&sum(&p.f_mul(&cosines)?)?.f_div_scalar(self.temperature)?)?;
        let effective = entropy.f_exp()?.f_nan_to_num(0.0, 0.0, 0.0)?;
        let all = |t: &Tensor| t.f_sum(Kind::Double);
        let seen = Tensor::f_stack(&[all(&losses)?, all(&beats)?, all(&positive)?, all(&effective)?], 0)?;
        Ok((gradient, seen, found.f_min()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_tensor::Device;
    use proptest::prelude::*;

    fn unit_rows(n: i64, d: i64, seed: f64) -> Tensor {
        let values = ((Tensor::arange(n * d, (Kind::Double, Device::Cpu)) * 78.233 + seed).sin() * 43758.5453).frac();
        let rows = values.view([n, d]);
        &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
    }

    /// As the header says, by autograd over a matrix with every term written out.
    fn explicit(rows: &Tensor, columns: &Tensor, labels: [&[i64]; 2], same: bool, t: f64) -> Tensor {
        let logits = rows.matmul(&columns.tr()) / t;
        let (mut losses, n) = (Vec::new(), labels[0].len());
        for i in 0..n {
            let seen: Vec<i64> = (0..labels[1].len()).filter(|&j| !same || j != i).map(|j| j as i64).collect();
            let total =
                logits.get(i as i64).index_select(0, &Tensor::from_slice(&seen)).logsumexp([0i64].as_slice(), false);
            let positives: Vec<i64> = seen.into_iter().filter(|&j| labels[1][j as usize] == labels[0][i]).collect();
            let mean = logits.get(i as i64).index_select(0, &Tensor::from_slice(&positives)).mean(Kind::Double);
            losses.push(total - mean);
        }
        Tensor::stack(&losses, 0).mean(Kind::Double)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn equals_autograd_on_both_sides(b in 2i64..7, d in 2i64..20, classes in 1i64..4, t in 0.05..1.0f64, same in any::<bool>(), seed in 0.0..100.0f64) {
            let rows = unit_rows(2 * b, d, seed).set_requires_grad(true);
            let columns = unit_rows(2 * b, d, seed + 1.0).set_requires_grad(true);
            let labels: Vec<i64> = (0..2 * b).map(|i| (i % b) % classes).collect();
            let label = Tensor::from_slice(&labels);
            let (left, right) = if same { (&rows, &rows) } else { (&rows, &columns) };
            let loss = explicit(left, right, [&labels, &labels], same, t);
            loss.backward();
            let form = InBatch { rows: &left.detach(), columns: &right.detach(), labels: [&label, &label], same, temperature: t, step: 0 };
            let gradients = form.evaluate().unwrap();
            prop_assert!((gradients.value - loss.double_value(&[])).abs() < 1e-12 * (1.0 + gradients.value.abs()));
            let off = |ours: &Tensor, theirs: &Tensor| (ours - theirs).abs().max().double_value(&[]) * t * b as f64;
            if same {
                prop_assert!(off(&(&gradients.rows + &gradients.columns), &rows.grad()) < 1e-13);
            } else {
                prop_assert!(off(&gradients.rows, &rows.grad()) < 1e-13);
                prop_assert!(off(&gradients.columns, &columns.grad()) < 1e-13);
            }
            prop_assert!(gradients.measures.accuracy_real <= 1.0 && gradients.measures.effective_negatives <= 2.0 * b as f64 + 1e-9);
        }
    }

    #[test]
    fn blocks_are_the_whole() {
        // More rows than a block holds, and not a multiple of it.
        let (n, labels) =
            (2 * BLOCK + 6, Tensor::arange(2 * BLOCK + 6, (Kind::Int64, Device::Cpu)).remainder(BLOCK + 3));
        let rows = unit_rows(n, 8, 5.0);
        let form =
            InBatch { rows: &rows, columns: &rows, labels: [&labels, &labels], same: true, temperature: 0.2, step: 0 };
        let (gradients, waits) =
            mochi_tensor::calls::count_calls(&mochi_tensor::calls::WAITS, || form.evaluate().unwrap()).unwrap();
        assert_eq!(waits, 0, "numbers are read together, at the end");
        let logits = rows.matmul(&rows.tr()) / 0.2;
        let logits = &logits - Tensor::eye(n, (Kind::Double, Device::Cpu)) * 1e9;
        let target = Tensor::arange(n, (Kind::Int64, Device::Cpu)).roll([BLOCK + 3], [0]);
        let wanted = logits.cross_entropy_loss(&target, None::<&Tensor>, mochi_tensor::Reduction::Mean, -100, 0.0);
        assert!((gradients.value - wanted.double_value(&[])).abs() < 1e-10);
        let probability = logits.softmax(1, Kind::Double);
        let y = Tensor::zeros([n, n], (Kind::Double, Device::Cpu)).scatter_value(1, &target.unsqueeze(1), 1.0);
        let g = (probability - y) / (0.2 * n as f64);
        assert!((&gradients.rows - g.matmul(&rows)).abs().max().double_value(&[]) < 1e-12);
        assert!((&gradients.columns - g.tr().matmul(&rows)).abs().max().double_value(&[]) < 1e-12);
    }

    #[test]
    fn bad_input_is_a_typed_error() {
        let (rows, labels) = (unit_rows(4, 8, 1.0), Tensor::from_slice(&[0i64, 1, 0, 1]));
        let run = |rows: &Tensor, labels: &Tensor, temperature: f64| {
            InBatch { rows, columns: rows, labels: [labels, labels], same: true, temperature, step: 3 }
                .evaluate()
                .map(|p| p.value)
        };
        assert!(run(&rows, &labels, 0.2).is_ok());
        assert!(matches!(run(&(&rows * f64::NAN), &labels, 0.2), Err(ContrastError::NotFinite { step: 3, .. })));
        assert!(matches!(run(&(&rows * 2.0), &labels, 0.2), Err(ContrastError::NotUnit { .. })));
        assert!(matches!(run(&rows, &labels.narrow(0, 0, 3), 0.2), Err(ContrastError::Input(CoreError::Shape(_)))));
        assert!(matches!(
            run(&rows, &Tensor::from_slice(&[0i64, 1, 0, 2]), 0.2),
            Err(ContrastError::Input(CoreError::Shape(_)))
        ));
        assert!(matches!(run(&rows, &labels, 0.0), Err(ContrastError::Input(CoreError::Value { .. }))));
    }
}
