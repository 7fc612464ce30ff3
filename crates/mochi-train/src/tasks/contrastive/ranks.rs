//! A contrastive step on several ranks, which equals the step of one process with the whole batch.
//!
//! ```text
//! views        each rank has its slice of the batch, b = B / R images
//! keys         all-gather: every rank has all B keys, in the order of the batch, and adds them to its own copy of the queue
//! loss         of the rank's own queries; its gradient is averaged over ranks while the backward pass is still at work
//! batch norm   moco.bn_groups = 1: statistics over all ranks (SyncBN). R or a multiple: each rank has its share of the groups, and images
//!              are shuffled across ranks before the key encoder, and keys back after it (shuffle-BN: He et al., MoCo, section 3.3). A rank
//!              receives only the images that it encodes
//! mixing       of images (Un-Mix, i-Mix, MixCo): each rank mixes its share of the mixed images, of which it receives the images; positives are keys of
//!              the whole batch
//! ```
//!
//! A loss within the batch (SimCLR, SupCon, NNCLR) is computed for all gathered embeddings by every rank. The closed form then holds the gradient of the
//! whole loss with respect to the rank's own embeddings, through which no further communication is needed.

use std::sync::Arc;

use mochi_config::Resolved;
use mochi_contrast::images::Mixture;
use mochi_contrast::{Queue, SampleMetadata};
use mochi_nets::Encoder;
use mochi_tensor::collectives::Operation;
use mochi_tensor::{Group, Reducer, Role, Tensor, TensorError, dim, no_grad, upload};

use crate::TrainError;

/// Unknown image or label.
const UNKNOWN: i64 = -1;

/// The other ranks, as a step needs them.
#[derive(Debug)]
pub(crate) struct Ranks {
    group: Arc<Group>,
    reducer: Reducer,
    /// Running statistics that differ between ranks, because each has its own groups.
    statistics: Vec<Tensor>,
}

/// Batch-norm groups of each rank, of `groups` over all ranks.
pub(crate) fn groups_of_rank(settings: &Resolved, group: Option<&Arc<Group>>) -> Result<usize, TrainError> {
    let (groups, ranks) = (settings.moco.bn_groups.max(1), group.map_or(1, |group| group.size()));
    let refuse = |what: String, hint: String| Err(TrainError::Ranks { what, hint });
    if !settings.moco.batch.is_multiple_of(ranks) {
        let what = format!("moco.batch is {}, which {ranks} processes cannot share equally", settings.moco.batch);
        return refuse(
            what,
            format!("set moco.batch to a multiple of {ranks}, or start a number of processes that divides it"),
        );
    }
    let pairs = settings.moco.batch / 2;
    if settings.mix.images == mochi_config::ImageMix::Mixco && !pairs.is_multiple_of(ranks) {
        return refuse(
            format!("mix.images=mixco mixes {pairs} pairs of images, which {ranks} processes cannot share equally"),
            format!(
                "set moco.batch to a multiple of {}, or start a number of processes that divides the pairs",
                2 * ranks
            ),
        );
    }
    match groups {
        1 => Ok(1),
        _ if groups.is_multiple_of(ranks) => Ok(groups / ranks),
        _ => refuse(
            format!("moco.bn_groups is {groups}, which is neither 1 nor a multiple of the {ranks} processes"),
            format!("set moco.bn_groups to 1 (statistics over all processes), or to a multiple of {ranks}"),
        ),
    }
}

