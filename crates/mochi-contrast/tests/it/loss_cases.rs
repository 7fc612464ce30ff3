//! The loss against float64 PyTorch that makes every synthetic point and differentiates by autograd (`fixtures/make_loss_cases.py`).

use mochi_contrast::{Context, ExplicitSamples, Objective, evaluate, info_nce};
use mochi_tensor::{Kind, Tensor, WeightsFile, read_tensors};
use std::path::{Path, PathBuf};

/// The same algebra in the same type: rounding alone, over sums of some hundred terms.
const FLOAT64: f64 = 1e-9;
/// Inputs rounded to float32 (6e-8) and divided by a temperature of 0.07 at least, in an exponent.
const FLOAT32: f64 = 1e-5;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    cases.sort();
    assert_eq!(cases.len(), 8);
    cases
}

struct Case {
    file: WeightsFile,
    objective: Objective,
    samples: Vec<ExplicitSamples>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let file = read_tensors(path).unwrap();
        let whole = |name: &str| Vec::<i64>::try_from(file.0[name].reshape([-1])).unwrap();
        let shares = |name: &str| Vec::<f64>::try_from(file.0[name].reshape([-1])).unwrap();
        let width = |name: &str| usize::try_from(file.0[name].size()[1]).unwrap();
        let (n, s, s_query) = (width("hardest"), width("alpha"), width("beta"));
        // Our positions count the hardest columns in ascending order, the file's from the hardest on.
        let ranked = whole("hardest");
        let position = |row: usize, place: i64| {
            let set = &ranked[row * n..][..n];
            let column = set[usize::try_from(place).unwrap()];
            u32::try_from(set.iter().filter(|&&c| c < column).count()).unwrap()
        };
        let positions = |name: &str, count: usize| {
            whole(name).into_iter().enumerate().map(|(at, place)| position(at / count.max(1), place)).collect()
        };
        let parents = [positions("pair_i", s), positions("pair_j", s), positions("mix_j", s_query)];
        let samples = crate::samples::mochi(parents, [shares("alpha"), shares("beta")]);
        let temperature = file.1["temperature"].parse().unwrap();
        Self { objective: Objective::mochi(temperature, n, s, s_query), samples, file }
    }

    fn given(&self) -> Context<'_> {
        Context { samples: &self.samples, ..Context::default() }
    }

    fn tensor(&self, name: &str) -> &Tensor {
        &self.file.0[name]
    }
}

/// Largest difference, relative to the largest entry.
fn error(ours: &Tensor, theirs: &Tensor) -> f64 {
    assert_eq!(ours.size(), theirs.size());
    let off = (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[]);
    off / theirs.abs().max().double_value(&[])
}

#[test]
fn the_closed_form_in_float64_equals_explicit_synthesis() {
    for path in cases() {
        let (name, case) = (path.display(), Case::read(&path));
        let [q, k, queue] = ["q", "k", "queue"].map(|n| case.tensor(n));
        let form = evaluate(q, k, queue, &case.objective, &case.given()).unwrap();
        let loss = form.losses.mean(Kind::Double).view([1]);
        for (field, ours) in [("loss", &loss), ("logits", &form.logits), ("grad_q", &form.gradient)] {
            let error = error(ours, case.tensor(field));
            assert!(error < FLOAT64, "{name}: {field} off by {error:e}");
        }
    }
}

#[test]
fn the_cpu_kernel_in_float32_equals_explicit_synthesis() {
    for path in cases() {
        let (name, case) = (path.display(), Case::read(&path));
        let [q, k, queue] = ["q", "k", "queue"].map(|n| case.tensor(n).to_kind(Kind::Float));
        let loss = info_nce(&q, &k, &queue, &case.objective, &case.given()).unwrap();
        let value = error(&Tensor::from_slice(&[loss.value]), case.tensor("loss"));
        assert!(value < FLOAT32, "{name}: loss off by {value:e}");
        let gradient = error(&loss.gradient, case.tensor("grad_q"));
        assert!(gradient < FLOAT32, "{name}: gradient off by {gradient:e}");
    }
}

#[test]
fn parents_of_another_query_are_noticed() {
    // The fixtures can detect it: the first query's parents for all queries change the loss.
    let path = cases().into_iter().find(|path| path.ends_with("both.safetensors")).unwrap();
    let mut case = Case::read(&path);
    let parents = &mut case.samples[0].first;
    *parents = parents[..parents.len() / 6].repeat(6);
    let [q, k, queue] = ["q", "k", "queue"].map(|n| case.tensor(n));
    let form = evaluate(q, k, queue, &case.objective, &case.given()).unwrap();
    assert!(error(&form.losses.mean(Kind::Double).view([1]), case.tensor("loss")) > 1e-4);
}
