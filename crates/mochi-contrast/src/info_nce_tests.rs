//! The closed form against explicit synthesis, and properties of a loss over a queue.

use super::*;
use crate::queue::to_i64;
use crate::{DrawKey, ExplicitSamples, Queue, SampleMetadata, oracle};
use mochi_contrast_core::draws::Samples;
use mochi_contrast_core::strategies::{pair_mixing, query_mixing};
use proptest::prelude::*;

const KEY: DrawKey = DrawKey { seed: 11, step: 5, purpose: 0, direction: 0, first_row: 0 };

fn unit_rows(n: usize, d: usize, seed: f64, kind: Kind) -> Tensor {
    let count = to_i64(n * d);
    let values = ((Tensor::arange(count, (Kind::Double, Device::Cpu)) * 78.233 + seed).sin() * 43758.5453).frac();
    let rows = values.view([to_i64(n), to_i64(d)]);
    (&rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)).to_kind(kind)
}

/// (query, key, queue) on the sphere; keys lie near their queries, as in training.
fn embeddings(b: usize, k: usize, d: usize, seed: f64, kind: Kind) -> (Tensor, Tensor, Queue) {
    let query = unit_rows(b, d, seed, kind);
    let near = &query * 0.7 + unit_rows(b, d, seed + 1.0, kind) * 0.5;
    let key = &near / near.norm_scalaropt_dim(2, [1i64].as_slice(), true);
    let mut queue = Queue::new(k, d, Device::Cpu).unwrap();
    queue.enqueue(&unit_rows(k, d, seed + 2.0, Kind::Float), SampleMetadata::default()).unwrap();
    (query, key, queue)
}

fn error(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    ((&a - &b).abs().max() / b.abs().max().clamp_min(1e-30)).double_value(&[])
}

/// A plain context with the tests' draws.
fn context<'a>() -> Context<'a> {
    Context { draws: KEY, ..Context::default() }
}

/// Autograd through explicit synthesis: (loss, gradient), in the type of `query`.
fn explicit(query: &Tensor, key: &Tensor, queue: &Tensor, objective: &Objective) -> (f64, Tensor) {
    let leaf = query.detach().copy().set_requires_grad(true);
    let (loss, _) = oracle::info_nce(&leaf, key, queue, objective, &context()).unwrap();
    loss.backward();
    (loss.double_value(&[]), leaf.grad())
}

