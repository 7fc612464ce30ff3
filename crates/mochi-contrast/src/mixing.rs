//! A row's points in blocks, structure of arrays: drawn, mixed and handed back many at a time.
//!
//! Parents are positions in the hardest set: their cosines are gathered from a table of N numbers, and the weights that points hand back are
//! added up in another before they go to their N columns.

use std::ops::Range;

use crate::draws::{Drawn, Source};
use crate::kernels;
use crate::points::{
    Coefficients, Cosines, Extra, ExtraDots, Strategy, adversarial, noise, normalised, pair_mixing, query_mixing,
    with_inner_gradient,
};
use crate::synthesis::Block;

/// A row's points and what they hand back.
#[derive(Default)]
pub(crate) struct Mixed {
    /// q·n of the hardest set (N,).
    pub set_cosines: Vec<f32>,
    /// q·h; the loss turns it into the points' weights in place.
    pub cosine: Vec<f32>,
    drawn: Drawn,
    /// Coefficients of d(q·h)/dq on first and second parent and on the query.
    first: Vec<f32>,
    second: Vec<f32>,
    query: Vec<f32>,
    /// On the extra vector; empty but for blocks that have one.
    extra: Vec<f32>,
    /// q·n_i, q·n_j and n_i·n_j of the block at hand.
    dots: [Vec<f32>; 3],
    /// Rows of the hardest set (N, D), where they are read often enough to be worth it.
    near: Vec<f32>,
    blocks: Vec<(Block, Range<usize>)>,
    set_weights: Vec<f32>,
    signs: Vec<f32>,
    /// (s, D) of the row's noise.
    normals: Vec<f32>,
}

/// Where the parents of a row's points are.
pub(crate) struct Parents<'a> {
    pub columns: &'a [f32],
    pub dim: usize,
    /// (D,)
    pub query: &'a [f32],
    pub square: f32,
    /// Columns of the hardest set.
    pub set: &'a [u32],
}

impl Parents<'_> {
    #[inline(always)]
    fn row(&self, position: u32) -> &[f32] {
        &self.columns[self.set[position as usize] as usize * self.dim..][..self.dim]
    }
}

impl Parents<'_> {
    /// Copies the set's rows side by side, in the order of their columns: many rows are on their way from memory at once, where the points'
    /// own order would wait for one pair after the other.
    #[inline(always)]
    fn copy(&self, near: &mut Vec<f32>) {
        near.resize(self.set.len() * self.dim, 0.0);
        for (to, &column) in near.chunks_exact_mut(self.dim.max(1)).zip(self.set) {
            to.copy_from_slice(&self.columns[column as usize * self.dim..][..self.dim]);
        }
    }
}

/// How many numbers of parents are copied at most: 2^18 floats are 1 MB, about a core's second cache.
const NEAR: usize = 1 << 18;

impl Mixed {
    pub fn clear(&mut self) {
        self.cosine.clear();
        self.drawn.clear();
        self.blocks.clear();
        self.first.clear();
        self.second.clear();
        self.query.clear();
        self.extra.clear();
        self.set_cosines.clear();
    }

    /// Takes the cosines of the hardest set.
    #[inline(always)]
    pub fn begin(&mut self, cosines: &[f32], set: &[u32]) {
        self.set_cosines.extend(set.iter().map(|&column| cosines[column as usize]));
    }

    pub fn blocks(&self) -> Vec<(Block, Range<usize>)> {
        self.blocks.clone()
    }

    /// Draws and mixes a block; returns its points' places.
    #[inline(always)]
    pub fn add(&mut self, block: &Block, source: Source, row: usize, parents: &Parents) -> Range<usize> {
        let start = self.cosine.len();
        block.strategy.draw(source, row, parents.set.len(), block.count, &mut self.drawn);
        let range = start..self.drawn.first.len();
        for values in [&mut self.cosine, &mut self.first, &mut self.second, &mut self.query, &mut self.extra] {
            values.resize(range.end, 0.0);
        }
        self.gather(range.clone(), block.strategy, parents);
        let square = f64::from(parents.square);
        // One loop a kind, so that each is compiled without a choice inside.
        match block.strategy {
            Strategy::Shift(extra) => self.shift(extra, range.clone(), source, row, parents),
            Strategy::Pairs { .. } => self.mix(range.clone(), square, pair_mixing::coefficients, false),
            Strategy::QueryMixes { inner: false, .. } => {
                self.mix(range.clone(), square, query_mixing::coefficients, false);
            }
            strategy => self.mix(range.clone(), square, |share| strategy.coefficients(share), strategy.inner()),
        }
        self.blocks.push((*block, range.clone()));
        range
    }