impl Ranks {
    /// Makes this rank's copy of everything equal to rank 0's, and synchronizes batch norms if there is one group over all ranks.
    pub fn join(
        group: &Arc<Group>,
        settings: &Resolved,
        query: &mut Encoder,
        mut key: Option<&mut Encoder>,
        queue: &Queue,
    ) -> Result<Self, TrainError> {
        if settings.moco.bn_groups <= 1 {
            query.synchronize_norms(group);
            if let Some(key) = key.as_deref_mut() {
                key.synchronize_norms(group);
            }
        }
        let mut statistics = Vec::new();
        for encoder in std::iter::once(&*query).chain(key.as_deref()) {
            copy_from_first(group, encoder)?;
            if settings.moco.bn_groups > 1 {
                let buffers = encoder.store().iter().filter(|(.., role)| *role == Role::Buffer);
                statistics.extend(buffers.map(|(_, tensor, _)| tensor.shallow_clone()));
            }
        }
        group.broadcast(&mut queue.rows().detach(), 0, "copying the queue")?;
        let parameters: Vec<Tensor> = query.store().trainable().map(|(_, tensor)| tensor.shallow_clone()).collect();
        Ok(Self { group: Arc::clone(group), reducer: Reducer::new(group, &parameters)?, statistics })
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// This rank's first row of the batch, of `rows` on each rank.
    fn first(&self, rows: usize) -> usize {
        self.group.rank() * rows
    }

    /// Waits for the averaged gradients after a backward pass, and averages running statistics.
    pub fn finish_backward(&mut self) -> Result<(), TensorError> {
        self.reducer.finish()?;
        if self.statistics.is_empty() {
            return Ok(());
        }
        // As those of several groups in one process: the mean over the groups.
        no_grad(|| {
            let flat: Vec<Tensor> = self.statistics.iter().map(|t| t.f_view(-1)).collect::<Result<_, _>>()?;
            let mut all = Tensor::f_cat(&flat, 0)?;
            self.group.all_reduce(&mut all, Operation::Sum, "averaging running statistics")?;
            let mean = all.f_div_scalar(self.group.size() as f64)?;
            let mut start = 0;
            for statistic in &self.statistics {
                let values = dim(statistic.numel());
                statistic.shallow_clone().f_copy_(&mean.f_narrow(0, start, values)?.f_view_as(statistic)?)?;
                start += values;
            }
            Ok(())
        })
    }
}

/// Makes this rank's copy of an encoder equal to rank 0's.
pub(super) fn copy_from_first(group: &Group, encoder: &Encoder) -> Result<(), TensorError> {
    let mut tensors = encoder.store().iter().filter(|(.., role)| *role != Role::Counter);
    no_grad(|| {
        tensors.try_for_each(|(_, tensor, _)| group.broadcast(&mut tensor.detach(), 0, "copying the initial weights"))
    })
}

/// Row of the batch at which this rank's begin.
pub(crate) fn first_row(ranks: Option<&Ranks>, rows: usize) -> u32 {
    ranks.map_or(0, |ranks| u32::try_from(ranks.first(rows)).unwrap_or(u32::MAX))
}

/// The rows (B, ...) of the whole batch, of (b, ...) on each rank, without a gradient.
pub(crate) fn gather(ranks: Option<&Ranks>, rows: &Tensor) -> Result<Tensor, TensorError> {
    let Some(ranks) = ranks else { return Ok(rows.shallow_clone()) };
    no_grad(|| ranks.group.all_gather(rows, "gathering embeddings"))
}

/// This rank's rows (b, ...) of the whole batch's (B, ...).
pub(crate) fn own(ranks: Option<&Ranks>, all: &Tensor) -> Result<Tensor, TensorError> {
    let Some(ranks) = ranks else { return Ok(all.shallow_clone()) };
    let rows = all.size().first().copied().unwrap_or(0) / dim(ranks.group.size());
    Ok(all.f_narrow(0, dim(ranks.group.rank()) * rows, rows)?)
}

/// A gradient (B, D) of the whole batch's loss as this rank's part (b, D) of a loss that is averaged over ranks.
pub(crate) fn own_gradient(ranks: Option<&Ranks>, all: &Tensor) -> Result<Tensor, TensorError> {
    let Some(some) = ranks else { return Ok(all.shallow_clone()) };
    Ok(own(ranks, all)?.f_mul_scalar(some.group.size() as f64)?)
}

/// Embeddings (VB, D) of the whole batch, view after view, of (Vb, D) on each rank.
pub(crate) fn gather_views(ranks: Option<&Ranks>, rows: &Tensor, views: i64) -> Result<Tensor, TensorError> {
    let Some(some) = ranks else { return Ok(rows.shallow_clone()) };
    let all = gather(ranks, rows)?;
    let (size, d) = (dim(some.group.size()), rows.size().get(1).copied().unwrap_or(0));
    let shape = [size, views, -1, d];
    Ok(all.f_view(shape)?.f_transpose(0, 1)?.f_reshape([-1, d])?)
}

/// [`own_gradient`] of views: (VB, D) -> (Vb, D).
pub(crate) fn own_gradient_of_views(ranks: Option<&Ranks>, all: &Tensor, views: i64) -> Result<Tensor, TensorError> {
    let Some(some) = ranks else { return Ok(all.shallow_clone()) };
    let (size, d) = (dim(some.group.size()), all.size().get(1).copied().unwrap_or(0));
    let own = all.f_view([views, size, -1, d])?.f_select(1, dim(some.group.rank()))?;
    Ok(own.f_reshape([-1, d])?.f_mul_scalar(some.group.size() as f64)?)
}

/// The keys of the whole batch (B, D): `embed` encodes a rank's share of the images (b, 3, S, S) in `order` (B).
pub(crate) fn shuffled(
    ranks: Option<&Ranks>,
    images: &Tensor,
    order: &[i64],
    embed: impl FnOnce(&Tensor) -> Result<Tensor, TensorError>,
) -> Result<Tensor, TensorError> {
    let mine = match ranks {
        None => images.f_index_select(0, &upload(&Tensor::f_from_slice(order)?, images.device())?)?,
        Some(ranks) => exchange(&ranks.group, images, order)?,
    };
    let keys = gather(ranks, &embed(&mine)?)?;
    let back = upload(&Tensor::f_from_slice(order)?, images.device())?.f_argsort(0, false)?;
    Ok(keys.f_index_select(0, &back)?)
}

/// This rank's part of a mixture of the batch, of views (b, 3, S, S) on each rank, and its mixed pixels. A rank receives only the images that it mixes.
pub(crate) fn mixed(ranks: Option<&Ranks>, all: &Mixture, views: &Tensor) -> Result<(Mixture, Tensor), TrainError> {
    let Some(ranks) = ranks else { return Ok((all.clone(), no_grad(|| all.of_batch(views))?)) };
    let (size, rank) = (ranks.group.size(), ranks.group.rank());
    let share = all.len() / size;
    let [images, partners] = all.rows();
    // Of each rank its images, then their partners.
    let part = |rows: &[i64], rank: usize| rows.get(rank * share..(rank + 1) * share).unwrap_or_default().to_vec();
    let order: Vec<i64> = (0..size).flat_map(|rank| [part(images, rank), part(partners, rank)].concat()).collect();
    let found = exchange(&ranks.group, views, &order)?;
    let own = all.part(rank * share..(rank + 1) * share);
    let pixels = no_grad(|| -> Result<_, TrainError> {
        Ok(own.pixels(&found.f_narrow(0, 0, dim(share))?, &found.f_narrow(0, dim(share), dim(share))?)?)
    })?;
    Ok((own, pixels))
}

/// This rank's share of the rows `order` of the batch, of which each rank has (b, 3, S, S). Unlike MoCo, which gathers the whole batch everywhere, a rank
/// receives only the images that it encodes.
fn exchange(group: &Group, images: &Tensor, order: &[i64]) -> Result<Tensor, TensorError> {
    let rows = images.size().first().and_then(|&rows| usize::try_from(rows).ok()).unwrap_or(0);
    let plan = Exchange::new(order, rows * group.size(), group.rank(), group.size());
    let index = |rows: &[i64]| -> Result<Tensor, TensorError> { upload(&Tensor::f_from_slice(rows)?, images.device()) };
    no_grad(|| {
        // Channels innermost, as convolutions want them.
        let rows = images.f_permute([0, 2, 3, 1])?.f_index_select(0, &index(&plan.rows)?)?;
        let found = group.all_to_all(&rows, &plan.sent, &plan.received, "exchanging images")?;
        Ok(found.f_index_select(0, &index(&plan.places)?)?.f_permute([0, 3, 1, 2])?)
    })
}

/// Which rows go from rank to rank so that each has its share of an order of the batch's rows, in which a row can be several times.
#[derive(Debug, PartialEq, Eq)]
struct Exchange {
    /// Rows of this rank to send, those for rank 0 first.
    rows: Vec<i64>,
    /// How many go to each rank.
    sent: Vec<i64>,
    /// How many come from each rank.
    received: Vec<i64>,
    /// For each place of this rank's share: which of the received rows.
    places: Vec<i64>,
}

impl Exchange {
    fn new(order: &[i64], batch: usize, rank: usize, size: usize) -> Self {
        let (each, share) = ((batch / size.max(1)).max(1), order.len() / size.max(1));
        // Where a row of the batch is: its rank, and the row there.
        let home = |row: i64| -> (usize, i64) {
            let row = usize::try_from(row).unwrap_or(0);
            (row / each, dim(row % each))
        };
        let wanted = |by: usize| order.get(by * share..(by + 1) * share).unwrap_or_default();
        let (mut rows, mut sent) = (Vec::new(), vec![0; size]);
        for (to, count) in sent.iter_mut().enumerate() {
            let of_this = wanted(to).iter().map(|&row| home(row)).filter(|&(from, _)| from == rank);
            let before = rows.len();
            rows.extend(of_this.map(|(_, row)| row));
            *count = dim(rows.len() - before);
        }
        let mut received = vec![0i64; size];
        let mut number = |row: &i64| -> (usize, i64) {
            let (from, _) = home(*row);
            let count = &mut received[from.min(size - 1)];
            *count += 1;
            (from, *count - 1)
        };
        let numbered: Vec<(usize, i64)> = wanted(rank).iter().map(&mut number).collect();
        let start = |from: usize| -> i64 { received.iter().take(from).sum() };
        let places = numbered.into_iter().map(|(from, number)| start(from) + number).collect();
        Self { rows, sent, received, places }
    }
}

/// Images and labels of the whole batch.
pub(crate) struct Metadata {
    images: Option<Vec<i64>>,
    labels: Option<Vec<i64>>,
}

impl Metadata {
    /// Gathers a rank's.
    pub fn gather(ranks: Option<&Ranks>, own: SampleMetadata) -> Result<Self, TensorError> {
        let owned = |values: Option<&[i64]>| values.map(<[i64]>::to_vec);
        let Some(some) = ranks else { return Ok(Self { images: owned(own.images), labels: owned(own.labels) }) };
        let Some(count) = own.images.or(own.labels).map(<[i64]>::len) else {
            return Ok(Self { images: None, labels: None });
        };
        let values = |known: Option<&[i64]>| known.map_or_else(|| vec![UNKNOWN; count], <[i64]>::to_vec);
        let both = [values(own.images), values(own.labels)].concat();
        let both = Tensor::f_from_slice(&both)?.f_view([1, 2, dim(count)])?;
        let all = some.group.all_gather(&both, "gathering the indices of images")?; // (R, 2, b)
        let part = |at: i64| Vec::<i64>::try_from(&all.f_select(1, at)?.f_reshape([-1])?);
        Ok(Self { images: own.images.map(|_| part(0)).transpose()?, labels: own.labels.map(|_| part(1)).transpose()? })
    }

