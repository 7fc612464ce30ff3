//! Shares of false negatives: negatives of the query's own class (MoCHi, section 5 and its appendix on the class oracle).
//!
//! ```text
//! columns      = P( y_n = y_q )                   n among all negatives: what a random choice would give
//! hardest      = P( y_n = y_q )                   n among the query's N hardest
//! pair_either  = P( y_i = y_q or  y_j = y_q )     over the pair mixes' parents i, j
//! pair_both    = P( y_i = y_q and y_j = y_q )
//! query_mix    = P( y_j = y_q )                   over the query mixes' parent j
//! ```
//!
//! Shares over all queries of a batch, of what is known: rows whose label nobody knows (random rows of the start, images without a class) are
//! left out of both counts. Labels are looked at and never learnt from.

use crate::ContrastError;
use crate::points::Strategy;
use crate::tensor_points::Drawing;
use mochi_tensor::{Device, Kind, Tensor, upload};

/// Shares in [0, 1]; `None` where nothing is known, or where there are no such points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FalseNegatives {
    /// Among all negatives.
    pub columns: Option<f64>,
    /// Among the N hardest.
    pub hardest: Option<f64>,
    /// Of the pair mixes, those with at least one such parent.
    pub pair_either: Option<f64>,
    /// Of the pair mixes, those with two such parents.
    pub pair_both: Option<f64>,
    /// Of the query mixes, those with such a parent.
    pub query_mix: Option<f64>,
}

/// Labels of a batch's queries (B, 1) and of the columns (K,), int64, negative where unknown.
pub(crate) struct Labels {
    queries: Tensor,
    columns: Tensor,
}

/// Where a pair of labels is known, and where it is one label.
struct Hits {
    known: Tensor,
    same: Tensor,
}

impl Labels {
    pub fn new(queries: &[i64], columns: &[i64], device: Device) -> Result<Self, ContrastError> {
        let of = |values: &[i64]| upload(&Tensor::f_from_slice(values)?, device);
        Ok(Self { queries: of(queries)?.f_view([-1, 1])?, columns: of(columns)? })
    }

    /// The shares, from cosines (B, K) with masked columns at -infinity, hardest sets (B, N) with each row's number of valid columns (B, 1), and the
    /// points' parents.
    pub fn shares(
        &self,
        cosines: &Tensor,
        hardest: Option<(&Tensor, &Tensor)>,
        drawings: &[Drawing],
    ) -> Result<FalseNegatives, ContrastError> {
        let mut all = self.hits(&self.columns.f_unsqueeze(0)?)?;
        all.only(&cosines.f_gt(f64::NEG_INFINITY)?)?;
        let mut shares = FalseNegatives { columns: all.share()?, ..FalseNegatives::default() };
        if let Some((set, valid)) = hardest {
            // A row of fewer than N valid columns is filled up with others at its end.
            let place = Tensor::f_arange(set.size()[1], (Kind::Int64, set.device()))?;
            let mut hits = self.parents(set)?;
            hits.only(&place.f_unsqueeze(0)?.f_lt_tensor(valid)?)?;
            shares.hardest = hits.share()?;
        }
        for drawing in drawings {
            let first = self.parents(&drawing.first)?;
            match drawing.block.strategy {
                Strategy::Pairs { .. } => {
                    let second = self.parents(&drawing.second)?;
                    let known = first.known.f_logical_and(&second.known)?;
                    let pair = |same: Tensor| -> Result<Option<f64>, ContrastError> {
                        Hits { same: same.f_logical_and(&known)?, known: known.shallow_clone() }.share()
                    };
                    shares.pair_either = pair(first.same.f_logical_or(&second.same)?)?;
                    shares.pair_both = pair(first.same.f_logical_and(&second.same)?)?;
                }
                Strategy::QueryMixes { .. } => shares.query_mix = first.share()?,
                _ => {}
            }
        }
        Ok(shares)
    }

    /// Of columns (B, n), each against its row's query.
    fn parents(&self, columns: &Tensor) -> Result<Hits, ContrastError> {
        self.hits(&self.columns.f_take(columns)?)
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

    fn share(&self) -> Result<Option<f64>, ContrastError> {
        let count = |t: &Tensor| t.f_sum(Kind::Int64)?.f_int64_value(&[]);
        let known = count(&self.known)?;
        Ok(if known > 0 { Some(count(&self.same)? as f64 / known as f64) } else { None })
    }
}
