//! Queries of f_q against keys of its moving average f_k (MoCo, algorithm 1), with every positive, column and mixture that composes with it.
//!
//! Order: query, momentum update, key, losses. A symmetric loss takes each view once as query and once as key and adds the two.

use mochi_config::NegativesFrom;
use mochi_contrast::feature_transformation::extrapolate;
use mochi_contrast::images::{self, Place};
use mochi_contrast::{Affine, Context, DrawKey, info_nce, look, nnclr};
use mochi_nets::NormMode;
use mochi_random::{Philox, permutation};
use mochi_tensor::{Tensor, TensorError, momentum_update, no_grad, upload};

use super::{Now, Taken, rows_of};
use crate::{Learner, TrainError};

/// Stream of the shuffling draws: away from the points' and the loader's.
const SHUFFLE: u64 = 0x5348_5546;

/// The losses of one step; f_k has followed f_q when it returns.
pub(crate) fn losses(learner: &Learner, now: Now) -> Result<Taken, TrainError> {
    let compute = learner.query.compute();
    let inputs = [compute.input(now.views[0])?, compute.input(now.views[1])?];
    // i-Mix asks with mixed images alone.
    let plain = learner.ways.mixing.as_ref().is_none_or(|mixing| !mixing.replaces_plain());
    let query = |side: usize| -> Result<Option<Tensor>, TrainError> {
        Ok(if plain { Some(learner.query.embed(&inputs[side], learner.mode())?) } else { None })
    };
    let first = query(0)?;
    momentum_update(learner.key.store(), learner.query.store(), learner.momentum)?;
    let mut taken = side(learner, now, first, &inputs[1], 0)?;
    if learner.ways.symmetric {
        let other = side(learner, now, query(1)?, &inputs[0], 1)?;
        taken.add(other);
        taken.loss /= 2.0;
        taken.loss_ceiling /= 2.0;
    }
    Ok(taken)
}

/// The losses of one direction: `query` of view `index`, keys of `images`.
fn side(learner: &Learner, now: Now, query: Option<Tensor>, images: &Tensor, index: u32) -> Result<Taken, TrainError> {
    let Learner { ways, queue, .. } = learner;
    let key = no_grad(|| keys(learner, images, now.step, index))?;
    let batch = rows_of(&key);
    let place = Place { seed: learner.seed, step: now.step, side: index };
    let draws = DrawKey { seed: learner.seed, step: now.step, side: index, first_query: 0 };
    let objective = learner.objective_of(now.synthesise);
    let positives = ways.positives(&key, queue)?;
    let affine: Option<Vec<Affine>> = ways.extrapolate.as_ref().map(|law| vec![extrapolate(law, place); batch]);
    let from = |batch: bool| [batch || ways.from != NegativesFrom::Queue, ways.from != NegativesFrom::Batch];
    let columns_of = |which| ways.columns(which, &key, &positives, now.known, queue, place);

    let mut taken: Option<Taken> = None;
    if let Some(query) = query {
        let mut closer = None;
        let (loss, ceiling) = if ways.within_batch {
            (nnclr(&query, &positives.rows, objective.temperature, now.step)?, (batch as f64).ln())
        } else {
            let columns = columns_of(from(false))?;
            let context = Context {
                draws,
                queries: now.known,
                columns: columns.known(),
                own: &columns.own,
                positive: affine.as_deref(),
                ..Context::default()
            };
            let loss = info_nce(&query, &positives.rows, &columns.rows, objective, &context)?;
            if learner.look && index == 0 {
                closer = Some(look(&query, &positives.rows, &columns.rows, objective, &context)?);
            }
            (loss, objective.ceiling(columns.negatives(batch)))
        };
        taken = Some(Taken { look: closer, ..Taken::of(query, loss, ceiling) });
    }
    if let Some(mixing) = &ways.mixing {
        let mixed = mixing.mix(now.views[index as usize % 2], place)?;
        let query = learner.query.embed(&learner.query.compute().input(&mixed.images)?, learner.mode())?;
        let columns = columns_of(from(mixing.meets_batch()))?;
        let objective = mixing.objective(objective);
        let context = Context {
            draws,
            queries: now.known,
            columns: columns.known(),
            own: &columns.own,
            positive: affine.as_deref(),
            ..Context::default()
        };
        let mut loss = images::loss(&query, &positives.rows, &columns.rows, &mixed.targets, &objective, &context)?;
        let weight = mixing.weight();
        loss.value *= weight;
        loss.gradient = loss.gradient.f_mul_scalar(weight)?;
        let mixed = Taken::of(query, loss, weight * objective.ceiling(columns.negatives(batch)));
        taken = Some(match taken {
            Some(mut plain) => {
                plain.add(mixed);
                plain
            }
            None => mixed,
        });
    }
    let mut taken = taken.ok_or_else(|| TensorError::Mismatch("a step without a loss".into()))?;
    if ways.queue {
        taken.keys.push(key);
    }
    Ok(taken)
}

/// f_k's embeddings (B, D), shuffled through the groups of the batch statistics where there is more than one.
fn keys(learner: &Learner, images: &Tensor, step: u64, side: u32) -> Result<Tensor, TensorError> {
    let mode: NormMode = learner.mode();
    if learner.groups == 1 {
        return learner.key.embed(images, mode);
    }
    let place = [(step & 0xffff_ffff) as u32, (step >> 32) as u32, side];
    let count = u32::try_from(rows_of(images)).unwrap_or(u32::MAX);
    let order: Vec<i64> =
        permutation(Philox::new(learner.seed, SHUFFLE), place, count).into_iter().map(i64::from).collect();
    let order = upload(&Tensor::f_from_slice(&order)?, images.device())?;
    let back = order.f_argsort(0, false)?;
    let keys = learner.key.embed(&images.f_index_select(0, &order)?, mode)?;
    Ok(keys.f_index_select(0, &back)?)
}
