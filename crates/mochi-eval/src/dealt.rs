//! Pieces of an evaluation that are dealt to the ranks of a group, each done by one of them.

use mochi_tensor::collectives::Operation;
use mochi_tensor::{Group, Tensor};

use crate::EvalError;

/// Which of `count` pieces this process does: all on its own, every R-th as one of R ranks.
pub(crate) fn dealt(count: usize, group: Option<&Group>) -> impl Iterator<Item = usize> {
    let (rank, size) = group.map_or((0, 1), |group| (group.rank(), group.size()));
    (rank..count).step_by(size)
}

/// The sum over ranks. A number that one rank has and of which the others have 0 keeps its bits.
pub(crate) fn summed(values: Vec<f64>, group: Option<&Group>, what: &str) -> Result<Vec<f64>, EvalError> {
    let Some(group) = group else { return Ok(values) };
    let mut sums = Tensor::f_from_slice(&values)?;
    group.all_reduce(&mut sums, Operation::Sum, what)?;
    Ok(Vec::try_from(&sums)?)
}
