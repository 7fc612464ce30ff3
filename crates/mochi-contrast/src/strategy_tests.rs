//! Strategies, filters and loss variants in every combination: CPU kernel and device path against explicit synthesis and autograd.

use super::*;
use crate::queue::to_i64;
use crate::{Affine, DrawKey, Filter, LossVariant, Measures, SampleMetadata, Strategy, oracle};
use mochi_contrast_core::{Family, parse};
use mochi_tensor::IndexOp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Strategy as Generator;

const KEY: DrawKey = DrawKey { seed: 4, step: 9, purpose: 0, direction: 1, first_row: 0 };

fn unit_rows(n: usize, d: usize, seed: f64) -> Tensor {
    let values =
        ((Tensor::arange(to_i64(n * d), (Kind::Double, Device::Cpu)) * 78.233 + seed).sin() * 43758.5453).frac();
    let rows = values.view([to_i64(n), to_i64(d)]) - 0.5;
    &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
}

/// An entry of a table with some arguments.
fn configured<T: Family>(name: &str, arguments: &[(&str, f64)]) -> T {
    parse::<T>(T::table(), name, arguments.iter().copied()).unwrap().build()
}

/// MoCHi (N, s, s') with more strategies.
fn mochi(temperature: f64, [n, pairs, query_mixes]: [usize; 3], extra: Vec<Strategy>) -> Objective {
    let mut objective = Objective::mochi(temperature, n, pairs, query_mixes);
    objective.strategies.extend(extra);
    objective
}

fn strategies() -> impl Generator<Value = Vec<Strategy>> {
    let all = vec![
        configured("extrapolate", &[("s", 7.0), ("max", 1.5)]),
        configured("noise", &[("s", 5.0), ("sigma", 0.05)]),
        configured("perturb", &[("s", 6.0), ("delta", 0.05)]),
        configured("adversarial", &[("s", 4.0), ("eta", 0.05)]),
        configured("repeat", &[("s", 9.0)]),
        configured("weight", &[("w", 0.7)]),
    ];
    subsequence(all, 0..=6)
}

fn filters() -> impl Generator<Value = Vec<Filter>> {
    let all = vec![
        configured("same-image", &[]),
        configured("class-oracle", &[]),
        configured("margin", &[("m", 0.05)]),
        configured("percentage", &[("p", 0.95)]),
        configured("ring", &[("from", 0.1), ("to", 0.8)]),
    ];
    subsequence(all, 0..=5)
}

fn losses() -> impl Generator<Value = LossVariant> {
    select(vec![
        configured("info-nce", &[]),
        configured("decoupled", &[]),
        configured("debiased", &[("c", 0.02)]),
        configured("hcl", &[("beta", 1.0), ("c", 0.02)]),
        configured("hcl", &[("beta", 0.3), ("c", 0.0)]),
    ])
}

/// Everything that a context may hold, for B queries and K columns.
struct Facts {
    images: (Vec<i64>, Vec<i64>),
    labels: (Vec<i64>, Vec<i64>),
    positive_indices: Vec<u32>,
    weights: Vec<f64>,
    positive: Vec<Affine>,
}

impl Facts {
    fn new(b: usize, k: usize) -> Self {
        let numbers = |n: usize, of: i64, by: i64| (0..to_i64(n)).map(|i| i * by % of - 1).collect::<Vec<i64>>();
        let indices =
            |row: usize| [(row * 5 % k) as u32, if row.is_multiple_of(2) { Context::NO_INDEX } else { (k - 1) as u32 }];
        Self {
            images: (numbers(b, 23, 3), numbers(k, 23, 7)),
            labels: (numbers(b, 6, 1), numbers(k, 6, 5)),
            positive_indices: (0..b).flat_map(indices).collect(),
            weights: (0..b).map(|i| 0.1 + 0.3 * i as f64).collect(),
            positive: (0..b).map(|i| Affine { offset: 0.02 * i as f64, slope: 1.0 - 0.05 * i as f64 }).collect(),
        }
    }