    /// Both, borrowed.
    pub fn as_ref(&self) -> SampleMetadata<'_> {
        SampleMetadata { images: self.images.as_deref(), labels: self.labels.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_gets_its_share_of_the_shuffled_batch() {
        check(&[5i64, 0, 3, 2, 1, 4]);
        // Rows that are wanted twice, and one that nobody wants.
        check(&[0, 1, 5, 4, 2, 3, 3, 2, 4, 5, 1, 1]);
    }

    fn check(order: &[i64]) {
        for size in [1, 2, 3] {
            let (share, each) = (order.len() / size, 6 / size);
            let plans: Vec<Exchange> = (0..size).map(|rank| Exchange::new(order, 6, rank, size)).collect();
            for (rank, plan) in plans.iter().enumerate() {
                // What arrives, source by source, as rows of the batch.
                let mut arrived = Vec::new();
                for (from, source) in plans.iter().enumerate() {
                    let skipped: i64 = source.sent[..rank].iter().sum();
                    let own = &source.rows[skipped as usize..(skipped + source.sent[rank]) as usize];
                    assert_eq!(own.len() as i64, plan.received[from]);
                    arrived.extend(own.iter().map(|row| row + (from * each) as i64));
                }
                let found: Vec<i64> = plan.places.iter().map(|&place| arrived[place as usize]).collect();
                assert_eq!(found, order[rank * share..(rank + 1) * share], "rank {rank} of {size}");
            }
        }
    }
}
