//! Synthetic points, each strategy in a file of its own: they differ in what is mixed, not in how it is computed.
//!
//! Every point is `h = v / r`, `v = c_q q + c_i n_i + c_j n_j + e` with `n_i, n_j` among the query's N hardest columns, `r = |v|`, and an
//! extra vector e that only [`noise`] and [`adversarial`] have (they have one parent). With `a_i = q·n_i` already known and `g = n_i·n_j`:
//!
//! ```text
//! r²   = c_q² q·q + c_i² + c_j² + 2 (c_q c_i a_i + c_q c_j a_j + c_i c_j g) + e·e + 2 (c_q q·e + c_i n_i·e)
//! q·h  = (c_q q·q + c_i a_i + c_j a_j + q·e) / r
//! d(q·h)/dq = h = (c_q q + c_i n_i + c_j n_j + e) / r                     h is a constant
//! ```
//!
//! So a point hands its probability back to q, to its parents' columns and, over 1/r, to e: a (D,) sum for the whole row. As in
//! `torch.nn.functional.normalize`, r is at least 1e-12: opposite parents at equal shares give the cosine 0.

pub mod adversarial;
pub mod extrapolation;
pub mod noise;
pub mod pair_mixing;
pub mod perturbation;
pub mod query_mixing;
pub mod repeated;
pub mod weighted;

use crate::draws::{Coefficient, Drawn, Law, Source};

/// Coefficients of a point before it is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coefficients {
    /// c_q.
    pub query: f64,
    /// c_i.
    pub first: f64,
    /// c_j.
    pub second: f64,
}

/// Dot products of a point's extra vector e: 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ExtraDots {
    /// q·e.
    pub query: f64,
    /// n_i·e.
    pub first: f64,
    /// e·e.
    pub square: f64,
}

/// A point as the loss sees it: its cosine, and its gradient in q as coefficients of q, of its parents and of e.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// q·h.
    pub cosine: f64,
    /// Of q.
    pub query: f64,
    /// Of n_i.
    pub first: f64,
    /// Of n_j.
    pub second: f64,
    /// Of e.
    pub extra: f64,
}

/// The dot products that a query has with itself and a point's parents.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cosines {
    /// q·q, 1 up to rounding.
    pub square: f64,
    /// q·n_i.
    pub first: f64,
    /// q·n_j.
    pub second: f64,
    /// n_i·n_j.
    pub parents: f64,
}

/// The point of these coefficients, a constant.
#[inline(always)]
pub fn normalised(c: Coefficients, dots: Cosines, extra: ExtraDots) -> Point {
    let own = c.query * dots.square;
    let cross = c.query * (c.first * dots.first + c.second * dots.second + extra.query)
        + c.first * (c.second * dots.parents + extra.first);
    let square = c.query * own + c.first * c.first + c.second * c.second + extra.square + 2.0 * cross;
    let r = square.max(0.0).sqrt().max(1e-12);
    Point {
        cosine: (own + c.first * dots.first + c.second * dots.second + extra.query) / r,
        query: c.query / r,
        first: c.first / r,
        second: c.second / r,
        extra: 1.0 / r,
    }
}

/// The same point with gradient through the query inside it as well: with `v = c_q q + ...`, `d(q·h)/dq = h + (c_q/r) (q - (q·h) h)`.
#[inline(always)]
pub fn with_inner_gradient(point: Point) -> Point {
    let bend = point.cosine * point.query;
    Point {
        query: 2.0 * point.query - bend * point.query,
        first: point.first - bend * point.first,
        second: point.second - bend * point.second,
        ..point
    }
}

/// What is added to a parent besides multiples of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Extra {
    /// [`noise`].
    Noise { sigma: f64 },
    /// [`adversarial`].
    Sign { eta: f64 },
}

impl Extra {
    /// What the drawn or shared vector is multiplied by.
    pub fn length(self) -> f64 {
        match self {
            Self::Noise { sigma } => sigma,
            Self::Sign { eta } => eta,
        }
    }
}

/// One kind of point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Strategy {
    Pairs { alpha: Coefficient, distinct: bool },
    QueryMixes { beta: Coefficient, inner: bool },
    Extrapolate { max: f64 },
    Perturb { delta: f64 },
    Shift(Extra),
    Repeat,
    Weight { w: f64 },
}

impl Strategy {
    /// How many times a point of this kind counts among the negatives.
    pub fn omega(self) -> f64 {
        match self {
            Self::Weight { w } => w,
            _ => 1.0,
        }
    }

    /// Whether a point has a second parent.
    pub fn has_pairs(self) -> bool {
        matches!(self, Self::Pairs { .. })
    }

    /// Whether the query is part of a point.
    pub fn has_query(self) -> bool {
        matches!(self, Self::QueryMixes { .. } | Self::Extrapolate { .. } | Self::Perturb { .. })
    }

    pub fn extra(self) -> Option<Extra> {
        match self {
            Self::Shift(extra) => Some(extra),
            _ => None,
        }
    }

    /// Whether gradient flows through the query inside a point.
    pub fn inner(self) -> bool {
        matches!(self, Self::QueryMixes { inner: true, .. })
    }

    /// A point's coefficients from the share that was drawn for it: every one is affine in it.
    #[inline(always)]
    pub fn coefficients(self, share: f64) -> Coefficients {
        match self {
            Self::Pairs { .. } => pair_mixing::coefficients(share),
            Self::QueryMixes { .. } => query_mixing::coefficients(share),
            Self::Extrapolate { .. } => extrapolation::coefficients(share),
            Self::Perturb { delta } => perturbation::coefficients(delta),
            Self::Shift(_) | Self::Repeat | Self::Weight { .. } => repeated::coefficients(),
        }
    }

    /// What is drawn for a point; `None` where every one of the hardest is taken once.
    #[inline(always)]
    pub fn law(self) -> Option<Law> {
        match self {
            Self::Pairs { alpha, distinct } => Some(pair_mixing::law(alpha, distinct)),
            Self::QueryMixes { beta, .. } => Some(query_mixing::law(beta)),
            Self::Extrapolate { max } => Some(extrapolation::law(max)),
            Self::Perturb { .. } => Some(perturbation::LAW),
            Self::Shift(Extra::Noise { .. }) => Some(noise::LAW),
            Self::Shift(Extra::Sign { .. }) => Some(adversarial::LAW),
            Self::Repeat => Some(repeated::LAW),
            Self::Weight { .. } => None,
        }
    }

    /// Parents (positions below `n`) and shares of the points of query `row`, appended.
    #[inline(always)]
    pub fn draw(self, source: Source, row: usize, n: usize, count: usize, out: &mut Drawn) {
        if let Some(([first, second], shares)) = source.given(self) {
            let range = row * count..(row + 1) * count;
            out.first.extend_from_slice(&first[range.clone()]);
            out.second.extend_from_slice(&second[range.clone()]);
            out.share.extend_from_slice(&shares[range]);
            return;
        }
        match self.law() {
            Some(law) => out.draw(law, source.key(), row, n, count),
            None => weighted::all(n, count, out),
        }
    }
}
