//! Queries of f_q against keys of its moving average f_k (MoCo, algorithm 1), with any combination of positives, candidate keys and mixed images.
//!
//! Order: query, momentum update, key, losses. A symmetric loss takes each view once as query and once as key and adds the two.

use mochi_config::NegativesFrom;
use mochi_contrast::feature_transformation::extrapolate;
use mochi_contrast::images;
use mochi_contrast::{Affine, Context, Loss, Objective, diagnostics, info_nce, nnclr};
use mochi_nets::{Encoder, NormMode};
use mochi_random::{DrawKey, permutation, purpose};
use mochi_tensor::{Tensor, TensorError, momentum_update, no_grad};

use super::super::ranks::{first_row, gather, mixed, own, own_gradient, shuffled};
use super::candidates::{BatchKeys, Positives};
use super::mixing::Mixing;
use super::{StepInput, StepOutput, rows_of};
use crate::{Learner, TrainError};

/// The losses of one step. Afterwards the key encoder has been updated.
pub(crate) fn losses(learner: &Learner, key: &Encoder, input: StepInput) -> Result<StepOutput, TrainError> {
    let compute = learner.query.compute();
    let [view_1, view_2] = input.views else {
        return Err(TrainError::Internal(format!("a key encoder and {} views", input.views.len())));
    };
    let inputs = [compute.input(view_1)?, compute.input(view_2)?];
    // i-Mix has queries of mixed images only.
    let plain = learner.method.mixing.as_ref().is_none_or(|mixing| !mixing.replaces_plain());
    let query = |side: usize| -> Result<Option<Tensor>, TrainError> {
        Ok(if plain { Some(learner.query.embed(&inputs[side], learner.mode())?) } else { None })
    };
    let first = query(0)?;
    momentum_update(key.store(), learner.query.store(), learner.momentum)?;
    let mut output = direction(learner, key, input, first, &inputs[1], 0)?;
    if learner.method.symmetric {
        let other = direction(learner, key, input, query(1)?, &inputs[0], 1)?;
        output.add(other);
        output.loss /= 2.0;
        output.loss_chance /= 2.0;
    }
    Ok(output)
}

/// The losses of one direction: `query` is of view `index`, the keys are of `images`.
fn direction(
    learner: &Learner,
    encoder: &Encoder,
    input: StepInput,
    query: Option<Tensor>,
    images: &Tensor,
    index: u16,
) -> Result<StepOutput, TrainError> {
    let Learner { method, queue, .. } = learner;
    let ranks = learner.ranks.as_ref();
    let of_step = DrawKey { seed: learner.seed, step: input.step, direction: index, purpose: 0, first_row: 0 };
    let all_keys = no_grad(|| keys(learner, encoder, images, of_step))?; // (B, D), all ranks'
    let key = own(ranks, &all_keys)?;
    let batch = rows_of(&key);
    // A rank draws for its rows what one process would.
    let first = first_row(ranks, batch);
    let draws = DrawKey { first_row: first, ..of_step };
    let objective = learner.objective_of(input.synthesize);
    // The images of a mixture are anywhere in the batch.
    let of_all = method.mixing.as_ref().map(|_| method.positives(&all_keys, queue)).transpose()?;
    let positives = match &of_all {
        Some(of_all) => of_all.part(first as usize, batch)?,
        None => method.positives(&key, queue)?,
    };
    let affine = |images: usize| -> Option<Vec<Affine>> {
        method.extrapolate.as_ref().map(|beta| vec![extrapolate(beta, of_step); images])
    };
    let from = |batch: bool| [batch || method.from != NegativesFrom::Queue, method.from != NegativesFrom::Batch];
    let candidates_of = |which, positives: &Positives, first| {
        let of_batch = BatchKeys { keys: &all_keys, first, metadata: input.everyone };
        method.candidates(which, &of_batch, positives, queue, of_step)
    };

    let mut output: Option<StepOutput> = None;
    if let Some(query) = query {
        let mut measured = None;
        let loss = if method.within_batch {
            let (queries, positives) = (gather(ranks, &query)?, gather(ranks, &positives.rows)?);
            let loss = nnclr(&queries, &positives, objective.temperature, input.step)?;
            Loss { gradient: own_gradient(ranks, &loss.gradient)?, ..loss }
        } else {
            let candidates = candidates_of(from(false), &positives, first)?;
            let affine = affine(batch);
            let context = Context {
                draws,
                queries: input.metadata,
                candidates: candidates.metadata(),
                positive_indices: &candidates.positive_indices,
                positive: affine.as_deref(),
                ..Context::default()
            };
            let loss = info_nce(&query, &positives.rows, &candidates.rows, objective, &context)?;
            if input.diagnostics && index == 0 {
                measured = diagnostics(&query, &positives.rows, &candidates.rows, objective, &context)?;
            }
            loss
        };
        output = Some(StepOutput { diagnostics: measured, ..StepOutput::of(query, loss) });
    }
    if let (Some(mixing), Some(of_all)) = (&method.mixing, &of_all) {
        let candidates = candidates_of(from(mixing.meets_batch()), of_all, 0)?;
        let affine = affine(rows_of(&all_keys));
        let context = Context {
            draws: of_step,
            queries: input.everyone,
            candidates: candidates.metadata(),
            positive_indices: &candidates.positive_indices,
            positive: affine.as_deref(),
            ..Context::default()
        };
        let views = &input.views[index as usize % 2];
        let mixed = of_mixed(learner, mixing, views, [&of_all.rows, &candidates.rows], objective, context)?;
        output = Some(match output {
            Some(mut plain) => {
                plain.add(mixed);
                plain
            }
            None => mixed,
        });
    }
    let mut output = output.ok_or_else(|| TensorError::Mismatch("a step without a loss".into()))?;
    if method.queue {
        output.keys.push(all_keys);
    }
    Ok(output)
}

