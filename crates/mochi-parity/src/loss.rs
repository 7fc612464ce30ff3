//! The loss against explicit synthesis: the closed form in float64 (loss, logits, gradient in the query), and the float32 CPU kernel.
//!
//! The script's parents are positions in `topk`'s order; ours are positions among the hard negatives in ascending order of their keys. They are
//! translated through the key that both mean.

use crate::Verdict;
use crate::compare::relative_error;
use crate::error::ParityError;
use crate::file::Reference;
use mochi_contrast::{Context, ExplicitSamples, Objective, evaluate, info_nce};
use mochi_contrast_core::hard_negatives;
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};
use mochi_tensor::{HostValues, Kind, Tensor, no_grad};
use serde_json::json;
use std::path::Path;

/// The same algebra in float64.
const BOUND: f64 = 1e-6;
/// float32 inputs and arithmetic against float64.
const BOUND_FLOAT32: f64 = 1e-4;
/// Cosines that float32 cannot tell apart after a dot product: which of them is the N-th hardest is rounding's choice.
const TIE: f64 = 1e-6;

/// The file's own numbers.
struct Case {
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    temperature: f64,
    /// N, s and s'.
    counts: [usize; 3],
    /// Hard negatives: ascending rows of the queue, one list per query.
    sets: Vec<Vec<u32>>,
    /// Parents as rows of the queue, and coefficients, of the two strategies.
    samples: Vec<ExplicitSamples>,
}

/// Compares.
///
/// # Errors
/// Where the file cannot be used.
pub fn hold(path: &Path) -> Result<Verdict, ParityError> {
    let file = Reference::open(path, "mochi_reference.py")?;
    let case = Case::read(&file)?;
    let (batch, dim) = (case.query.size()[0], case.query.size()[1]);
    let (real, synthetic) = (case.queue.size()[0], case.counts[1] + case.counts[2]);
    let wanted_loss = file.shaped("loss", &[1])?;
    let wanted_logits = file.shaped("logits", &[batch, 1 + real + i64::try_from(synthetic).unwrap_or(0)])?;
    let wanted_gradient = file.shaped("grad_q", &[batch, dim])?;

    let (hard, samples, differs) = case.samples(Kind::Double)?;
    let [_, pairs, mixes] = case.counts;
    let objective = Objective::mochi(case.temperature, hard, pairs, mixes);
    let context = Context { samples: &samples, ..Context::default() };
    let form = evaluate(&case.query, &case.key, &case.queue, &objective, &context)?;
    let loss = relative_error(&form.losses.f_mean(Kind::Double)?.f_view([1])?, wanted_loss)?;
    let logits = relative_error(&form.logits, wanted_logits)?;
    let gradient = relative_error(&form.gradient, wanted_gradient)?;

    let narrow = |t: &Tensor| t.f_to_kind(Kind::Float);
    let (hard, samples, differs_32) = case.samples(Kind::Float)?;
    let objective = Objective::mochi(case.temperature, hard, pairs, mixes);
    let context = Context { samples: &samples, ..Context::default() };
    let [query, key, queue] = [&case.query, &case.key, &case.queue].map(narrow);
    let kernel = info_nce(&query?, &key?, &queue?, &objective, &context)?;
    let loss_32 = relative_error(&Tensor::from_slice(&[kernel.value]), wanted_loss)?;
    let gradient_32 = relative_error(&kernel.gradient, wanted_gradient)?;

    let good =
        [(loss, BOUND), (logits, BOUND), (gradient, BOUND), (loss_32, BOUND_FLOAT32), (gradient_32, BOUND_FLOAT32)]
            .iter()
            .all(|(error, bound)| error <= bound);
    let numbers = json!({
        "loss": loss,
        "logits": logits,
        "grad_q": gradient,
        "loss_float32": loss_32,
        "grad_q_float32": gradient_32,
        "hardest": differs.rows,
        "hardest_float32": differs_32.rows,
    });
    Ok(Verdict { numbers, good: good && differs.rows == 0 && differs_32.beyond_ties == 0 })
}

/// How our hardest sets differ from the file's.
#[derive(Debug, Default, Clone, Copy)]
struct Differs {
    /// Queue rows chosen here and not there.
    rows: usize,
    /// Those of them whose cosine is no tie with the file's N-th hardest.
    beyond_ties: usize,
}

