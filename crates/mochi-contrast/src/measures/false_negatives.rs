//! Fractions of false negatives: negatives of the query's own class (MoCHi, section 5 and its appendix on the class oracle).
//!
//! ```text
//! candidates   = P( y_n = y_q )                   n among all negatives: chance level
//! hardest      = P( y_n = y_q )                   n among the query's N hardest
//! pair_either  = P( y_i = y_q or  y_j = y_q )     over the pair mixes' parents i, j
//! pair_both    = P( y_i = y_q and y_j = y_q )
//! query_mix    = P( y_j = y_q )                   over the query mixes' parent j
//! parents      = P( y_j = y_q )                   over all parents j of the synthetic negatives of every strategy
//! ```
//!
//! Fractions over all queries of a batch, among known labels. Rows without a label (initial random rows, images without a class) are not
//! counted. Labels do not influence training.

use crate::ContrastError;
use crate::device::Drawn;
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};
use mochi_tensor::{Device, Kind, Tensor, upload};

/// Fractions in [0, 1]; `None` if no label is known, or if there are no such negatives.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FalseNegatives {
    /// Among all negatives.
    pub candidates: Option<f64>,
    /// Among the N hardest.
    pub hardest: Option<f64>,
    /// Of the pair mixes, with at least one parent of the query's class.
    pub pair_either: Option<f64>,
    /// Of the pair mixes, with both parents of the query's class.
    pub pair_both: Option<f64>,
    /// Of the query mixes, with a parent of the query's class.
    pub query_mix: Option<f64>,
    /// Among all parents of synthetic negatives; a pair mix has two.
    pub parents: Option<f64>,
}

/// Labels of a batch's queries (B, 1) and of the candidate keys (K,), int64, negative if unknown.
pub(crate) struct Labels {
    queries: Tensor,
    keys: Tensor,
}

/// Masks of pairs with known labels, and of pairs with equal labels.
struct Hits {
    known: Tensor,
    same: Tensor,
}

impl Labels {
    pub fn new(queries: &[i64], keys: &[i64], device: Device) -> Result<Self, ContrastError> {
        let of = |values: &[i64]| upload(&Tensor::f_from_slice(values)?, device);
        Ok(Self { queries: of(queries)?.f_view([-1, 1])?, keys: of(keys)? })
    }

    /// The fractions, from cosines (B, K) with excluded keys at -infinity, hard negatives (B, N) with each row's number of negatives (B, 1), and
    /// the parents of the synthetic negatives.
    pub fn fractions(
        &self,
        cosines: &Tensor,
        hard: Option<&Tensor>,
        drawn: &[Drawn],
        valid: &Tensor,
    ) -> Result<FalseNegatives, ContrastError> {
        let mut all = self.hits(&self.keys.f_unsqueeze(0)?)?;
        all.only(&cosines.f_gt(f64::NEG_INFINITY)?)?;
        let mut fractions = FalseNegatives { candidates: all.fraction()?, ..FalseNegatives::default() };
        if let Some(hard) = hard {
            // A row with fewer than N negatives is padded with other keys at its end.
            let position = Tensor::f_arange(hard.size()[1], (Kind::Int64, hard.device()))?;
            let mut hits = self.parents(hard)?;
            hits.only(&position.f_unsqueeze(0)?.f_lt_tensor(valid)?)?;
            fractions.hardest = hits.fraction()?;
        }
        // Synthetic negatives of a query without negatives do not exist.
        let exist = valid.f_gt(0)?;
        let mut parents = [0; 2];
        for drawn in drawn {
            let mut first = self.parents(&drawn.first)?;
            first.only(&exist)?;
            if let Some(weights) = &drawn.weights {
                // What fills up a row has no weight.
                first.only(&weights.f_gt(0.0)?)?;
            }
            first.add(&mut parents)?;
            if drawn.strategy.has_two_parents() {
                let mut second = self.parents(&drawn.second)?;
                second.only(&exist)?;
                second.add(&mut parents)?;
            }
            match drawn.strategy.purpose {
                pair_mixing::PURPOSE => {
                    let second = self.parents(&drawn.second)?;
                    let known = first.known.f_logical_and(&second.known)?;
                    let pair = |same: Tensor| -> Result<Option<f64>, ContrastError> {
                        Hits { same: same.f_logical_and(&known)?, known: known.shallow_clone() }.fraction()
                    };
                    fractions.pair_either = pair(first.same.f_logical_or(&second.same)?)?;
                    fractions.pair_both = pair(first.same.f_logical_and(&second.same)?)?;
                }
                query_mixing::PURPOSE => fractions.query_mix = first.fraction()?,
                _ => {}
            }
        }
        let [same, known] = parents.map(|count| count as f64);
        fractions.parents = (known > 0.0).then(|| same / known);
        Ok(fractions)
    }

    /// Of candidate keys (B, n), each against its row's query.
    fn parents(&self, keys: &Tensor) -> Result<Hits, ContrastError> {
        self.hits(&self.keys.f_take(keys)?)
    }

    fn hits(&self, labels: &Tensor) -> Result<Hits, ContrastError> {
        let known = labels.f_ge(0)?.f_logical_and(&self.queries.f_ge(0)?)?;
        Ok(Hits { same: labels.f_eq_tensor(&self.queries)?.f_logical_and(&known)?, known })
    }
}

impl Hits {
    fn only(&mut self, valid: &Tensor) -> Result<(), ContrastError> {
        self.known = self.known.f_logical_and(valid)?;
        self.same = self.same.f_logical_and(valid)?;
        Ok(())
    }

    /// Adds the numbers of equal and of known pairs.
    fn add(&self, counts: &mut [i64; 2]) -> Result<(), ContrastError> {
        for (count, mask) in counts.iter_mut().zip([&self.same, &self.known]) {
            *count += mask.f_sum(Kind::Int64)?.f_int64_value(&[])?;
        }
        Ok(())
    }

    fn fraction(&self) -> Result<Option<f64>, ContrastError> {
        let mut counts = [0; 2];
        self.add(&mut counts)?;
        let [same, known] = counts;
        Ok((known > 0).then(|| same as f64 / known as f64))
    }
}