    /// The dot products of a block's parents with the query and each other.
    #[inline(always)]
    fn gather(&mut self, range: Range<usize>, strategy: Strategy, parents: &Parents) {
        let (first, second) = (&self.drawn.first[range.clone()], &self.drawn.second[range]);
        let table = &self.set_cosines;
        let [of_first, of_second, between] = &mut self.dots;
        for values in [&mut *of_first, &mut *of_second, &mut *between] {
            values.clear();
        }
        of_first.extend(first.iter().map(|&i| table[i as usize]));
        if strategy.has_pairs() {
            of_second.extend(second.iter().map(|&j| table[j as usize]));
            // A key mixed with itself has the cosine 1 with itself, whatever rounding says.
            let pairs = first.iter().zip(second);
            if parents.set.len() <= 2 * first.len() && parents.set.len() * parents.dim <= NEAR {
                parents.copy(&mut self.near);
                let row = |at: u32| &self.near[at as usize * parents.dim..][..parents.dim];
                let dot = |(&i, &j): (&u32, &u32)| if i == j { 1.0 } else { kernels::dot(row(i), row(j)) };
                between.extend(pairs.map(dot));
            } else {
                let row = |at: u32| parents.row(at);
                let dot = |(&i, &j): (&u32, &u32)| if i == j { 1.0 } else { kernels::dot(row(i), row(j)) };
                between.extend(pairs.map(dot));
            }
        } else {
            of_second.resize(first.len(), 0.0);
            between.resize(first.len(), 0.0);
        }
    }

    #[inline(always)]
    fn mix(&mut self, range: Range<usize>, square: f64, coefficients: impl Fn(f64) -> Coefficients, inner: bool) {
        let [of_first, of_second, between] = &self.dots;
        let dots = of_first.iter().zip(of_second).zip(between).zip(&self.drawn.share[range.clone()]);
        let (first, second) = (&mut self.first[range.clone()], &mut self.second[range.clone()]);
        let (cosine, query) = (&mut self.cosine[range.clone()], &mut self.query[range]);
        let out = cosine.iter_mut().zip(query).zip(first.iter_mut().zip(second));
        for ((((a, b), g), share), ((cosine, query), (first, second))) in dots.zip(out) {
            let dots = Cosines { square, first: f64::from(*a), second: f64::from(*b), parents: f64::from(*g) };
            let point = normalised(coefficients(*share), dots, ExtraDots::default());
            let point = if inner { with_inner_gradient(point) } else { point };
            *cosine = point.cosine as f32;
            *query = point.query as f32;
            *first = point.first as f32;
            *second = point.second as f32;
        }
    }

    /// Points with an extra vector.
    #[inline(always)]
    fn shift(&mut self, extra: Extra, range: Range<usize>, source: Source, row: usize, parents: &Parents) {
        let (length, dim) = (extra.length(), parents.dim);
        match extra {
            Extra::Noise { .. } => noise::normals(source.key(), row, range.len(), dim, &mut self.normals),
            Extra::Sign { .. } => adversarial::signs(parents.query, &mut self.signs),
        }
        for (at, p) in range.enumerate() {
            let vector = match extra {
                Extra::Noise { .. } => &self.normals[at * dim..][..dim],
                Extra::Sign { .. } => &self.signs[..],
            };
            let position = self.drawn.first[p];
            let with = |other: &[f32]| length * f64::from(kernels::dot(vector, other));
            let dots = Cosines {
                square: f64::from(parents.square),
                first: f64::from(self.set_cosines[position as usize]),
                ..Cosines::default()
            };
            let extra = ExtraDots {
                query: with(parents.query),
                first: with(parents.row(position)),
                square: length * with(vector),
            };
            let point = normalised(Strategy::Repeat.coefficients(0.0), dots, extra);
            self.cosine[p] = point.cosine as f32;
            self.first[p] = point.first as f32;
            self.extra[p] = point.extra as f32;
        }
    }

    /// Adds the points' weights, now in `cosine`, to their parents' columns; returns the query's factor, and in `out` the extra vectors'
    /// part of the gradient, already times `scale`.
    #[inline(always)]
    pub fn hand_back(&mut self, set: &[u32], cosines: &mut [f32], scale: f64, dim: usize, out: &mut Vec<f32>) -> f64 {
        if self.blocks.is_empty() {
            return 0.0;
        }
        self.set_weights.clear();
        self.set_weights.resize(set.len(), 0.0);
        let mut own = 0.0f64;
        for (block, range) in &self.blocks {
            let omega = block.strategy.omega() as f32;
            if omega != 1.0 {
                self.cosine[range.clone()].iter_mut().for_each(|weight| *weight *= omega);
            }
            for p in range.clone() {
                let weight = self.cosine[p];
                self.set_weights[self.drawn.first[p] as usize] += weight * self.first[p];
                if block.strategy.has_pairs() {
                    self.set_weights[self.drawn.second[p] as usize] += weight * self.second[p];
                } else {
                    own += f64::from(weight * self.query[p]);
                }
            }
            if let Some(extra) = block.strategy.extra() {
                out.resize(dim, 0.0);
                let factor = (scale * extra.length()) as f32;
                for (at, p) in range.clone().enumerate() {
                    let weight = factor * self.cosine[p] * self.extra[p];
                    let vector = match extra {
                        Extra::Noise { .. } => &self.normals[at * dim..][..dim],
                        Extra::Sign { .. } => &self.signs[..],
                    };
                    for (sum, value) in out.iter_mut().zip(vector) {
                        *sum += weight * value;
                    }
                }
            }
        }
        for (&column, weight) in set.iter().zip(&self.set_weights) {
            cosines[column as usize] += weight;
        }
        own
    }
}