/// The draws of MoCHi's two strategies as explicit samples.
fn drawn(objective: &Objective, batch: usize) -> Vec<ExplicitSamples> {
    let of = |strategy: &crate::Strategy| {
        let mut samples = Samples::default();
        for row in 0..batch {
            samples.draw(strategy, &context(), row, objective.hard_negatives);
        }
        let second = if strategy.has_two_parents() { samples.second } else { Vec::new() };
        ExplicitSamples { purpose: strategy.purpose, first: samples.first, second, coefficient: samples.coefficient }
    };
    objective.strategies.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn both_paths_equal_explicit_synthesis(
        (b, k, d) in (1usize..9, 2usize..300, 2usize..70),
        (n, s, s_query) in (1usize..400, 0usize..60, 0usize..60),
        t in 0.05f64..1.0,
        seed in 0.0f64..100.0,
    ) {
        let (query, key, queue) = embeddings(b, k, d, seed, Kind::Float);
        let objective = Objective::mochi(t, n, s, s_query);
        let fused = info_nce(&query, &key, queue.rows(), &objective, &context()).unwrap();

        let double = |x: &Tensor| x.to_kind(Kind::Double);
        // The closed form takes rows for unit rows: in float64 they must be so to float64's digits.
        let unit = |x: &Tensor| double(x) / double(x).norm_scalaropt_dim(2, [1i64].as_slice(), true);
        let (query, key, rows) = (unit(&query), unit(&key), unit(queue.rows()));
        // Parents are drawn by rank: keys whose cosines differ by less than float32 resolves may change places in it.
        let (sorted, _) = query.matmul(&rows.tr()).sort(1, false);
        prop_assume!(sorted.diff(1, 1, None::<Tensor>, None::<Tensor>).min().double_value(&[]) > 1e-6);
        let (value, gradient) = explicit(&query, &key, &rows, &objective);
        // float32 kernel against float64 truth.
        prop_assert!((fused.value - value).abs() < 1e-5 * (1.0 + value.abs()), "loss {} against {value}", fused.value);
        // Gradients are told in their natural unit 1/(B t), in which a probability's error shows as it is: where the positive's probability
        // is nearly 1, autograd's own p - 1 has no more digits than that.
        let off = |ours: &Tensor| (ours.to_kind(Kind::Double) - &gradient).abs().max().double_value(&[]) * t * b as f64;
        prop_assert!(off(&fused.gradient) < 5e-6, "gradient off by {:e}", off(&fused.gradient));

        // The tensor path in float64 is exact to rounding, and in float32 measures what the kernel measures.
        let wide = no_grad(|| device::loss(&query, &key, &rows, &objective, &context()).unwrap());
        prop_assert!((wide.value - value).abs() < 1e-12 * (1.0 + value.abs()));
        prop_assert!(off(&wide.gradient) < 1e-13, "float64 gradient off by {:e}", off(&wide.gradient));
        let (a, b) = (fused.measures, wide.measures);
        prop_assert!((a.effective_negatives / b.effective_negatives - 1.0).abs() < 1e-4);
        if s + s_query > 0 {
            prop_assert!((a.hardest.unwrap() - b.hardest.unwrap()).abs() < 1e-5);
            prop_assert!((a.positive - b.positive).abs() < 1e-5);
            prop_assert_eq!(a.pair.is_some(), s > 0);
            prop_assert_eq!(a.query_mix.is_some(), s_query > 0);
            for (x, y) in [(a.pair, b.pair), (a.query_mix, b.query_mix), (a.synthetic_harder, b.synthetic_harder)] {
                prop_assert!((x.unwrap_or(0.0) - y.unwrap_or(0.0)).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn a_perfect_encoder_reaches_the_analytic_minimum() {
    // Queries equal their keys, every negative opposite: loss = ln(1 + K e^{-2/t}). Keys among the negatives would hold it above ln 2.
    let query = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]);
    let mut queue = Queue::new(16, 2, Device::Cpu).unwrap();
    queue
        .enqueue(&Tensor::from_slice(&[-1.0f32, 0.0]).view([1, 2]).repeat([16, 1]), SampleMetadata::default())
        .unwrap();
    let loss = info_nce(&query, &query, queue.rows(), &Objective::plain(0.2), &context()).unwrap();
    let wanted = (1.0 + 16.0 * (-2.0f64 / 0.2).exp()).ln();
    assert!((loss.value - wanted).abs() < 1e-6, "{} against {wanted}", loss.value);
    assert_eq!(loss.measures.accuracy_real, 1.0);
}

#[test]
fn permuting_the_batch_permutes_the_gradient_and_nothing_else() {
    let (query, key, queue) = embeddings(6, 200, 16, 3.0, Kind::Float);
    let objective = Objective::mochi(0.2, 32, 20, 10);
    // Samples are drawn per position in the batch: they are given explicitly to move with the queries.
    let samples = drawn(&objective, 6);
    let order = [4usize, 2, 0, 5, 1, 3];
    let index = Tensor::from_slice(&order.map(to_i64));
    fn take<T: Copy>(order: &[usize], v: &[T]) -> Vec<T> {
        let n = v.len() / order.len();
        order.iter().flat_map(|&r| v[r * n..(r + 1) * n].to_vec()).collect()
    }
    let permuted: Vec<ExplicitSamples> = samples
        .iter()
        .map(|samples| ExplicitSamples {
            purpose: samples.purpose,
            first: take(&order, &samples.first),
            second: take(&order, &samples.second),
            coefficient: take(&order, &samples.coefficient),
        })
        .collect();
    let one = info_nce(&query, &key, queue.rows(), &objective, &Context { samples: &samples, ..context() }).unwrap();
    let drawn = info_nce(&query, &key, queue.rows(), &objective, &context()).unwrap();
    assert_eq!(one.value.to_bits(), drawn.value.to_bits());
    let rows = |t: &Tensor| t.index_select(0, &index);
    let given = Context { samples: &permuted, ..context() };
    let other = info_nce(&rows(&query), &rows(&key), queue.rows(), &objective, &given).unwrap();
    // A float32 matrix product rounds a row by its position in the batch (its edge blocks sum in another order): a few units in the
    // last place of cosines, and five times that (1/t) in a logit.
    assert!((one.value - other.value).abs() < 2e-6);
    assert!(error(&other.gradient, &rows(&one.gradient)) < 1e-5);
}

#[test]
fn the_losses_of_two_halves_average_to_the_whole() {
    let (query, key, queue) = embeddings(8, 500, 32, 9.0, Kind::Float);
    let objective = Objective::mochi(0.2, 64, 40, 24);
    let whole = info_nce(&query, &key, queue.rows(), &objective, &context()).unwrap();
    let half = |from: i64| {
        let draws = KEY.from_row(u32::try_from(from).unwrap());
        let rows = |t: &Tensor| t.narrow(0, from, 4);
        info_nce(&rows(&query), &rows(&key), queue.rows(), &objective, &Context { draws, ..context() }).unwrap()
    };
    let (first, second) = (half(0), half(4));
    assert!((whole.value - (first.value + second.value) / 2.0).abs() < 1e-6);
    let gradient = Tensor::cat(&[first.gradient, second.gradient], 0) / 2.0;
    assert!(error(&gradient, &whole.gradient) < 1e-5);
}

#[test]
fn leaving_a_strategy_out_removes_exactly_its_logits() {
    let (query, key, queue) = embeddings(4, 100, 16, 1.0, Kind::Double);
    let logits = |n: usize, s: usize, s_query: usize| {
        let rows = queue.rows().to_kind(Kind::Double);
        device::evaluate(&query, &key, &rows, &Objective::mochi(0.2, n, s, s_query), &context()).unwrap().logits
    };
    let both = logits(20, 7, 5);
    assert_eq!(both.size(), [4, 1 + 100 + 7 + 5]);
    assert!(logits(20, 7, 0).equal(&both.narrow(1, 0, 108)));
    let mixes = logits(20, 0, 5);
    assert!(mixes.equal(&Tensor::cat(&[both.narrow(1, 0, 101), both.narrow(1, 108, 5)], 1)));
    assert!(logits(20, 0, 0).equal(&both.narrow(1, 0, 101)));
}

#[test]
fn the_same_number_of_threads_gives_the_same_bits() {
    let (query, key, queue) = embeddings(16, 3000, 32, 2.0, Kind::Float);
    let run = |threads| {
        mochi_tensor::set_threads(threads);
        info_nce(&query, &key, queue.rows(), &Objective::mochi(0.2, 256, 100, 50), &context()).unwrap()
    };
    let (one, two, again) = (run(1), run(2), run(2));
    assert!(two.gradient.equal(&again.gradient));
    assert_eq!(two.value.to_bits(), again.value.to_bits());
    // MKL divides the sums of a matrix product among its threads, on some processors only.
    assert!(error(&one.gradient, &two.gradient) < 1e-6);
    assert!((one.value - two.value).abs() < 1e-6 * one.value.abs());
}

#[test]
fn bad_input_is_a_typed_error() {
    let (query, key, queue) = embeddings(2, 50, 8, 4.0, Kind::Float);
    let good = Objective::mochi(0.2, 10, 5, 5);
    let run = |q: &Tensor, k: &Tensor, objective: &Objective| info_nce(q, k, queue.rows(), objective, &context());
    let nan = &query * f64::NAN;
    assert!(matches!(run(&nan, &key, &good), Err(ContrastError::NotFinite { what: "query", step: 5 })));
    assert!(matches!(run(&query, &(&key / 0.0), &good), Err(ContrastError::NotFinite { what: "key", .. })));
    assert!(matches!(run(&(&query * 2.0), &key, &good), Err(ContrastError::NotUnit { what: "query", row: 0, .. })));
    assert!(matches!(run(&query, &key.narrow(0, 0, 1), &good), Err(ContrastError::Input(CoreError::Shape(_)))));
    for temperature in [0.0, -1.0, f64::NAN] {
        let error = run(&query, &key, &Objective { temperature, ..good.clone() }).unwrap_err();
        assert!(error.to_string().starts_with("the temperature is"), "{error}");
    }
    let error = run(&query, &key, &Objective { hard_negatives: 0, ..good.clone() });
    assert!(matches!(error, Err(ContrastError::Input(CoreError::Value { .. }))));
    let outside = |first: u32| {
        let parents = vec![first; 10];
        [ExplicitSamples {
            purpose: pair_mixing::PURPOSE,
            first: parents.clone(),
            second: parents,
            coefficient: vec![0.5; 10],
        }]
    };
    let short = [ExplicitSamples {
        purpose: query_mixing::PURPOSE,
        first: vec![0; 9],
        second: Vec::new(),
        coefficient: vec![0.5; 9],
    }];
    for (samples, wanted) in [
        (&outside(10)[..], "explicit parent 10 of strategy pair-mixing; expected a position below 10"),
        (&short[..], "expected 2 x 5 explicit first parents of strategy query-mixing, got 9"),
    ] {
        let error = info_nce(&query, &key, queue.rows(), &good, &Context { samples, ..context() }).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
    let broken = queue.rows().copy();
    let _ = broken.get(7).fill_(f64::NAN);
    assert!(matches!(
        info_nce(&query, &key, &broken, &good, &context()),
        Err(ContrastError::LossNotFinite { step: 5 })
    ));
}
