//! The neighbors' losses against float64 PyTorch, one logit at a time (`fixtures/make_neighbor_cases.py`), through the public functions
//! that training calls: in float64 to rounding, and in float32 where training computes.

use mochi_contrast::feature_transformation::extrapolation;
use mochi_contrast::images::{self, Target};
use mochi_contrast::{Context, Loss, Objective, Queue, SampleMetadata, info_nce, nearest, nnclr, sim_clr, sup_con};
use mochi_tensor::{Kind, Tensor, WeightsFile, read_tensors};
use std::path::Path;

/// The same algebra in the same type.
const FLOAT64: f64 = 1e-9;
/// Inputs rounded to float32 (6e-8) and divided by a temperature of 0.05 at least, in an exponent.
const FLOAT32: f64 = 1e-5;

struct Case {
    file: WeightsFile,
    kind: Kind,
}

impl Case {
    fn tensor(&self, name: &str) -> Tensor {
        self.file.0[name].to_kind(self.kind)
    }

    fn whole(&self, name: &str) -> Vec<i64> {
        Vec::try_from(&self.file.0[name]).unwrap()
    }

    fn shares(&self) -> Vec<f64> {
        Vec::try_from(&self.file.0["shares"]).unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.file.1[name].parse().unwrap()
    }

    fn plain(&self) -> Objective {
        Objective::plain(self.number("t"))
    }

    /// Loss and gradients within rounding.
    fn holds(&self, value: f64, gradients: &[(&str, &Tensor)]) {
        let bound = if self.kind == Kind::Double { FLOAT64 } else { FLOAT32 };
        let off = |ours: &Tensor, theirs: &Tensor| {
            assert_eq!(ours.size(), theirs.size());
            ((ours.to_kind(Kind::Double) - theirs).abs().max() / theirs.abs().max()).double_value(&[])
        };
        let error = off(&Tensor::from_slice(&[value]), &self.file.0["loss"]);
        assert!(error < bound, "loss off by {error:e} in {:?}", self.kind);
        for (name, gradient) in gradients {
            let error = off(gradient, &self.file.0[&format!("grad_{name}")]);
            assert!(error < bound, "gradient of {name} off by {error:e} in {:?}", self.kind);
        }
    }
}

/// The case in both types.
fn cases(name: &str) -> [Case; 2] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/neighbours/{name}.safetensors"));
    [Kind::Double, Kind::Float].map(|kind| Case { file: read_tensors(&path).unwrap(), kind })
}

fn queue(rows: &Tensor) -> Queue {
    Queue::restore(rows.to_kind(Kind::Float), SampleMetadata::default(), 0, usize::try_from(rows.size()[0]).unwrap())
        .unwrap()
}

/// The batch's keys, then the queue; key i is image i's own.
fn both(keys: &Tensor, queue: &Tensor) -> (Tensor, Vec<u32>) {
    (Tensor::cat(&[keys, queue], 0), (0..u32::try_from(keys.size()[0]).unwrap()).collect())
}

#[test]
fn sim_clr_equals_its_terms_written_out() {
    for case in cases("sim_clr") {
        let z = case.tensor("z");
        let images = usize::try_from(z.size()[0]).unwrap() / 2;
        let loss = sim_clr(&z, images, case.number("t"), 0).unwrap();
        case.holds(loss.value, &[("z", &loss.gradient)]);
    }
}

#[test]
fn sup_con_equals_its_terms_written_out() {
    for case in cases("sup_con") {
        let loss = sup_con(&case.tensor("z"), &case.whole("labels"), case.number("t"), 0).unwrap();
        case.holds(loss.value, &[("z", &loss.gradient)]);
        let other = sup_con(&case.tensor("z"), &[0, 1, 0, 2, 1, 1], case.number("t"), 0).unwrap();
        assert!((other.value - loss.value).abs() > 1e-3, "another class goes unnoticed");
    }
}

#[test]
fn nnclr_finds_the_neighbors_and_equals_its_terms() {
    for case in cases("nnclr") {
        let rows = case.tensor("queue");
        let found = nearest(&case.tensor("k"), &queue(&rows)).unwrap().unwrap();
        assert_eq!(Vec::<i64>::try_from(&found).unwrap(), case.whole("found"));
        let loss = nnclr(&case.tensor("q"), &rows.index_select(0, &found), case.number("t"), 0).unwrap();
        case.holds(loss.value, &[("q", &loss.gradient)]);
    }
}