impl Case {
    fn read(file: &Reference) -> Result<Self, ParityError> {
        let double = |t: &Tensor| t.f_to_kind(Kind::Double);
        let query = double(file.tensor("q")?)?;
        let [batch, dim] = query.size()[..] else {
            return Err(file.refuse(format!("\"q\" has shape {:?}, not (B, D)", query.size())));
        };
        let key = double(file.shaped("k", &[batch, dim])?)?;
        let queue = file.tensor("queue")?;
        let real = queue.size().first().copied().unwrap_or(0);
        let queue = double(file.shaped("queue", &[real, dim])?)?;
        if batch < 1 || dim < 1 || real < 1 {
            return Err(file.refuse("there must be at least one query, one queue row and one dimension".into()));
        }
        let temperature = file.entry("temperature").and_then(|t| t.parse::<f64>().ok());
        let temperature = temperature.filter(|t| *t > 0.0 && t.is_finite());
        let temperature =
            temperature.ok_or_else(|| file.refuse("the metadata entry \"temperature\" is no number above 0".into()))?;

        let width =
            |name: &str| -> Result<i64, ParityError> { Ok(file.tensor(name)?.size().get(1).copied().unwrap_or(0)) };
        let (n, pairs, mixes) = (width("hardest")?, width("alpha")?, width("beta")?);
        let tops = file.whole("hardest", &[batch, n])?;
        if tops.iter().any(|c| !(0..real).contains(c)) {
            return Err(file.refuse("\"hardest\" names rows outside of the queue".into()));
        }
        let usize_of = |v: i64| usize::try_from(v).unwrap_or(0);
        let columns = |name: &str, count: i64| -> Result<Vec<u32>, ParityError> {
            let positions = file.whole(name, &[batch, count])?;
            let column = |(at, position): (usize, i64)| {
                let row = at / usize_of(count).max(1);
                let column =
                    (0..n).contains(&position).then(|| tops.get(row * usize_of(n) + usize_of(position))).flatten();
                column.and_then(|&c| u32::try_from(c).ok())
            };
            let found: Option<Vec<u32>> = positions.into_iter().enumerate().map(column).collect();
            found.ok_or_else(|| file.refuse(format!("\"{name}\" names parents outside of the {n} hardest")))
        };
        let share = |name: &str, count: i64| -> Result<Vec<f64>, ParityError> {
            Ok(Vec::<f64>::try_from(double(file.shaped(name, &[batch, count])?)?.f_reshape([-1])?)?)
        };
        let samples = vec![
            ExplicitSamples {
                purpose: pair_mixing::PURPOSE,
                first: columns("pair_i", pairs)?,
                second: columns("pair_j", pairs)?,
                coefficient: share("alpha", pairs)?,
            },
            ExplicitSamples {
                purpose: query_mixing::PURPOSE,
                first: columns("mix_j", mixes)?,
                second: Vec::new(),
                coefficient: share("beta", mixes)?,
            },
        ];
        let ascending = |row: usize| {
            let mut set: Vec<u32> =
                tops[row * usize_of(n)..][..usize_of(n)].iter().filter_map(|&c| u32::try_from(c).ok()).collect();
            set.sort_unstable();
            set
        };
        let sets = (0..usize_of(batch)).map(ascending).collect();
        let counts = [n, pairs, mixes].map(usize_of);
        Ok(Self { query, key, queue, temperature, counts, sets, samples })
    }

    /// N and samples for arithmetic in `kind`, and how far its hard negatives are those of the file. Where rounding chose another
    /// N-th row, all K rows are possible parents, so that the file's own parents are compared all the same.
    fn samples(&self, kind: Kind) -> Result<(usize, Vec<ExplicitSamples>, Differs), ParityError> {
        let sets = self.hardest_sets(kind)?;
        let differs = self.differs(&sets)?;
        if differs.rows > 0 {
            let all = usize::try_from(self.queue.size()[0]).unwrap_or(0);
            return Ok((all, self.samples.clone(), differs));
        }
        // In the sets by now: the sets are the file's.
        let place = |columns: &[u32], count: usize| -> Vec<u32> {
            let position = |(at, column): (usize, &u32)| {
                let found = sets.get(at / count.max(1)).and_then(|set| set.binary_search(column).ok());
                u32::try_from(found.unwrap_or(usize::MAX)).unwrap_or(u32::MAX)
            };
            columns.iter().enumerate().map(position).collect()
        };
        let samples = self.samples.iter().zip(&self.counts[1..]).map(|(samples, &count)| ExplicitSamples {
            first: place(&samples.first, count),
            second: place(&samples.second, count),
            ..samples.clone()
        });
        Ok((self.counts[0], samples.collect(), differs))
    }

    /// The sets that the closed form (float64) or the kernel (float32) chooses, columns ascending.
    fn hardest_sets(&self, kind: Kind) -> Result<Vec<Vec<u32>>, ParityError> {
        no_grad(|| {
            let cosines = self.query.f_to_kind(kind)?.f_matmul(&self.queue.f_to_kind(kind)?.f_transpose(0, 1)?)?;
            let n = self.counts[0];
            if kind == Kind::Float {
                let width = usize::try_from(self.queue.size()[0]).unwrap_or(1);
                let mut work = hard_negatives::Candidates::default();
                let chosen = |row: &[f32]| {
                    let mut set = Vec::new();
                    hard_negatives::select(row, n, &mut work, &mut set);
                    set
                };
                return Ok(HostValues::new(cosines)?.chunks(width).map(chosen).collect());
            }
            let set = cosines.f_topk(i64::try_from(n).unwrap_or(0), 1, true, false)?.1.f_sort(1, false)?.0;
            let columns = Vec::<i64>::try_from(set.f_reshape([-1])?)?;
            let columns: Vec<u32> = columns.into_iter().filter_map(|c| u32::try_from(c).ok()).collect();
            Ok((0..self.sets.len()).map(|row| columns[row * n..][..n].to_vec()).collect())
        })
    }

    fn differs(&self, ours: &[Vec<u32>]) -> Result<Differs, ParityError> {
        let mut differs = Differs::default();
        if ours == self.sets {
            return Ok(differs);
        }
        let cosines = self.query.f_matmul(&self.queue.f_transpose(0, 1)?)?;
        let cosines = Vec::<f64>::try_from(cosines.f_reshape([-1])?)?;
        let width = cosines.len() / self.sets.len().max(1);
        for (row, (ours, theirs)) in ours.iter().zip(&self.sets).enumerate() {
            let cosine = |column: u32| cosines.get(row * width + column as usize).copied().unwrap_or(f64::NAN);
            let last = theirs.iter().map(|&c| cosine(c)).fold(f64::INFINITY, f64::min);
            for &column in ours.iter().filter(|&c| theirs.binary_search(c).is_err()) {
                differs.rows += 1;
                // A NaN is no tie.
                let tie = (cosine(column) - last).abs() <= TIE;
                differs.beyond_ties += usize::from(!tie);
            }
        }
        Ok(differs)
    }
}
