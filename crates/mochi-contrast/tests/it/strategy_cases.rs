//! Strategies, filters and loss variants against float64 PyTorch that makes every point, draws included (`fixtures/make_strategy_cases.py`).

use mochi_contrast::{Affine, Context, DrawKey, Filter, LossVariant, Objective, SampleMetadata, Strategy, info_nce};
use mochi_contrast_core::{Family, parse};
use mochi_tensor::{Kind, Tensor, WeightsFile, read_tensors};
use std::path::Path;

/// Normal numbers are kept in float32; all else is float64.
const FLOAT64: f64 = 1e-7;
/// float32 cosines divided by a temperature of 0.2, in an exponent.
const FLOAT32: f64 = 1e-5;

const N: usize = 8;

/// An entry of a table with some arguments.
fn configured<T: Family>(name: &str, arguments: &[(&str, f64)]) -> T {
    parse::<T>(T::table(), name, arguments.iter().copied()).unwrap().build()
}

fn synco() -> Vec<Strategy> {
    vec![
        configured("extrapolate", &[("s", 5.0), ("max", 1.5)]),
        configured("noise", &[("s", 3.0), ("sigma", 0.01)]),
        configured("perturb", &[("s", 4.0), ("delta", 0.01)]),
        configured("adversarial", &[("s", 3.0), ("eta", 0.01)]),
    ]
}

/// The cases by their names in the file; whether the context's own columns, weights and transform are used.
fn cases() -> Vec<(&'static str, Objective, bool)> {
    let bare = Objective::mochi(0.2, N, 0, 0);
    let mochi = Objective::mochi(0.2, N, 5, 5);
    let with = |mut objective: Objective, extra: Vec<Strategy>| {
        objective.strategies.extend(extra);
        objective
    };
    let also = |extra| with(bare.clone(), extra);
    let filtered = |filter: Filter| Objective { filters: vec![filter], ..mochi.clone() };
    let form = |loss: LossVariant| Objective { loss, ..mochi.clone() };
    let weight: Strategy = configured("weight", &[("w", 0.7)]);
    vec![
        ("extrapolate", also(vec![configured("extrapolate", &[("s", 9.0), ("max", 1.5)])]), false),
        ("noise", also(vec![configured("noise", &[("s", 7.0), ("sigma", 0.1)])]), false),
        ("perturb", also(vec![configured("perturb", &[("s", 9.0), ("delta", 0.1)])]), false),
        ("adversarial", also(vec![configured("adversarial", &[("s", 9.0), ("eta", 0.1)])]), false),
        ("repeat", also(vec![configured("repeat", &[("s", 9.0)])]), false),
        ("weight", also(vec![weight.clone()]), false),
        ("synco", with(mochi.clone(), synco()), false),
        ("decoupled", form(configured("decoupled", &[])), false),
        ("debiased", form(configured("debiased", &[("c", 0.01)])), false),
        ("debiased_at_its_bound", Objective { loss: configured("debiased", &[("c", 0.9)]), ..bare.clone() }, false),
        ("hcl", with(form(configured("hcl", &[("beta", 1.0), ("c", 0.01)])), vec![weight.clone()]), false),
        ("same_image", filtered(configured("same-image", &[])), false),
        ("class_oracle", filtered(configured("class-oracle", &[])), false),
        ("margin", filtered(configured("margin", &[("m", 0.45)])), false),
        ("percentage", filtered(configured("percentage", &[("p", 0.4)])), false),
        ("ring", filtered(configured("ring", &[("from", 0.1), ("to", 0.6)])), false),
        ("context", mochi.clone(), true),
        (
            "everything",
            Objective {
                filters: vec![configured("same-image", &[]), configured("ring", &[("from", 0.05), ("to", 0.9)])],
                ..with(
                    form(configured("hcl", &[("beta", 0.5), ("c", 0.01)])),
                    [synco(), vec![configured("repeat", &[("s", 3.0)]), weight]].concat(),
                )
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
        let own = whole("own").iter().map(|&c| u32::try_from(c).unwrap_or(Context::NO_INDEX)).collect();
        let affine = number("affine").chunks(2).map(|pair| Affine { offset: pair[0], slope: pair[1] }).collect();
        let facts = ["query_images", "query_labels", "images", "labels"].map(whole);
        Self { whole: facts, own, weights: number("weights"), affine, file }
    }

    fn context(&self, used: bool) -> Context<'_> {
        let [query_images, query_labels, images, labels] = &self.whole;
        Context {
            draws: DrawKey { seed: 77, step: (3 << 32) + 5, purpose: 0, direction: 1, first_row: 6 },
            queries: SampleMetadata { images: Some(query_images), labels: Some(query_labels) },
            candidates: SampleMetadata { images: Some(images), labels: Some(labels) },
            positive_indices: if used { &self.own } else { &[] },
            weights: used.then_some(self.weights.as_slice()),
            positive: used.then_some(self.affine.as_slice()),
            samples: &[],
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
fn every_strategy_filter_and_loss_variant_equals_its_papers_formula() {
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
    // No two cases are the same by accident: a filter or loss variant that does nothing would be one.
    losses.sort_by(f64::total_cmp);
    assert_eq!(losses.chunks(2).filter(|pair| (pair[0] - pair[1]).abs() > 1e-4).count(), 0);
    assert!(losses.windows(2).filter(|pair| pair[1] - pair[0] > 1e-4).count() >= losses.len() / 2 - 1);
}
