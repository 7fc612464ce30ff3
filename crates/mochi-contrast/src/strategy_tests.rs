//! Every strategy, guard and form, in any company: kernel and tensor path against explicit synthesis and autograd, and the laws they keep.

use super::*;
use crate::measures::Measures;
use crate::queue::to_i64;
use crate::{Affine, Coefficient, DrawKey, Form, Guard, Known, Synthesis, Term, materialised};
use mochi_tensor::IndexOp;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const KEY: DrawKey = DrawKey { seed: 4, step: 9, purpose: 0, direction: 1, first_row: 0 };

fn unit_rows(n: usize, d: usize, seed: f64) -> Tensor {
    let values =
        ((Tensor::arange(to_i64(n * d), (Kind::Double, Device::Cpu)) * 78.233 + seed).sin() * 43758.5453).frac();
    let rows = values.view([to_i64(n), to_i64(d)]) - 0.5;
    &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
}

fn terms() -> impl Strategy<Value = Vec<Term>> {
    let all = vec![
        Term::Extrapolate { s: 7, max: 1.5 },
        Term::Noise { s: 5, sigma: 0.05 },
        Term::Perturb { s: 6, delta: 0.05 },
        Term::Adversarial { s: 4, eta: 0.05 },
        Term::Repeat { s: 9 },
        Term::Weight { w: 0.7 },
    ];
    subsequence(all, 0..=6)
}

fn guards() -> impl Strategy<Value = Vec<Guard>> {
    let all = vec![
        Guard::SameImage,
        Guard::ClassOracle,
        Guard::Margin(0.05),
        Guard::Percentage(0.95),
        Guard::Ring { from: 0.1, to: 0.8 },
    ];
    subsequence(all, 0..=5)
}

fn forms() -> impl Strategy<Value = Form> {
    select(vec![
        Form::InfoNce,
        Form::Decoupled,
        Form::Debiased { c: 0.02 },
        Form::Hcl { beta: 1.0, c: 0.02 },
        Form::Hcl { beta: 0.3, c: 0.0 },
    ])
}

/// Everything that a context may hold, for B queries and K columns.
struct Facts {
    images: (Vec<i64>, Vec<i64>),
    labels: (Vec<i64>, Vec<i64>),
    own: Vec<u32>,
    weights: Vec<f64>,
    positive: Vec<Affine>,
}

impl Facts {
    fn new(b: usize, k: usize) -> Self {
        let numbers = |n: usize, of: i64, by: i64| (0..to_i64(n)).map(|i| i * by % of - 1).collect::<Vec<i64>>();
        let own = |row: usize| {
            [(row * 5 % k) as u32, if row.is_multiple_of(2) { Context::NO_COLUMN } else { (k - 1) as u32 }]
        };
        Self {
            images: (numbers(b, 23, 3), numbers(k, 23, 7)),
            labels: (numbers(b, 6, 1), numbers(k, 6, 5)),
            own: (0..b).flat_map(own).collect(),
            weights: (0..b).map(|i| 0.1 + 0.3 * i as f64).collect(),
            positive: (0..b).map(|i| Affine { offset: 0.02 * i as f64, slope: 1.0 - 0.05 * i as f64 }).collect(),
        }
    }

    fn context(&self, whole: bool) -> Context<'_> {
        Context {
            draws: KEY,
            queries: Known { images: Some(&self.images.0), labels: Some(&self.labels.0) },
            columns: Known { images: Some(&self.images.1), labels: Some(&self.labels.1) },
            own: if whole { &self.own } else { &[] },
            weights: whole.then_some(self.weights.as_slice()),
            positive: whole.then_some(self.positive.as_slice()),
            points: None,
        }
    }
}

