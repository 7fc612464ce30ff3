//! Synthetic negatives of a row, as a structure of arrays. They are drawn, combined and scatter-added in groups.
//!
//! Parents are positions among the hard negatives: their cosines are gathered from a table of N numbers. The gradient weights of
//! synthetic negatives are summed in another table before they are added to the weights of the N keys.

use std::ops::Range;

use crate::Context;
use crate::cpu::kernels;
use crate::draws::{Samples, normals};
use crate::strategies::{Cosines, Extra, ExtraDots, Strategy, normalized};

/// A row's synthetic negatives with the coefficients of their gradients.
#[derive(Default)]
pub(crate) struct Synthesis {
    /// q·n of the hard negatives (N,).
    pub hard_cosines: Vec<f32>,
    /// q·h; the loss turns it into gradient weights in place.
    pub cosines: Vec<f32>,
    samples: Samples,
    /// Coefficients of d(q·h)/dq on first and second parent and on the query.
    first: Vec<f32>,
    second: Vec<f32>,
    query: Vec<f32>,
    /// Coefficients of the extra vector.
    extra: Vec<f32>,
    /// q·n_i, q·n_j and n_i·n_j of the current strategy.
    dots: [Vec<f32>; 3],
    /// Copies of the hard negatives (N, D), if they are read often enough.
    copied: Vec<f32>,
    /// The strategies so far, each with the range of its synthetic negatives.
    pub ranges: Vec<(Strategy, Range<usize>)>,
    hard_weights: Vec<f32>,
    signs: Vec<f32>,
    /// (s, D): the row's noise.
    normals: Vec<f32>,
}

/// Parents of a row's synthetic negatives.
pub(crate) struct Parents<'a> {
    /// (K, D)
    pub keys: &'a [f32],
    pub dim: usize,
    /// (D,)
    pub query: &'a [f32],
    /// q·q
    pub square: f32,
    /// Positions of the hard negatives among the keys.
    pub hard: &'a [u32],
}

impl Parents<'_> {
    #[inline(always)]
    fn row(&self, position: u32) -> &[f32] {
        &self.keys[self.hard[position as usize] as usize * self.dim..][..self.dim]
    }

    /// Copies the hard negatives in the order of their keys, which reads many rows at once; the order of the synthetic negatives would wait for each
    /// pair.
    #[inline(always)]
    fn copy(&self, copied: &mut Vec<f32>) {
        copied.resize(self.hard.len() * self.dim, 0.0);
        for (to, &key) in copied.chunks_exact_mut(self.dim.max(1)).zip(self.hard) {
            to.copy_from_slice(&self.keys[key as usize * self.dim..][..self.dim]);
        }
    }
}

/// Maximum number of copied values: 2^18 floats are 1 MB, about the size of a core's second-level cache.
const COPIED: usize = 1 << 18;

impl Synthesis {
    /// Starts a row with the cosines of its hard negatives.
    #[inline(always)]
    pub fn begin(&mut self, cosines: &[f32], hard: &[u32]) {
        self.samples.clear();
        self.ranges.clear();
        for values in [&mut self.cosines, &mut self.first, &mut self.second, &mut self.query, &mut self.extra] {
            values.clear();
        }
        self.hard_cosines.clear();
        self.hard_cosines.extend(hard.iter().map(|&key| cosines[key as usize]));
    }

    /// Draws and computes the synthetic negatives of a strategy; returns their range.
    #[inline(always)]
    pub fn add(&mut self, strategy: &Strategy, context: &Context, row: usize, parents: &Parents) -> Range<usize> {
        let start = self.cosines.len();
        self.samples.draw(strategy, context, row, parents.hard.len());
        let range = start..self.samples.first.len();
        for values in [&mut self.cosines, &mut self.first, &mut self.second, &mut self.query, &mut self.extra] {
            values.resize(range.end, 0.0);
        }
        self.gather(range.clone(), strategy, parents);
        match strategy.extra {
            Some(extra) => self.shift(strategy, extra, range.clone(), context, row, parents),
            None => self.combine(strategy, range.clone(), f64::from(parents.square)),
        }
        self.ranges.push((strategy.clone(), range.clone()));
        range
    }

