//! Further strategies, guards and forms against float64 PyTorch that makes every point, draws included (`fixtures/make_strategy_cases.py`).
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

use mochi_contrast::{Affine, Context, DrawKey, Form, Guard, Known, Objective, Synthesis, Term, info_nce};
use mochi_tensor::{Kind, Tensor, WeightsFile, read_tensors};
use std::path::Path;

/// Normal numbers are kept in float32; all else is float64.
const FLOAT64: f64 = 1e-7;
/// float32 cosines divided by a temperature of 0.2, in an exponent.
const FLOAT32: f64 = 1e-5;

const N: usize = 8;

fn synco() -> Vec<Term> {
    vec![
        Term::Extrapolate { s: 5, max: 1.5 },
        Term::Noise { s: 3, sigma: 0.01 },
        Term::Perturb { s: 4, delta: 0.01 },
        Term::Adversarial { s: 3, eta: 0.01 },
    ]
}

/// The cases by their names in the file; whether the context's own columns, weights and transform are used.
fn cases() -> Vec<(&'static str, Objective, bool)> {
    let bare = Objective { synthesis: Synthesis::paper(N, 0, 0), ..Objective::plain(0.2) };
    let mochi = Objective::mochi(0.2, Synthesis::paper(N, 5, 5));
    let also = |also: Vec<Term>| Objective { also, ..bare.clone() };
    let guard = |guard| Objective { guards: vec![guard], ..mochi.clone() };
    let form = |form| Objective { form, ..mochi.clone() };
    let weight = Term::Weight { w: 0.7 };
    vec![
        ("extrapolate", also(vec![Term::Extrapolate { s: 9, max: 1.5 }]), false),
        ("noise", also(vec![Term::Noise { s: 7, sigma: 0.1 }]), false),
        ("perturb", also(vec![Term::Perturb { s: 9, delta: 0.1 }]), false),
        ("adversarial", also(vec![Term::Adversarial { s: 9, eta: 0.1 }]), false),
        ("repeat", also(vec![Term::Repeat { s: 9 }]), false),
        ("weight", also(vec![weight]), false),
        ("synco", Objective { also: synco(), ..mochi.clone() }, false),
        ("decoupled", form(Form::Decoupled), false),
        ("debiased", form(Form::Debiased { c: 0.01 }), false),
        ("debiased_at_its_bound", Objective { form: Form::Debiased { c: 0.9 }, ..bare.clone() }, false),
        ("hcl", Objective { also: vec![weight], ..form(Form::Hcl { beta: 1.0, c: 0.01 }) }, false),
        ("same_image", guard(Guard::SameImage), false),
        ("class_oracle", guard(Guard::ClassOracle), false),
        ("margin", guard(Guard::Margin(0.45)), false),
        ("percentage", guard(Guard::Percentage(0.4)), false),
        ("ring", guard(Guard::Ring { from: 0.1, to: 0.6 }), false),
        ("context", mochi.clone(), true),
        (
            "everything",
            Objective {
                also: [synco(), vec![Term::Repeat { s: 3 }, weight]].concat(),
                guards: vec![Guard::SameImage, Guard::Ring { from: 0.05, to: 0.9 }],
                ..form(Form::Hcl { beta: 0.5, c: 0.01 })
            },
            true,
        ),
    ]
}

struct File {
    file: WeightsFile,
    whole: [Vec<i64>; 4],
    own: Vec<u32>,
    weights: Vec<f64>,
    affine: Vec<Affine>,
}

impl File {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strategies/strategies.safetensors");
        let file = read_tensors(&path).unwrap();
        let whole = |name: &str| Vec::<i64>::try_from(file.0[name].reshape([-1])).unwrap();
        let number = |name: &str| Vec::<f64>::try_from(file.0[name].reshape([-1])).unwrap();
        let own = whole("own").iter().map(|&c| u32::try_from(c).unwrap_or(Context::NO_COLUMN)).collect();
        let affine = number("affine").chunks(2).map(|pair| Affine { offset: pair[0], slope: pair[1] }).collect();
        let facts = ["query_images", "query_labels", "images", "labels"].map(whole);
        Self { whole: facts, own, weights: number("weights"), affine, file }
    }

    fn context(&self, used: bool) -> Context<'_> {
        let [query_images, query_labels, images, labels] = &self.whole;
        Context {
            draws: DrawKey { seed: 77, step: (3 << 32) + 5, purpose: 0, direction: 1, first_row: 6 },
            queries: Known { images: Some(query_images), labels: Some(query_labels) },
            columns: Known { images: Some(images), labels: Some(labels) },
            own: if used { &self.own } else { &[] },
            weights: used.then_some(self.weights.as_slice()),
            positive: used.then_some(self.affine.as_slice()),
            points: None,
        }
    }
}

/// Largest difference, relative to the largest entry.
fn error(ours: &Tensor, theirs: &Tensor) -> f64 {
    assert_eq!(ours.size(), theirs.size());
    let off = (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]);
    off / theirs.abs().max().double_value(&[])
}

#[test]
fn every_strategy_guard_and_form_equals_its_papers_formula() {
    let file = File::read();
    let cases = cases();
    assert_eq!(file.file.0.keys().filter(|name| name.ends_with("/loss")).count(), cases.len());
    let mut losses = Vec::new();
    for (name, objective, used) in cases {
        let wanted = |field: &str| &file.file.0[&format!("{name}/{field}")];
        for (kind, bound) in [(Kind::Double, FLOAT64), (Kind::Float, FLOAT32)] {
            let [q, k, queue] = ["q", "k", "queue"].map(|part| file.file.0[part].to_kind(kind));
            let loss = info_nce(&q, &k, &queue, &objective, &file.context(used)).unwrap();
            let value = error(&Tensor::from_slice(&[loss.value]), wanted("loss"));
            assert!(value < bound, "{name} in {kind:?}: loss off by {value:e}");
            let gradient = error(&loss.gradient, wanted("grad_q"));
            assert!(gradient < bound, "{name} in {kind:?}: gradient off by {gradient:e}");
            losses.push(loss.value);
        }
    }
    // No two cases are the same by accident: a guard or form that does nothing would be one.
    losses.sort_by(f64::total_cmp);
    assert_eq!(losses.chunks(2).filter(|pair| (pair[0] - pair[1]).abs() > 1e-4).count(), 0);
    assert!(losses.windows(2).filter(|pair| pair[1] - pair[0] > 1e-4).count() >= losses.len() / 2 - 1);
}
