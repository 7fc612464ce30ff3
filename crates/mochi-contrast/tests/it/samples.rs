//! Explicit samples of MoCHi's two strategies, as the scripts write them.

use mochi_contrast::ExplicitSamples;
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};

/// Parents and coefficients of pair mixes and of query mixes.
pub fn mochi([pair_i, pair_j, mix_j]: [Vec<u32>; 3], [alpha, beta]: [Vec<f64>; 2]) -> Vec<ExplicitSamples> {
    vec![
        ExplicitSamples { purpose: pair_mixing::PURPOSE, first: pair_i, second: pair_j, coefficient: alpha },
        ExplicitSamples { purpose: query_mixing::PURPOSE, first: mix_j, second: Vec::new(), coefficient: beta },
    ]
}