    /// The dot products of the parents with the query and each other.
    #[inline(always)]
    fn gather(&mut self, range: Range<usize>, strategy: &Strategy, parents: &Parents) {
        let (first, second) = (&self.samples.first[range.clone()], &self.samples.second[range]);
        let table = &self.hard_cosines;
        let [of_first, of_second, between] = &mut self.dots;
        for values in [&mut *of_first, &mut *of_second, &mut *between] {
            values.clear();
        }
        of_first.extend(first.iter().map(|&i| table[i as usize]));
        if strategy.has_two_parents() {
            of_second.extend(second.iter().map(|&j| table[j as usize]));
            // The cosine of a key with itself is exactly 1, without rounding.
            let pairs = first.iter().zip(second);
            if parents.hard.len() <= 2 * first.len() && parents.hard.len() * parents.dim <= COPIED {
                parents.copy(&mut self.copied);
                let row = |at: u32| &self.copied[at as usize * parents.dim..][..parents.dim];
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

    /// Synthetic negatives without an extra vector.
    #[inline(always)]
    fn combine(&mut self, strategy: &Strategy, range: Range<usize>, square: f64) {
        let [of_first, of_second, between] = &self.dots;
        let dots = of_first.iter().zip(of_second).zip(between).zip(&self.samples.coefficient[range.clone()]);
        let (first, second) = (&mut self.first[range.clone()], &mut self.second[range.clone()]);
        let (cosines, query) = (&mut self.cosines[range.clone()], &mut self.query[range]);
        let out = cosines.iter_mut().zip(query).zip(first.iter_mut().zip(second));
        for ((((a, b), g), coefficient), ((cosine, query), (first, second))) in dots.zip(out) {
            let dots = Cosines { square, first: f64::from(*a), second: f64::from(*b), parents: f64::from(*g) };
            let synthetic = normalized(strategy.coefficients(*coefficient), dots, ExtraDots::default());
            let synthetic = strategy.with_query_gradient(synthetic);
            *cosine = synthetic.cosine as f32;
            *query = synthetic.query as f32;
            *first = synthetic.first as f32;
            *second = synthetic.second as f32;
        }
    }

    /// Synthetic negatives with an extra vector.
    #[inline(always)]
    fn shift(
        &mut self,
        strategy: &Strategy,
        extra: Extra,
        range: Range<usize>,
        context: &Context,
        row: usize,
        parents: &Parents,
    ) {
        let (length, dim) = (extra.length(), parents.dim);
        match extra {
            Extra::Normal { .. } => {
                let key = context.draws.with_purpose(strategy.purpose);
                normals(key, row, range.len(), dim, &mut self.normals);
            }
            Extra::SignOfQuery { .. } => signs(parents.query, &mut self.signs),
        }
        for (at, p) in range.enumerate() {
            let vector = match extra {
                Extra::Normal { .. } => &self.normals[at * dim..][..dim],
                Extra::SignOfQuery { .. } => &self.signs[..],
            };
            let position = self.samples.first[p];
            let with = |other: &[f32]| length * f64::from(kernels::dot(vector, other));
            let dots = Cosines {
                square: f64::from(parents.square),
                first: f64::from(self.hard_cosines[position as usize]),
                ..Cosines::default()
            };
            let extra = ExtraDots {
                query: with(parents.query),
                first: with(parents.row(position)),
                square: length * with(vector),
            };
            let coefficients = strategy.coefficients(self.samples.coefficient[p]);
            let synthetic = normalized(coefficients, dots, extra);
            self.cosines[p] = synthetic.cosine as f32;
            self.first[p] = synthetic.first as f32;
            self.extra[p] = synthetic.extra as f32;
        }
    }

    /// Adds the gradient weights, now in `cosines`, to those of the parents' keys; returns the query's factor, and in `out` the extra vectors'
    /// part of the gradient, already times `scale`.
    #[inline(always)]
    pub fn scatter_add(
        &mut self,
        hard: &[u32],
        weights: &mut [f32],
        scale: f64,
        dim: usize,
        out: &mut Vec<f32>,
    ) -> f64 {
        if self.ranges.is_empty() {
            return 0.0;
        }
        self.hard_weights.clear();
        self.hard_weights.resize(hard.len(), 0.0);
        let mut own = 0.0f64;
        for (strategy, range) in &self.ranges {
            let omega = strategy.weight as f32;
            if omega != 1.0 {
                self.cosines[range.clone()].iter_mut().for_each(|weight| *weight *= omega);
            }
            for p in range.clone() {
                let weight = self.cosines[p];
                self.hard_weights[self.samples.first[p] as usize] += weight * self.first[p];
                if strategy.has_two_parents() {
                    self.hard_weights[self.samples.second[p] as usize] += weight * self.second[p];
                }
                own += f64::from(weight * self.query[p]);
            }
            if let Some(extra) = strategy.extra {
                out.resize(dim, 0.0);
                let factor = (scale * extra.length()) as f32;
                for (at, p) in range.clone().enumerate() {
                    let weight = factor * self.cosines[p] * self.extra[p];
                    let vector = match extra {
                        Extra::Normal { .. } => &self.normals[at * dim..][..dim],
                        Extra::SignOfQuery { .. } => &self.signs[..],
                    };
                    for (sum, value) in out.iter_mut().zip(vector) {
                        *sum += weight * value;
                    }
                }
            }
        }
        for (&key, weight) in hard.iter().zip(&self.hard_weights) {
            weights[key as usize] += weight;
        }
        own
    }
}

/// The signs of q (D,), 0 where q is 0.
#[inline(always)]
fn signs(query: &[f32], out: &mut Vec<f32>) {
    out.clear();
    out.extend(query.iter().map(|&x| {
        if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else {
            0.0
        }
    }));
}
