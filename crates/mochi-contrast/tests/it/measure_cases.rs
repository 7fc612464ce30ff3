//! The metrics of a step compared with float64 numpy, which makes every synthetic negative (`fixtures/make_measure_cases.py`), and their properties.

use mochi_contrast::{
    Context, Diagnostics, DrawKey, ExplicitSamples, Measures, Objective, SampleMetadata, diagnostics, info_nce,
};
use mochi_contrast_core::filters::{class_oracle, ring};
use mochi_contrast_core::strategies::weighted;
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
    samples: Vec<ExplicitSamples>,
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
        let (n, s, s_query) = (file.1["hardest"].parse().unwrap(), width("alpha"), width("beta"));
        let parents = [places("pair_i"), places("pair_j"), places("mix_j")];
        Self {
            objective: Objective::mochi(file.1["temperature"].parse().unwrap(), n, s, s_query),
            samples: crate::samples::mochi(parents, [shares("alpha"), shares("beta")]),
            labels: [whole("q_labels"), whole("queue_labels")],
            file,
        }
    }

    fn context(&self) -> Context<'_> {
        let known = |labels| SampleMetadata { images: None, labels: Some(labels) };
        let (queries, candidates) = (known(&self.labels[0][..]), known(&self.labels[1][..]));
        Context { samples: &self.samples, queries, candidates, ..Context::default() }
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
fn measurements_are_those_of_numpy() {
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
fn diagnostics_are_those_of_numpy() {
    for name in NAMES {
        let case = Case::read(name);
        for (kind, tolerance) in [(Kind::Double, FLOAT64), (Kind::Float, FLOAT32)] {
            let [q, k, queue] = case.rows(kind);
            let seen = diagnostics(&q, &k, &queue, &case.objective, &case.context()).unwrap().unwrap();
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
                ("false_columns", found.candidates),
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

fn diagnostics_with(labels: &[Vec<i64>; 2], order: &[usize], objective: &Objective) -> Diagnostics {
    let (q, k, queue) = (unit(6, 5, 1), unit(6, 5, 2), unit(40, 5, 3));
    let index: Vec<i64> = order.iter().map(|&row| i64::try_from(row).unwrap()).collect();
    let queue = queue.index_select(0, &Tensor::from_slice(&index));
    let columns: Vec<i64> = order.iter().map(|&row| labels[1][row]).collect();
    let known = |labels| SampleMetadata { images: None, labels: Some(labels) };
    let draws = DrawKey { seed: 5, step: 9, purpose: 0, direction: 0, first_row: 0 };
    let context = Context { draws, queries: known(&labels[0][..]), candidates: known(&columns), ..Context::default() };
    diagnostics(&q, &k, &queue, objective, &context).unwrap().unwrap()
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
        let objective = Objective::mochi(0.2, 40, 30, 20);
        let straight: Vec<usize> = (0..40).collect();
        let there = diagnostics_with(&labels, &straight, &objective);
        let found = there.false_negatives.unwrap();
        prop_assert_eq!(found.candidates, found.hardest);
        if let (Some(either), Some(both)) = (found.pair_either, found.pair_both) {
            prop_assert!((0.0..=1.0).contains(&both) && both <= either && either <= 1.0);
        }
        // The queue's order is no matter to what no draw decides.
        let shuffled = diagnostics_with(&labels, &order, &objective);
        prop_assert_eq!(shuffled.false_negatives.unwrap().candidates, found.candidates);
        for (a, b) in shuffled.curve.real.iter().zip(&there.curve.real) {
            prop_assert!((a / b - 1.0).abs() < 1e-9);
        }
        // Fewer valid columns than N: the hardest are those that are left, each counted once.
        let ring = Objective { filters: vec![ring::SPEC.configure([("from", 0.0), ("to", 0.6)]).unwrap().build()], ..objective.clone() };
        let left = diagnostics_with(&labels, &straight, &ring).false_negatives.unwrap();
        prop_assert_eq!(left.candidates, left.hardest);
        // Each of them is the parent of one copy, and what fills up a row is none.
        let each = vec![weighted::SPEC.defaults().build()];
        let copies = diagnostics_with(&labels, &straight, &Objective { strategies: each, ..ring }).false_negatives.unwrap();
        prop_assert_eq!((copies.parents, copies.hardest), (left.hardest, left.hardest));
        let guarded = Objective { filters: vec![class_oracle::SPEC.defaults().build()], ..objective };
        let found = diagnostics_with(&labels, &straight, &guarded).false_negatives.unwrap();
        for share in [found.candidates, found.hardest, found.pair_either, found.pair_both, found.query_mix, found.parents] {
            prop_assert!(share.is_none_or(|share| share == 0.0), "{:?}", found);
        }
    }
}

#[test]
fn diagnostics_without_labels_or_synthesis_leave_parts_out() {
    let case = Case::read("few_classes");
    let [q, k, queue] = case.rows(Kind::Float);
    let plain = diagnostics(&q, &k, &queue, &Objective::plain(0.2), &Context::default()).unwrap().unwrap();
    assert_eq!((plain.curve.all, plain.false_negatives), (None, None));
    let context = Context { samples: &[], ..case.context() };
    let found =
        diagnostics(&q, &k, &queue, &Objective::plain(0.2), &context).unwrap().unwrap().false_negatives.unwrap();
    assert!(found.candidates.is_some() && found.hardest.is_none() && found.pair_both.is_none());
}