    fn context(&self, whole: bool) -> Context<'_> {
        Context {
            draws: KEY,
            queries: SampleMetadata { images: Some(&self.images.0), labels: Some(&self.labels.0) },
            candidates: SampleMetadata { images: Some(&self.images.1), labels: Some(&self.labels.1) },
            positive_indices: if whole { &self.positive_indices } else { &[] },
            weights: whole.then_some(self.weights.as_slice()),
            positive: whole.then_some(self.positive.as_slice()),
            samples: &[],
        }
    }
}

/// (query, key, candidate keys) in float64, keys near their queries.
fn rows(b: usize, k: usize, d: usize, seed: f64) -> [Tensor; 3] {
    let query = unit_rows(b, d, seed);
    let near = &query * 0.7 + unit_rows(b, d, seed + 1.0) * 0.5;
    let key = &near / near.norm_scalaropt_dim(2, [1i64].as_slice(), true);
    [query, key, unit_rows(k, d, seed + 2.0)]
}

fn single(rows: &[Tensor; 3], objective: &Objective, context: &Context) -> Result<Loss, ContrastError> {
    let [q, k, n] = rows.each_ref().map(|t| t.to_kind(Kind::Float));
    info_nce(&q, &k, &n, objective, context)
}

fn double(rows: &[Tensor; 3], objective: &Objective, context: &Context) -> Result<Loss, ContrastError> {
    info_nce(&rows[0], &rows[1], &rows[2], objective, context)
}

