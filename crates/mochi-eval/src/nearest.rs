//! The rows of largest cosine with each query row, searched in blocks: what k-NN and the neighbors of an analysis share.
//!
//! Memory besides the rows and their normalized copies: 512 x 4,096 cosines (8 MiB) and 512 x 2 k candidates of 8 bytes.

use crate::EvalError;
use crate::dealt::dealt;
use crate::features::as_i64;
use crate::top_k::TopK;
use mochi_tensor::{Group, HostValues, Tensor, for_each_row, no_grad};

/// Query rows and searched rows whose cosines are held at once.
pub(crate) const CHUNK: (usize, usize) = (512, 4096);

/// Searches the `k` rows (N, F) of largest cosine for the queries (M, F) of this process: all, or every R-th block of `chunk.0` on one of R ranks. `each`
/// gets the number of the first query of a block, and the searches of its queries in order. Of equal cosines the earlier row is nearer.
pub(crate) fn nearest(
    (queries, rows): (&Tensor, &Tensor),
    k: usize,
    chunk: (usize, usize),
    group: Option<&Group>,
    each: &mut dyn FnMut(usize, &mut [TopK]),
) -> Result<(), EvalError> {
    let count = |t: &Tensor| t.size().first().and_then(|&n| usize::try_from(n).ok()).unwrap_or(0);
    let (m, n) = (count(queries), count(rows));
    let (queries, rows) = (unit_rows(queries)?, unit_rows(rows)?);
    for from in dealt(m.div_ceil(chunk.0), group).map(|block| block * chunk.0) {
        let block = chunk.0.min(m - from);
        let queries = queries.f_narrow(0, as_i64(from), as_i64(block))?;
        let mut found = vec![TopK::new(k); block];
        for first in (0..n).step_by(chunk.1) {
            let columns = chunk.1.min(n - first);
            let rows = rows.f_narrow(0, as_i64(first), as_i64(columns))?;
            let mut cosines = HostValues::new(no_grad(|| queries.f_matmul(&rows.f_tr()?))?)?;
            let position = u32::try_from(first).unwrap_or(u32::MAX);
            for_each_row(&mut cosines, columns, &mut found, || (), |_, row, top, ()| top.offer(row, position))?;
        }
        each(from, &mut found);
    }
    Ok(())
}

/// torch's `F.normalize(x, dim=1)` (eps 1e-12): a row of zeros stays zero and has cosine 0 with everything.
pub(crate) fn unit_rows(values: &Tensor) -> Result<Tensor, EvalError> {
    no_grad(|| {
        let norm = values.f_norm_scalaropt_dim(2, [1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
        Ok(values.f_div(&norm)?)
    })
}
