//! What a step says about itself against float64 numpy that makes every point (`fixtures/make_measure_cases.py`), and its laws.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use mochi_contrast::{Context, DrawKey, Guard, Known, Look, Measures, Objective, Points, Synthesis, info_nce, look};
use mochi_tensor::{Kind, Tensor, WeightsFile, read_tensors};
use proptest::prelude::*;
use std::path::Path;

const NAMES: [&str; 4] = ["few_classes", "many_unknown", "more_columns_than_ranks", "steep"];

/// The same sums in the same type.
const FLOAT64: f64 = 1e-9;
/// Inputs rounded to float32 (6e-8) and divided by a temperature of 0.07 at least, in an exponent; an entropy of those.
const FLOAT32: f64 = 1e-5;

struct Case {
    file: WeightsFile,
    objective: Objective,
    points: Points,
    labels: [Vec<i64>; 2],
}

impl Case {
    fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/measures");
        let file = read_tensors(&folder.join(format!("{name}.safetensors"))).unwrap();
        let whole = |name: &str| Vec::<i64>::try_from(file.0[name].reshape([-1])).unwrap();
        let places = |name: &str| whole(name).into_iter().map(|place| u32::try_from(place).unwrap()).collect();
        let shares = |name: &str| Vec::<f64>::try_from(file.0[name].reshape([-1])).unwrap();
        let width = |name: &str| usize::try_from(file.0[name].size()[1]).unwrap();
        let synthesis = Synthesis::paper(file.1["hardest"].parse().unwrap(), width("alpha"), width("beta"));
        Self {
            objective: Objective::mochi(file.1["temperature"].parse().unwrap(), synthesis),
            points: Points {
                pair_i: places("pair_i"),
                pair_j: places("pair_j"),
                alpha: shares("alpha"),
                mix_j: places("mix_j"),
                beta: shares("beta"),
            },
            labels: [whole("q_labels"), whole("queue_labels")],
            file,
        }
    }

    fn context(&self) -> Context<'_> {
        let known = |labels| Known { images: None, labels: Some(labels) };
        let (queries, columns) = (known(&self.labels[0][..]), known(&self.labels[1][..]));
        Context { points: Some(&self.points), queries, columns, ..Context::default() }
    }

    fn rows(&self, kind: Kind) -> [Tensor; 3] {
        ["q", "k", "queue"].map(|name| self.file.0[name].to_kind(kind))
    }

    fn expected(&self, name: &str) -> Vec<f64> {
        Vec::<f64>::try_from(&self.file.0[name]).unwrap()
    }
}