fn off(a: &Tensor, b: &Tensor) -> f64 {
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// Whether a synthetic negative is as similar to its query as the hardest of `k` real ones, up to float32's rounding: a pair mixed with a
/// coefficient near 1 is its parent. `cosines` (B, 1 + k + synthetic).
fn synthetic_ties_with_hardest(cosines: &Tensor, k: usize) -> bool {
    let synthetic = cosines.size()[1] - 1 - to_i64(k);
    let hardest = cosines.narrow(1, 1, to_i64(k)).amax([1i64].as_slice(), true);
    synthetic > 0 && (cosines.narrow(1, 1 + to_i64(k), synthetic) - hardest).abs().min().double_value(&[]) < 1e-6
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn every_combination_equals_explicit_synthesis(
        (b, k, d) in (1usize..7, 12usize..150, 3usize..40),
        (n, s, s_query) in (1usize..60, 0usize..12, 0usize..12),
        extra in strategies(),
        filters in filters(),
        loss in losses(),
        (whole, options) in any::<(bool, bool)>(),
        t in 0.1f64..1.0,
        seed in 0.0f64..100.0,
    ) {
        let mut objective = Objective { filters, loss, ..mochi(t, [n, s, s_query], extra) };
        if options {
            let (s, s_query) = (s as f64, s_query as f64);
            objective.strategies[0] = configured("pair-mixing", &[("s", s), ("p", 0.5), ("low", 0.1), ("distinct", 1.0)]);
            objective.strategies[1] = configured("query-mixing", &[("s", s_query), ("high", 0.8), ("query_gradient", 1.0)]);
        }
        let (facts, rows) = (Facts::new(b, k), rows(b, k, d, seed));
        let context = facts.context(whole);
        let wide = double(&rows, &objective, &context).unwrap();
        let leaf = rows[0].copy().set_requires_grad(true);
        let (explicit, logits) = oracle::info_nce(&leaf, &rows[1], &rows[2], &objective, &context).unwrap();
        let tied = synthetic_ties_with_hardest(&(logits.detach() * t), k);
        explicit.backward();
        let gradient = leaf.grad();
        // Where no query has a negative, autograd has no gradient.
        let gradient = if gradient.defined() { gradient } else { leaf.zeros_like() };
        let value = explicit.double_value(&[]);
        prop_assert!((wide.value - value).abs() < 1e-10 * (1.0 + value.abs()), "loss {} against {value}", wide.value);
        prop_assert!(off(&wide.gradient, &gradient) * t < 1e-10, "gradient off by {:e}", off(&wide.gradient, &gradient));

        // What is subtracted from the sum of debiased negatives, up to M c of the positive, loses its digits.
        let lost = 1.0 + loss.class_prior.unwrap_or(0.0) * (k + 100) as f64;
        let fused = single(&rows, &objective, &context).unwrap();
        prop_assert!((fused.value - value).abs() < 1e-5 * lost * (1.0 + value.abs()), "loss {} against {value}", fused.value);
        prop_assert!(off(&fused.gradient, &gradient) * t < 5e-6 * lost, "gradient off by {:e}", off(&fused.gradient, &gradient));
        prop_assert_eq!(fused.fewer_hard_negatives, wide.fewer_hard_negatives);
        prop_assert!((fused.chance - wide.chance).abs() < 1e-9, "chance level {} against {}", fused.chance, wide.chance);
        prop_assert!((fused.measures.without_negatives - wide.measures.without_negatives).abs() < 1e-12);
        let near = |a: Option<f64>, b: Option<f64>| a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-5;
        let Measures { hardest, pair, query_mix, synthetic_harder, .. } = fused.measures;
        prop_assert!(near(hardest, wide.measures.hardest) && near(pair, wide.measures.pair) && near(query_mix, wide.measures.query_mix));
        // Rounding decides whether a synthetic negative that equals the hardest real one is harder.
        prop_assert!(tied || near(synthetic_harder, wide.measures.synthetic_harder), "{synthetic_harder:?} {:?}", wide.measures.synthetic_harder);
        let (ours, theirs) = (fused.measures.effective_negatives, wide.measures.effective_negatives);
        prop_assert!((ours - theirs).abs() <= 1e-4 * theirs);
    }

    #[test]
    fn parts_of_a_batch_add_up_to_the_whole(
        extra in strategies(),
        filters in filters(),
        loss in losses(),
        seed in 0.0f64..100.0,
    ) {
        let objective = Objective { filters, loss, ..mochi(0.2, [20, 9, 7], extra) };
        let (facts, rows) = (Facts::new(6, 90), rows(6, 90, 16, seed));
        let context = facts.context(true);
        let whole = single(&rows, &objective, &context).unwrap();
        let mut value = 0.0;
        let mut parts = Vec::new();
        for from in [0usize, 2] {
            let count = if from == 0 { 2 } else { 4 };
            let part = |t: &Tensor| t.narrow(0, to_i64(from), to_i64(count));
            let slice = from..from + count;
            let context = Context {
                draws: DrawKey { first_row: from as u32, ..KEY },
                queries: SampleMetadata { images: Some(&facts.images.0[slice.clone()]), labels: Some(&facts.labels.0[slice.clone()]) },
                positive_indices: &facts.positive_indices[2 * from..2 * (from + count)],
                weights: Some(&facts.weights[slice.clone()]),
                positive: Some(&facts.positive[slice]),
                ..context
            };
            let loss = single(&[part(&rows[0]), part(&rows[1]), rows[2].shallow_clone()], &objective, &context).unwrap();
            value += loss.value;
            parts.push(loss.gradient);
        }
        prop_assert!((whole.value - value).abs() < 1e-5 * (1.0 + value.abs()));
        prop_assert!(off(&whole.gradient, &Tensor::cat(&parts, 0)) < 1e-4);
    }

    #[test]
    fn excluded_keys_are_as_if_they_did_not_exist(extra in strategies(), loss in losses(), seed in 0.0f64..100.0, first in 1usize..40) {
        // The keys from `first` on are positives: the loss is that of the keys before them.
        let objective = Objective { loss, ..mochi(0.2, [30, 9, 7], extra) };
        let [query, key, columns] = rows(1, 60, 12, seed);
        let own: Vec<u32> = (first as u32..60).collect();
        let excluded = Context { draws: KEY, positive_indices: &own, ..Context::default() };
        let fewer = [query.shallow_clone(), key.shallow_clone(), columns.narrow(0, 0, to_i64(first))];
        for run in [single, double] {
            let with = run(&[query.shallow_clone(), key.shallow_clone(), columns.shallow_clone()], &objective, &excluded).unwrap();
            let without = run(&fewer, &objective, &Context { draws: KEY, ..Context::default() }).unwrap();
            prop_assert!((with.value - without.value).abs() < 2e-6, "{} {}", with.value, without.value);
            prop_assert!(off(&with.gradient, &without.gradient) < 2e-5);
            prop_assert_eq!(with.fewer_hard_negatives, (first < 30).then_some(first));
            prop_assert!((with.chance - without.chance).abs() < 1e-12);
        }
    }
}

#[test]
fn permuting_the_batch_permutes_the_result_and_nothing_else() {
    // Strategies that draw travel with their place in the batch; weighted ones do not draw.
    let filters = vec![
        configured("same-image", &[]),
        configured("class-oracle", &[]),
        configured("margin", &[("m", 0.05)]),
        configured("ring", &[("from", 0.1), ("to", 0.8)]),
    ];
    let extra = vec![configured("weight", &[("w", 1.5)])];
    let loss = configured("hcl", &[("beta", 1.0), ("c", 0.02)]);
    let objective = Objective { filters, loss, ..mochi(0.2, [20, 0, 0], extra) };
    let (facts, rows) = (Facts::new(5, 120), rows(5, 120, 16, 7.0));
    let order = [3usize, 0, 4, 2, 1];
    let index = Tensor::from_slice(&order.map(to_i64));
    let take = |v: &[i64]| order.iter().map(|&at| v[at]).collect::<Vec<_>>();
    let permuted = Facts {
        images: (take(&facts.images.0), facts.images.1.clone()),
        labels: (take(&facts.labels.0), facts.labels.1.clone()),
        positive_indices: order.iter().flat_map(|&at| facts.positive_indices[2 * at..2 * at + 2].to_vec()).collect(),
        weights: order.iter().map(|&at| facts.weights[at]).collect(),
        positive: order.iter().map(|&at| facts.positive[at]).collect(),
    };
    let one = double(&rows, &objective, &facts.context(true)).unwrap();
    let shuffled = [rows[0].index_select(0, &index), rows[1].index_select(0, &index), rows[2].shallow_clone()];
    let other = double(&shuffled, &objective, &permuted.context(true)).unwrap();
    assert!((one.value - other.value).abs() < 1e-12);
    assert!(off(&other.gradient, &one.gradient.index_select(0, &index)) < 1e-12);
    let one = single(&rows, &objective, &facts.context(true)).unwrap();
    let other = single(&shuffled, &objective, &permuted.context(true)).unwrap();
    assert!(off(&other.gradient, &one.gradient.index_select(0, &index)) < 1e-5);
}

#[test]
fn the_host_waits_for_a_device_once() {
    let facts = Facts::new(5, 60);
    let extra = vec![
        configured("extrapolate", &[("s", 3.0), ("max", 1.5)]),
        configured("noise", &[("s", 2.0), ("sigma", 0.1)]),
        configured("perturb", &[("s", 2.0), ("delta", 0.1)]),
        configured("adversarial", &[("s", 2.0), ("eta", 0.1)]),
        configured("repeat", &[("s", 2.0)]),
        configured("weight", &[("w", 0.5)]),
    ];
    let filters = vec![
        configured("same-image", &[]),
        configured("class-oracle", &[]),
        configured("margin", &[("m", 0.5)]),
        configured("ring", &[("from", 0.1), ("to", 0.9)]),
    ];
    for loss in [
        configured("info-nce", &[]),
        configured("decoupled", &[]),
        configured("debiased", &[("c", 0.1)]),
        configured("hcl", &[("beta", 0.5), ("c", 0.1)]),
    ] {
        let objective = Objective { filters: filters.clone(), loss, ..mochi(0.2, [8, 6, 4], extra.clone()) };
        // In float64 it takes the path of devices; what comes at its end, all at once, is no call of these.
        let [query, key, columns] = rows(5, 60, 12, 1.0);
        let run = || info_nce(&query, &key, &columns, &objective, &facts.context(true)).unwrap();
        let (loss, calls) = mochi_tensor::calls::count_calls(&mochi_tensor::calls::WAITS, run).unwrap();
        assert!(loss.value.is_finite());
        assert_eq!(calls, 0, "{}", objective.loss.name);
    }
}

#[test]
fn turning_one_off_removes_exactly_its_logits() {
    let [query, key, columns] = rows(4, 100, 16, 1.0);
    let all: [Strategy; 6] = [
        configured("extrapolate", &[("s", 3.0), ("max", 1.5)]),
        configured("noise", &[("s", 4.0), ("sigma", 0.01)]),
        configured("perturb", &[("s", 5.0), ("delta", 0.01)]),
        configured("adversarial", &[("s", 6.0), ("eta", 0.01)]),
        configured("repeat", &[("s", 7.0)]),
        configured("weight", &[("w", 1.0)]),
    ];
    let lengths = [3i64, 4, 5, 6, 7, 20];
    let logits = |extra: Vec<Strategy>| {
        let objective = mochi(0.2, [20, 8, 9], extra);
        let context = Context { draws: KEY, ..Context::default() };
        crate::evaluate(&query, &key, &columns, &objective, &context).unwrap().logits
    };
    let whole = logits(all.to_vec());
    assert_eq!(whole.size(), [4, 1 + 100 + 17 + 45]);
    for off in 0..all.len() {
        let mut kept = all.to_vec();
        kept.remove(off);
        let start = 118 + lengths[..off].iter().sum::<i64>();
        let end = start + lengths[off];
        let wanted = Tensor::cat(&[whole.i((.., ..start)), whole.i((.., end..))], 1);
        assert!(logits(kept).equal(&wanted), "{:?}", all[off]);
    }
}

#[test]
fn the_defaults_change_no_bit() {
    let rows = rows(8, 400, 32, 3.0);
    let objective = mochi(0.2, [64, 50, 25], Vec::new());
    let plain = single(&rows, &objective, &Context { draws: KEY, ..Context::default() }).unwrap();
    // Nothing asked for, everything known: the same numbers.
    let facts = Facts::new(8, 400);
    let off = mochi(0.2, [64, 50, 25], vec![configured("weight", &[("w", 0.0)]), configured("noise", &[("s", 0.0)])]);
    let known = single(&rows, &off, &facts.context(false)).unwrap();
    assert_eq!(plain.value.to_bits(), known.value.to_bits());
    assert!(plain.gradient.equal(&known.gradient));
    assert_eq!(plain.measures, known.measures);
    let same = vec![Affine { offset: 0.0, slope: 1.0 }; 8];
    let weights = vec![1.0 / 8.0; 8];
    let context = Context { draws: KEY, positive: Some(&same), weights: Some(&weights), ..Context::default() };
    let said = single(&rows, &off, &context).unwrap();
    assert_eq!(plain.value.to_bits(), said.value.to_bits());
    assert!(plain.gradient.equal(&said.gradient));
}

#[test]
fn a8_a_query_without_negatives_contributes_nothing() {
    // Every key is excluded for the first query, none for the others.
    let rows = rows(4, 60, 8, 4.0);
    let all: Vec<u32> = (0..60).collect();
    let none = vec![Context::NO_INDEX; 60];
    let indices: Vec<u32> = [&all, &none, &none, &none].into_iter().flatten().copied().collect();
    for loss in mochi_contrast_core::LOSSES.iter().map(|spec| spec.defaults().build()) {
        let every = mochi_contrast_core::STRATEGIES.iter().map(|spec| spec.defaults().build()).collect();
        let objective = Objective { loss, strategies: every, ..mochi(0.2, [10, 0, 0], Vec::new()) };
        let context = Context { draws: KEY, positive_indices: &indices, ..Context::default() };
        let rest = Context { draws: KEY.from_row(1), ..Context::default() };
        let others = [rows[0].narrow(0, 1, 3), rows[1].narrow(0, 1, 3), rows[2].shallow_clone()];
        for run in [single, double] {
            let with = run(&rows, &objective, &context).unwrap();
            let without = run(&others, &objective, &rest).unwrap();
            assert!((with.value - 0.75 * without.value).abs() < 1e-5 * (1.0 + without.value), "{}", loss.name);
            assert!((with.chance - 0.75 * without.chance).abs() < 1e-9);
            assert_eq!(with.gradient.get(0).abs().max().double_value(&[]), 0.0);
            assert!(off(&with.gradient.narrow(0, 1, 3), &(without.gradient * 0.75)) < 1e-4);
            assert_eq!((with.measures.without_negatives, with.fewer_hard_negatives), (0.25, Some(0)));
            assert!((with.measures.effective_negatives - without.measures.effective_negatives).abs() < 1e-3);
        }
    }
    // Every query of the batch: no loss, no gradient, no error.
    let objective =
        Objective { filters: vec![configured("margin", &[("m", 2.0)])], ..mochi(0.2, [10, 5, 5], Vec::new()) };
    for run in [single, double] {
        let loss = run(&rows, &objective, &Context { draws: KEY, ..Context::default() }).unwrap();
        assert_eq!((loss.value, loss.chance, loss.measures.without_negatives), (0.0, 0.0, 1.0));
        assert_eq!(loss.gradient.abs().max().double_value(&[]), 0.0);
    }
}

#[test]
fn b1_equal_embeddings_have_the_chance_level_under_every_filter() {
    let one = Tensor::from_slice(&[0.6f64, 0.8]).view([1, 2]);
    let rows = [one.repeat([6, 1]), one.repeat([6, 1]), one.repeat([90, 1])];
    let facts = Facts::new(6, 90);
    let every: Vec<Vec<Filter>> =
        mochi_contrast_core::FILTERS.iter().map(|spec| vec![spec.defaults().build()]).collect();
    let strategies: Vec<Strategy> = vec![configured("repeat", &[("s", 9.0)]), configured("weight", &[("w", 0.7)])];
    for filters in [vec![Vec::new()], every].concat() {
        for loss in mochi_contrast_core::LOSSES.iter().map(|spec| spec.defaults().build()) {
            let objective = Objective { filters: filters.clone(), loss, ..mochi(0.2, [20, 5, 7], strategies.clone()) };
            for whole in [false, true] {
                let context = Context { positive: None, ..facts.context(whole) };
                for (wide, bound) in [(false, 1e-4), (true, 1e-9)] {
                    let run =
                        if wide { double(&rows, &objective, &context) } else { single(&rows, &objective, &context) };
                    let loss = run.unwrap();
                    let name = filters.first().map_or("none", |filter| filter.name);
                    assert!(
                        (loss.value - loss.chance).abs() < bound,
                        "{name}, {}: {} {}",
                        objective.loss.name,
                        loss.value,
                        loss.chance
                    );
                }
            }
        }
    }
}

#[test]
fn h6_7_explicit_samples_of_a_row_with_few_negatives_are_the_same_on_both_paths() {
    let rows = rows(3, 40, 8, 2.0);
    let own: Vec<u32> =
        (0..3).flat_map(|row| (0..36).map(move |key| if row == 1 { key } else { Context::NO_INDEX })).collect();
    let samples = [crate::ExplicitSamples {
        purpose: mochi_contrast_core::strategies::pair_mixing::PURPOSE,
        first: (0..15).map(|i| i % 10).collect(),
        second: (0..15).map(|i| (i * 3 + 1) % 10).collect(),
        coefficient: (0..15).map(|i| f64::from(i) / 15.0).collect(),
    }];
    let context = Context { positive_indices: &own, samples: &samples, ..Context::default() };
    let objective = mochi(0.2, [10, 5, 0], Vec::new());
    let (fused, wide) = (single(&rows, &objective, &context).unwrap(), double(&rows, &objective, &context).unwrap());
    assert_eq!((fused.fewer_hard_negatives, wide.fewer_hard_negatives), (Some(4), Some(4)));
    assert!((fused.value - wide.value).abs() < 1e-5 && off(&fused.gradient, &wide.gradient) < 1e-5);
}

#[test]
fn bad_input_is_a_typed_error() {
    let rows = rows(2, 50, 8, 4.0);
    let plain = Objective::mochi(0.2, 10, 5, 5);
    let run = |objective: &Objective, context: &Context| single(&rows, objective, context).unwrap_err();
    let filtered = Objective { filters: vec![configured("same-image", &[])], ..plain.clone() };
    let error = run(&filtered, &Context::default());
    assert_eq!(error.to_string(), "the filter same-image needs the images of queries and candidate keys");
    for context in [
        Context { weights: Some(&[1.0]), ..Context::default() },
        Context { positive_indices: &[1, 2, 3], ..Context::default() },
        Context { positive_indices: &[50, 0], ..Context::default() },
        Context { candidates: SampleMetadata { labels: Some(&[1]), images: None }, ..Context::default() },
    ] {
        assert!(matches!(run(&plain, &context), ContrastError::Input(CoreError::Shape(_))));
    }
    let context = Context { weights: Some(&[f64::NAN, 0.0]), ..Context::default() };
    assert!(matches!(run(&plain, &context), ContrastError::Input(CoreError::Value { .. })));
}
