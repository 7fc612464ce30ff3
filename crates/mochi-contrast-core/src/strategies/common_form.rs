//! Cosine and gradient of one synthetic negative from its coefficients and dot products.

/// Coefficients of a synthetic negative before it is normalized.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coefficients {
    /// c_q.
    pub query: f64,
    /// c_i.
    pub first: f64,
    /// c_j.
    pub second: f64,
}

/// Dot products of the extra vector e: 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ExtraDots {
    /// q·e.
    pub query: f64,
    /// n_i·e.
    pub first: f64,
    /// e·e.
    pub square: f64,
}

/// The dot products of a query with itself and with the parents.
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

/// A synthetic negative as the loss sees it: its cosine, and its gradient in q as coefficients of q, of its parents and of e.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Synthetic {
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

/// The synthetic negative of these coefficients.
#[inline(always)]
pub fn normalized(c: Coefficients, dots: Cosines, extra: ExtraDots) -> Synthetic {
    let own = c.query * dots.square;
    let cross = c.query * (c.first * dots.first + c.second * dots.second + extra.query)
        + c.first * (c.second * dots.parents + extra.first);
    let square = c.query * own + c.first * c.first + c.second * c.second + extra.square + 2.0 * cross;
    let r = square.max(0.0).sqrt().max(1e-12);
    Synthetic {
        cosine: (own + c.first * dots.first + c.second * dots.second + extra.query) / r,
        query: c.query / r,
        first: c.first / r,
        second: c.second / r,
        extra: 1.0 / r,
    }
}