/// (query, key, columns) in float64, keys near their queries.
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn every_company_equals_explicit_synthesis(
        (b, k, d) in (1usize..7, 12usize..150, 3usize..40),
        (n, s, s_query) in (1usize..60, 0usize..12, 0usize..12),
        also in terms(),
        guards in guards(),
        form in forms(),
        (whole, inner) in (any::<bool>(), any::<bool>()),
        t in 0.1f64..1.0,
        seed in 0.0f64..100.0,
    ) {
        let synthesis = Synthesis { query_gradient: inner, ..Synthesis::paper(n, s, s_query) };
        let objective = Objective { also, guards, form, ..Objective::mochi(t, synthesis) };
        let (facts, rows) = (Facts::new(b, k), rows(b, k, d, seed));
        let context = facts.context(whole);
        let wide = match double(&rows, &objective, &context) {
            Ok(loss) => loss,
            Err(ContrastError::AllMasked { row, .. }) => {
                let same = matches!(single(&rows, &objective, &context), Err(ContrastError::AllMasked { row: r, .. }) if r == row);
                prop_assert!(same);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let leaf = rows[0].copy().set_requires_grad(true);
        let (loss, _) = materialised::info_nce(&leaf, &rows[1], &rows[2], &objective, &context).unwrap();
        loss.backward();
        let (value, gradient) = (loss.double_value(&[]), leaf.grad());
        prop_assert!((wide.value - value).abs() < 1e-10 * (1.0 + value.abs()), "loss {} against {value}", wide.value);
        prop_assert!(off(&wide.gradient, &gradient) * t < 1e-10, "gradient off by {:e}", off(&wide.gradient, &gradient));

        // What is subtracted from the sum of debiased negatives, up to M c of the positive, loses its digits.
        let lost = match form {
            Form::Debiased { c } | Form::Hcl { c, .. } => 1.0 + c * (k + 100) as f64,
            _ => 1.0,
        };
        let fused = single(&rows, &objective, &context).unwrap();
        prop_assert!((fused.value - value).abs() < 1e-5 * lost * (1.0 + value.abs()), "loss {} against {value}", fused.value);
        prop_assert!(off(&fused.gradient, &gradient) * t < 5e-6 * lost, "gradient off by {:e}", off(&fused.gradient, &gradient));
        prop_assert_eq!(fused.clamped, wide.clamped);
        let near = |a: Option<f64>, b: Option<f64>| a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-5;
        let Measures { hardest, pair, query_mix, synthetic_harder, .. } = fused.measures;
        prop_assert!(near(hardest, wide.measures.hardest) && near(pair, wide.measures.pair) && near(query_mix, wide.measures.query_mix));
        prop_assert!(near(synthetic_harder, wide.measures.synthetic_harder), "{synthetic_harder:?} {:?}", wide.measures.synthetic_harder);
        prop_assert!((fused.measures.effective_negatives / wide.measures.effective_negatives - 1.0).abs() < 1e-4);
    }

    #[test]
    fn a_split_batch_is_the_whole_one_and_threads_change_no_bit(
        also in terms(),
        guards in guards(),
        form in forms(),
        seed in 0.0f64..100.0,
    ) {
        let objective = Objective { also, guards, form, ..Objective::mochi(0.2, Synthesis::paper(20, 9, 7)) };
        let (facts, rows) = (Facts::new(6, 90), rows(6, 90, 16, seed));
        let context = facts.context(true);
        let Ok(whole) = single(&rows, &objective, &context) else { return Ok(()) };
        let mut value = 0.0;
        let mut parts = Vec::new();
        for from in [0usize, 2] {
            let count = if from == 0 { 2 } else { 4 };
            let part = |t: &Tensor| t.narrow(0, to_i64(from), to_i64(count));
            let slice = from..from + count;
            let context = Context {
                draws: DrawKey { first_row: from as u32, ..KEY },
                queries: Known { images: Some(&facts.images.0[slice.clone()]), labels: Some(&facts.labels.0[slice.clone()]) },
                own: &facts.own[2 * from..2 * (from + count)],
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
    fn masked_columns_are_as_if_they_were_not_there(also in terms(), form in forms(), seed in 0.0f64..100.0, first in 1usize..40) {
        // The columns from `first` on are the query's own: the loss is that of the columns before them.
        let objective = Objective { also, form, ..Objective::mochi(0.2, Synthesis::paper(30, 9, 7)) };
        let [query, key, columns] = rows(1, 60, 12, seed);
        let own: Vec<u32> = (first as u32..60).collect();
        let masked = Context { draws: KEY, own: &own, ..Context::default() };
        let fewer = [query.shallow_clone(), key.shallow_clone(), columns.narrow(0, 0, to_i64(first))];
        for run in [single, double] {
            let with = run(&[query.shallow_clone(), key.shallow_clone(), columns.shallow_clone()], &objective, &masked).unwrap();
            let without = run(&fewer, &objective, &Context { draws: KEY, ..Context::default() }).unwrap();
            prop_assert!((with.value - without.value).abs() < 2e-6, "{} {}", with.value, without.value);
            prop_assert!(off(&with.gradient, &without.gradient) < 2e-5);
            prop_assert_eq!(with.clamped, (first < 30).then_some(first));
        }
    }
}

#[test]
fn permuting_the_batch_permutes_the_result_and_nothing_else() {
    // Strategies that draw travel with their place in the batch; weighted ones do not draw.
    let guards = vec![Guard::SameImage, Guard::ClassOracle, Guard::Margin(0.05), Guard::Ring { from: 0.1, to: 0.8 }];
    let also = vec![Term::Weight { w: 1.5 }];
    let form = Form::Hcl { beta: 1.0, c: 0.02 };
    let objective = Objective { also, guards, form, ..Objective::mochi(0.2, Synthesis::paper(20, 0, 0)) };
    let (facts, rows) = (Facts::new(5, 120), rows(5, 120, 16, 7.0));
    let order = [3usize, 0, 4, 2, 1];
    let index = Tensor::from_slice(&order.map(to_i64));
    let take = |v: &[i64]| order.iter().map(|&at| v[at]).collect::<Vec<_>>();
    let permuted = Facts {
        images: (take(&facts.images.0), facts.images.1.clone()),
        labels: (take(&facts.labels.0), facts.labels.1.clone()),
        own: order.iter().flat_map(|&at| facts.own[2 * at..2 * at + 2].to_vec()).collect(),
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
    let also = vec![
        Term::Extrapolate { s: 3, max: 1.5 },
        Term::Noise { s: 2, sigma: 0.1 },
        Term::Perturb { s: 2, delta: 0.1 },
        Term::Adversarial { s: 2, eta: 0.1 },
        Term::Repeat { s: 2 },
        Term::Weight { w: 0.5 },
    ];
    let guards = vec![Guard::SameImage, Guard::ClassOracle, Guard::Margin(0.5), Guard::Ring { from: 0.1, to: 0.9 }];
    for form in [Form::InfoNce, Form::Decoupled, Form::Debiased { c: 0.1 }, Form::Hcl { beta: 0.5, c: 0.1 }] {
        let objective = Objective {
            also: also.clone(),
            guards: guards.clone(),
            form,
            ..Objective::mochi(0.2, Synthesis { distinct: true, ..Synthesis::paper(8, 6, 4) })
        };
        // In float64 it takes the path of devices; what comes at its end, all at once, is no call of these.
        let [query, key, columns] = rows(5, 60, 12, 1.0);
        let run = || info_nce(&query, &key, &columns, &objective, &facts.context(true)).unwrap();
        let (loss, calls) = mochi_tensor::count_calls(&mochi_tensor::WAITS, run).unwrap();
        assert!(loss.value.is_finite());
        assert_eq!(calls, 0, "{form:?}");
    }
}

#[test]
fn turning_one_off_removes_exactly_its_logits() {
    let [query, key, columns] = rows(4, 100, 16, 1.0);
    let all = [
        Term::Extrapolate { s: 3, max: 1.5 },
        Term::Noise { s: 4, sigma: 0.01 },
        Term::Perturb { s: 5, delta: 0.01 },
        Term::Adversarial { s: 6, eta: 0.01 },
        Term::Repeat { s: 7 },
        Term::Weight { w: 1.0 },
    ];
    let lengths = [3i64, 4, 5, 6, 7, 20];
    let logits = |also: Vec<Term>| {
        let objective = Objective { also, ..Objective::mochi(0.2, Synthesis::paper(20, 8, 9)) };
        let context = Context { draws: KEY, ..Context::default() };
        tensor_path::evaluate(&query, &key, &columns, &objective, &context).unwrap().logits
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
    let synthesis = Synthesis { alpha: Coefficient::Uniform { high: 1.0 }, ..Synthesis::paper(64, 50, 25) };
    let objective = Objective::mochi(0.2, synthesis);
    let plain = single(&rows, &objective, &Context { draws: KEY, ..Context::default() }).unwrap();
    // Nothing asked for, everything known: the same numbers.
    let facts = Facts::new(8, 400);
    let off = Objective { also: vec![Term::Weight { w: 0.0 }, Term::Noise { s: 0, sigma: 0.01 }], ..objective };
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
fn bad_input_is_a_typed_error() {
    let rows = rows(2, 50, 8, 4.0);
    let plain = Objective::mochi(0.2, Synthesis::paper(10, 5, 5));
    let facts = Facts::new(2, 50);
    let run = |objective: &Objective, context: &Context| single(&rows, objective, context).unwrap_err();
    let guarded = |guard| Objective { guards: vec![guard], ..plain.clone() };
    let error = run(&guarded(Guard::Margin(5.0)), &facts.context(false));
    assert_eq!(error.to_string(), "all columns are masked for query 0 at step 9 by margin");
    let error = run(&guarded(Guard::SameImage), &Context::default());
    assert!(matches!(error, ContrastError::Unknown { guard: "same-image", what: "images" }));
    let error = run(&guarded(Guard::Ring { from: 0.5, to: 0.5 }), &facts.context(false));
    assert!(matches!(error, ContrastError::Option { option: "negatives.filters", .. }));
    let twice = Objective { also: vec![Term::Repeat { s: 1 }, Term::Repeat { s: 2 }], ..plain.clone() };
    assert!(matches!(run(&twice, &facts.context(false)), ContrastError::Option { option: "negatives.extra", .. }));
    let form = Objective { form: Form::Debiased { c: 1.0 }, ..plain.clone() };
    assert!(matches!(run(&form, &facts.context(false)), ContrastError::Option { option: "moco.loss", .. }));
    for context in [
        Context { weights: Some(&[1.0]), ..Context::default() },
        Context { own: &[1, 2, 3], ..Context::default() },
        Context { own: &[50, 0], ..Context::default() },
        Context { columns: Known { labels: Some(&[1]), images: None }, ..Context::default() },
    ] {
        assert!(matches!(run(&plain, &context), ContrastError::Shape(_)));
    }
    let context = Context { weights: Some(&[f64::NAN, 0.0]), ..Context::default() };
    assert!(matches!(run(&plain, &context), ContrastError::LossNotFinite { .. }));
}