fn named(m: &Measures) -> [(&'static str, f64); 10] {
    [
        ("accuracy_real", m.accuracy_real),
        ("accuracy_with_synthetic", m.accuracy_with_synthetic),
        ("positive", m.positive),
        ("hardest", m.hardest.unwrap()),
        ("pair", m.pair.unwrap()),
        ("query_mix", m.query_mix.unwrap()),
        ("synthetic_harder", m.synthetic_harder.unwrap()),
        ("effective_negatives", m.effective_negatives),
        ("alignment", m.alignment()),
        ("uniformity", m.uniformity.unwrap()),
    ]
}

#[test]
fn every_step_s_numbers_are_numpy_s() {
    for name in NAMES {
        let case = Case::read(name);
        for (kind, tolerance) in [(Kind::Double, FLOAT64), (Kind::Float, FLOAT32)] {
            let [q, k, queue] = case.rows(kind);
            let measures = info_nce(&q, &k, &queue, &case.objective, &case.context()).unwrap().measures;
            for (what, ours) in named(&measures) {
                let theirs = case.expected(what)[0];
                let off = (ours - theirs).abs() / theirs.abs().max(1.0);
                assert!(off < tolerance, "{name}, {kind:?}: {what} is {ours}, not {theirs}");
            }
        }
    }
}

#[test]
fn a_look_s_numbers_are_numpy_s() {
    for name in NAMES {
        let case = Case::read(name);
        for (kind, tolerance) in [(Kind::Double, FLOAT64), (Kind::Float, FLOAT32)] {
            let [q, k, queue] = case.rows(kind);
            let seen = look(&q, &k, &queue, &case.objective, &case.context()).unwrap();
            let curve = &seen.curve;
            assert_eq!(*curve.ranks.last().unwrap() as usize, case.expected("curve_real").len());
            for (what, ours) in [("curve_real", &curve.real), ("curve_all", curve.all.as_ref().unwrap())] {
                let theirs = case.expected(what);
                assert_eq!(ours.len(), curve.ranks.len());
                for (&rank, &p) in curve.ranks.iter().zip(ours) {
                    let wanted = theirs[rank as usize - 1];
                    assert!(
                        (p / wanted - 1.0).abs() < tolerance,
                        "{name}, {kind:?}: {what}({rank}) is {p}, not {wanted}"
                    );
                }
            }
            let found = seen.false_negatives.unwrap();
            for (what, ours) in [
                ("false_columns", found.columns),
                ("false_hardest", found.hardest),
                ("false_pair_either", found.pair_either),
                ("false_pair_both", found.pair_both),
                ("false_query_mix", found.query_mix),
            ] {
                assert!((ours.unwrap() - case.expected(what)[0]).abs() < FLOAT64, "{name}, {kind:?}: {what}");
            }
        }
    }
}

/// Unit rows, from a generator of their own: libtorch's is shared by all tests.
fn unit(rows: usize, dim: usize, seed: u64) -> Tensor {
    let draws = mochi_random::Philox::new(seed, 77);
    let value =
        |at: usize| f64::from(draws.words([u32::try_from(at).unwrap(), 0, 0, 0])[0]) / f64::from(u32::MAX) - 0.5;
    let values: Vec<f64> = (0..rows * dim).map(value).collect();
    let rows = Tensor::from_slice(&values).view([i64::try_from(rows).unwrap(), -1]);
    &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
}

fn look_with(labels: &[Vec<i64>; 2], order: &[usize], objective: &Objective) -> Look {
    let (q, k, queue) = (unit(6, 5, 1), unit(6, 5, 2), unit(40, 5, 3));
    let index: Vec<i64> = order.iter().map(|&row| i64::try_from(row).unwrap()).collect();
    let queue = queue.index_select(0, &Tensor::from_slice(&index));
    let columns: Vec<i64> = order.iter().map(|&row| labels[1][row]).collect();
    let known = |labels| Known { images: None, labels: Some(labels) };
    let draws = DrawKey { seed: 5, step: 9, purpose: 0, direction: 0, first_row: 0 };
    let context = Context { draws, queries: known(&labels[0][..]), columns: known(&columns), ..Context::default() };
    look(&q, &k, &queue, objective, &context).unwrap()
}

proptest! {
    #[test]
    fn shares_keep_their_order_and_an_oracle_leaves_none(
        queries in prop::collection::vec(0i64..3, 6),
        columns in prop::collection::vec(-1i64..3, 40).prop_filter("every class has others", |c| (0..3).all(|class| c.iter().any(|&x| x >= 0 && x != class))),
        order in Just((0..40).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let labels = [queries, columns];
        // Every column is a parent: what is known of the columns is known of the hardest.
        let objective = Objective::mochi(0.2, Synthesis::paper(40, 30, 20));
        let straight: Vec<usize> = (0..40).collect();
        let there = look_with(&labels, &straight, &objective);
        let found = there.false_negatives.unwrap();
        prop_assert_eq!(found.columns, found.hardest);
        if let (Some(either), Some(both)) = (found.pair_either, found.pair_both) {
            prop_assert!((0.0..=1.0).contains(&both) && both <= either && either <= 1.0);
        }
        // The queue's order is no matter to what no draw decides.
        let shuffled = look_with(&labels, &order, &objective);
        prop_assert_eq!(shuffled.false_negatives.unwrap().columns, found.columns);
        for (a, b) in shuffled.curve.real.iter().zip(&there.curve.real) {
            prop_assert!((a / b - 1.0).abs() < 1e-9);
        }
        // Fewer valid columns than N: the hardest are those that are left, each counted once.
        let ring = Objective { guards: vec![Guard::Ring { from: 0.0, to: 0.6 }], ..objective.clone() };
        let left = look_with(&labels, &straight, &ring).false_negatives.unwrap();
        prop_assert_eq!(left.columns, left.hardest);
        let guarded = Objective { guards: vec![Guard::ClassOracle], ..objective };
        let found = look_with(&labels, &straight, &guarded).false_negatives.unwrap();
        for share in [found.columns, found.hardest, found.pair_either, found.pair_both, found.query_mix] {
            prop_assert!(share.is_none_or(|share| share == 0.0), "{:?}", found);
        }
    }
}

#[test]
fn without_labels_or_synthesis_a_look_says_less() {
    let case = Case::read("few_classes");
    let [q, k, queue] = case.rows(Kind::Float);
    let plain = look(&q, &k, &queue, &Objective::plain(0.2), &Context::default()).unwrap();
    assert_eq!((plain.curve.all, plain.false_negatives), (None, None));
    let context = Context { points: None, ..case.context() };
    let found = look(&q, &k, &queue, &Objective::plain(0.2), &context).unwrap().false_negatives.unwrap();
    assert!(found.columns.is_some() && found.hardest.is_none() && found.pair_both.is_none());
}