#[test]
fn a_neighbor_among_the_columns_is_no_negative_of_its_query() {
    for case in cases("nearest_in_queue") {
        let (rows, found) = (case.tensor("queue"), case.whole("found"));
        let own: Vec<u32> = found.iter().map(|&column| u32::try_from(column).unwrap()).collect();
        let positives = rows.index_select(0, &Tensor::from_slice(&found));
        let run = |own: &[u32]| {
            info_nce(
                &case.tensor("q"),
                &positives,
                &rows,
                &case.plain(),
                &Context { positive_indices: own, ..Context::default() },
            )
            .unwrap()
        };
        let loss = run(&own);
        case.holds(loss.value, &[("q", &loss.gradient)]);
        assert!(run(&[]).value > loss.value + 1e-3, "a neighbor among its own negatives goes unnoticed");
    }
}

#[test]
fn the_batch_s_keys_stand_beside_the_queue() {
    for case in cases("batch_and_queue") {
        let key = case.tensor("k");
        let (columns, own) = both(&key, &case.tensor("queue"));
        let context = Context { positive_indices: &own, ..Context::default() };
        let loss = info_nce(&case.tensor("q"), &key, &columns, &case.plain(), &context).unwrap();
        case.holds(loss.value, &[("q", &loss.gradient)]);
    }
}

fn plain(case: &Case) -> Loss {
    info_nce(&case.tensor("q"), &case.tensor("k"), &case.tensor("queue"), &case.plain(), &Context::default()).unwrap()
}

#[test]
fn un_mix_s_reversed_keys_are_the_public_code_s_flipped_queries() {
    for case in cases("un_mix") {
        let (base, share) = (plain(&case), case.number("share"));
        let targets = [
            Target { keys: (0..6).collect(), weights: vec![share / 6.0; 6] },
            Target { keys: (0..6).rev().collect(), weights: vec![(1.0 - share) / 6.0; 6] },
        ];
        let (mixed, keys, queue) = (case.tensor("mixed"), case.tensor("k"), case.tensor("queue"));
        let mix = images::loss(&mixed, &keys, &queue, &targets, &case.plain(), &Context::default()).unwrap();
        case.holds(base.value + mix.value, &[("q", &base.gradient), ("mixed", &mix.gradient)]);
    }
}

#[test]
fn i_mix_is_a_cross_entropy_over_virtual_classes() {
    for case in cases("i_mix") {
        let (shares, keys) = (case.shares(), case.tensor("k"));
        let targets = [
            Target { keys: (0..6).collect(), weights: shares.iter().map(|s| s / 6.0).collect() },
            Target { keys: case.whole("partners"), weights: shares.iter().map(|s| (1.0 - s) / 6.0).collect() },
        ];
        let (columns, own) = both(&keys, &case.tensor("queue"));
        let context = Context { positive_indices: &own, ..Context::default() };
        let mixed = case.tensor("mixed");
        let mix = images::loss(&mixed, &keys, &columns, &targets, &case.plain(), &context).unwrap();
        case.holds(mix.value, &[("mixed", &mix.gradient)]);
        let bad = [targets[0].clone(), Target { keys: vec![6; 6], weights: vec![0.1; 6] }];
        assert!(images::loss(&mixed, &keys, &columns, &bad, &case.plain(), &context).is_err());
    }
}

#[test]
fn mixco_is_a_cross_entropy_against_soft_targets() {
    for case in cases("mixco") {
        let (base, shares, keys, weight) = (plain(&case), case.shares(), case.tensor("k"), case.number("weight"));
        let targets = [
            Target { keys: (0..3).collect(), weights: shares.iter().map(|s| s / 3.0).collect() },
            Target { keys: (3..6).collect(), weights: shares.iter().map(|s| (1.0 - s) / 3.0).collect() },
        ];
        let (columns, own) = both(&keys, &case.tensor("queue"));
        let context = Context { positive_indices: &own, ..Context::default() };
        let objective = Objective::plain(case.number("tau"));
        let mix = images::loss(&case.tensor("mixed"), &keys, &columns, &targets, &objective, &context).unwrap();
        case.holds(base.value + weight * mix.value, &[("q", &base.gradient), ("mixed", &(mix.gradient * weight))]);
    }
}

#[test]
fn feature_transformation_s_affine_positive_is_the_pair_pulled_apart() {
    for case in cases("feature_transformation") {
        // The file's gradient is that of a free vector behind the normalization: the tangent part, divided by its length.
        let free = case.tensor("q");
        let length = free.norm_scalaropt_dim(2, [1i64].as_slice(), true);
        let q = &free / &length;
        let affine = vec![extrapolation(case.number("stretch")); 6];
        let context = Context { positive: Some(&affine), ..Context::default() };
        let loss = info_nce(&q, &case.tensor("k"), &case.tensor("columns"), &case.plain(), &context).unwrap();
        let radial = (&loss.gradient * &q).sum_dim_intlist([1i64].as_slice(), true, case.kind) * &q;
        case.holds(loss.value, &[("q", &((&loss.gradient - radial) / length))]);
    }
}