/// The loss of this rank's mixed images of `views`. The positives (B, D), their candidate keys and the `context` are those of the whole batch, since both
/// images of a mixture can be anywhere in it.
fn of_mixed(
    learner: &Learner,
    mixing: &Mixing,
    views: &Tensor,
    [positives, candidates]: [&Tensor; 2],
    objective: &Objective,
    context: Context,
) -> Result<StepOutput, TrainError> {
    let ranks = learner.ranks.as_ref();
    let (_, _, height, width) = views.size4()?;
    let whole = mixing.draw(rows_of(positives), [height, width], context.draws)?;
    let (mixture, mixed) = mixed(ranks, &whole, views)?;
    let query = learner.query.embed(&learner.query.compute().input(&mixed)?, learner.mode())?;
    let context = Context { draws: context.draws.from_row(first_row(ranks, mixture.len())), ..context };
    let objective = mixing.objective(objective);
    let mut loss = images::loss(&query, positives, candidates, &mixture.targets(), &objective, &context)?;
    let weight = mixing.weight();
    loss.value *= weight;
    loss.chance *= weight;
    loss.gradient = loss.gradient.f_mul_scalar(weight)?;
    Ok(StepOutput::of(query, loss))
}

/// Embeddings (B, D) of all ranks' images by the key encoder, shuffled across the groups of the batch statistics if there is more than one.
fn keys(learner: &Learner, encoder: &Encoder, images: &Tensor, draws: DrawKey) -> Result<Tensor, TensorError> {
    let (mode, ranks): (NormMode, _) = (learner.mode(), learner.ranks.as_ref());
    if !learner.shuffles {
        return gather(ranks, &encoder.embed(images, mode)?);
    }
    let draws = draws.with_purpose(purpose::SHUFFLE_BATCH_NORM);
    let size = ranks.map_or(1, |ranks| ranks.group().size());
    let count = u32::try_from(rows_of(images) * size).unwrap_or(u32::MAX);
    let order: Vec<i64> = permutation(draws.family(0), draws.counter(0), count).into_iter().map(i64::from).collect();
    shuffled(ranks, images, &order, |images| encoder.embed(images, mode))
}
