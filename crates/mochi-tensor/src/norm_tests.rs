//! The fused kernel against libtorch's own batch_norm, add and relu.

use super::*;
use crate::compute::channels_last;

struct Case {
    x: Tensor,
    residual: Option<Tensor>,
    norm: BatchNorm,
}

/// Values with a mean well away from zero: a naive variance (mean of squares less squared mean) would show here.
fn case(shape: [i64; 4], kind: Kind, residual: bool, seed: f64) -> Case {
    let count: i64 = shape.iter().product();
    let ramp = Tensor::arange(count, (Kind::Double, Device::Cpu));
    let noise = |k: f64| ((&ramp * (12.9898 * k) + seed).sin() * 43758.5453).frac().view(shape);
    let leaf = |t: Tensor| channels_last(&t.to_kind(kind)).unwrap().detach().set_requires_grad(true);
    let c = shape[1];
    let vector = |k: f64, low: f64| {
        ((Tensor::arange(c, (Kind::Float, Device::Cpu)) * k).sin() * 0.5 + low).set_requires_grad(false)
    };
    Case {
        x: leaf(noise(1.0) * 2.0 + 5.0),
        residual: residual.then(|| leaf(noise(1.7))),
        norm: BatchNorm::from_parts(
            vector(1.0, 1.0).set_requires_grad(true),
            vector(2.0, 0.0).set_requires_grad(true),
            vector(3.0, 0.0),
            vector(5.0, 1.0),
        )
        .unwrap(),
    }
}

impl Case {
    /// y, gradients of x, weight, bias, residual, and the running statistics after.
    fn run(&self, fused: bool, mode: NormMode, relu: bool) -> Vec<Tensor> {
        let fresh = |t: &Tensor| t.detach().copy().set_requires_grad(true);
        let norm = BatchNorm::from_parts(
            fresh(&self.norm.weight),
            fresh(&self.norm.bias),
            self.norm.running_mean.copy(),
            self.norm.running_var.copy(),
        )
        .unwrap();
        let x = channels_last(&self.x.detach()).unwrap().copy().set_requires_grad(true);
        let residual = self.residual.as_ref().map(|r| r.detach().copy().set_requires_grad(true));
        let y = if fused {
            norm.forward(x.shallow_clone(), mode, relu, residual.as_ref())
        } else {
            composed(&x, &norm, mode, relu, residual.as_ref())
        };
        let y = y.unwrap();
        let weights = (Tensor::arange(y.numel() as i64, (Kind::Float, Device::Cpu)) * 0.37).cos().view_as(&y);
        (y.to_kind(Kind::Float) * weights).sum(Kind::Float).backward();
        let mut out = vec![y, x.grad(), norm.weight.grad(), norm.bias.grad(), norm.running_mean, norm.running_var];
        out.extend(residual.map(|r| r.grad()));
        out
    }
}

fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    ((&a - &b).abs().max() / b.abs().max().clamp_min(1e-12)).double_value(&[])
}

#[test]
fn fused_equals_composed_in_float32() {
    for (shape, groups) in
        [([4, 3, 5, 7], 1), ([8, 64, 14, 14], 1), ([8, 17, 3, 3], 4), ([5, 130, 9, 1], 2), ([2, 2048, 7, 7], 1)]
    {
        for relu in [false, true] {
            for residual in [false, true] {
                let case = case(shape, Kind::Float, residual, 0.3);
                let mode = NormMode::Train { groups };
                for (i, (a, b)) in case.run(true, mode, relu).iter().zip(&case.run(false, mode, relu)).enumerate() {
                    let error = relative_error(a, b);
                    assert!(
                        error < 2e-5,
                        "{shape:?} groups {groups} relu {relu} residual {residual}: output {i} off by {error:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn fused_bf16_stays_as_near_to_float32_as_libtorchs_own() {
    let mode = NormMode::Train { groups: 1 };
    let case = case([8, 64, 14, 14], Kind::BFloat16, true, 0.9);
    let exact = Case {
        x: case.x.to_kind(Kind::Float),
        residual: case.residual.as_ref().map(|r| r.to_kind(Kind::Float)),
        norm: BatchNorm::from_parts(
            case.norm.weight.shallow_clone(),
            case.norm.bias.shallow_clone(),
            case.norm.running_mean.shallow_clone(),
            case.norm.running_var.shallow_clone(),
        )
        .unwrap(),
    };
    let (fused, truth) = (case.run(true, mode, true), exact.run(false, mode, true));
    for (i, (a, b)) in fused.iter().zip(&truth).enumerate() {
        let error = relative_error(a, b);
        assert!(error < 0.02, "output {i} off by {error:e}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let case = case([6, 40, 11, 13], Kind::Float, true, 0.1);
    let mode = NormMode::Train { groups: 3 };
    let many = case.run(true, mode, true);
    tch::set_num_threads(1);
    let one = case.run(true, mode, true);
    tch::set_num_threads(2);
    assert!(many.iter().zip(&one).all(|(a, b)| a.equal(b)));
}

#[test]
fn eval_uses_running_statistics_and_moves_nothing() {
    let case = case([3, 10, 4, 4], Kind::Float, true, 0.5);
    let fused =
        no_grad(|| case.norm.forward(case.x.shallow_clone(), NormMode::Eval, true, case.residual.as_ref()).unwrap());
    let before = case.norm.running_mean.copy();
    let plain = composed(&case.x, &case.norm, NormMode::Eval, true, case.residual.as_ref()).unwrap();
    assert!(relative_error(&fused, &plain) < 1e-5);
    assert!(case.norm.running_mean.equal(&before));
    // With a gradient wanted, the differentiable path is taken.
    let y = case.norm.forward(case.x.shallow_clone(), NormMode::Eval, false, None).unwrap();
    assert!(y.requires_grad());
}

#[test]
fn groups_have_statistics_of_their_own() {
    let case = case([4, 3, 2, 2], Kind::Float, false, 0.0);
    let whole = case.norm.forward(case.x.shallow_clone(), NormMode::Train { groups: 1 }, false, None).unwrap();
    let split = case.norm.forward(case.x.shallow_clone(), NormMode::Train { groups: 2 }, false, None).unwrap();
    let first = case.norm.forward(case.x.narrow(0, 0, 2), NormMode::Train { groups: 1 }, false, None).unwrap();
    assert!(relative_error(&split.narrow(0, 0, 2), &first) < 1e-6);
    assert!(relative_error(&split, &whole) > 1e-3);
}

#[test]
fn without_a_graph_the_result_takes_the_inputs_memory() {
    let case = case([3, 16, 4, 4], Kind::BFloat16, true, 0.5);
    let x = channels_last(&case.x.detach()).unwrap().copy();
    let memory = x.data_ptr();
    let wanted = composed(&x.copy(), &case.norm, NormMode::Train { groups: 1 }, true, case.residual.as_ref()).unwrap();
    let y = no_grad(|| case.norm.forward(x, NormMode::Train { groups: 1 }, true, case.residual.as_ref()).unwrap());
    assert_eq!(y.data_ptr(), memory);
    assert!(relative_error(&y, &wanted) < 1e-2);
}

#[test]
fn refusals_are_errors() {
    let case = case([2, 3, 1, 1], Kind::Float, false, 0.0);
    for groups in [0, 2, 3] {
        assert!(
            case.norm.forward(case.x.shallow_clone(), NormMode::Train { groups }, false, None).is_err(),
            "{groups} groups"
        );
    }
    // Three values in two groups: one of them would hold a single value.
    let case = self::case([3, 3, 1, 1], Kind::Float, false, 0.0);
    assert!(case.norm.forward(case.x.shallow_clone(), NormMode::Train { groups: 2 }, false, None).is_err());
    let wide = Tensor::zeros([3, 4, 1, 1], (Kind::Float, Device::Cpu));
    assert!(no_grad(|| case.norm.forward(case.x.shallow_clone(), NormMode::Eval, false, Some(&wide))).is_err());
}

#[test]
fn frozen_norms_let_a_gradient_through() {
    let mut case = case([2, 5, 3, 3], Kind::Float, false, 0.2);
    case.norm.weight = case.norm.weight.detach();
    case.norm.bias = case.norm.bias.detach();
    assert!(case.norm.forward(case.x.shallow_clone(), NormMode::Eval, true, None).unwrap().requires_grad());
    assert!(
        !no_grad(|| case.norm.forward(case.x.shallow_clone(), NormMode::Eval, true, None)).unwrap().requires_grad()
    );
}

/// Security review, S10: the kernels trust what the shim has checked.
#[test]
fn s10_layers_and_residuals_that_do_not_fit_are_errors() {
    let vector = |n: i64| Tensor::ones([n], (Kind::Float, Device::Cpu));
    let parts = |n: [i64; 4]| BatchNorm::from_parts(vector(n[0]), vector(n[1]), vector(n[2]), vector(n[3]));
    for n in [[4, 1, 4, 4], [4, 4, 1, 4], [4, 4, 4, 1], [0, 0, 0, 0]] {
        assert!(parts(n).is_err(), "{n:?}");
    }
    let wide = vector(8);
    for part in [wide.to_kind(Kind::Double).narrow(0, 0, 4), wide.slice(0, 0, 8, 2), vector(4).view([2, 2])] {
        assert!(BatchNorm::from_parts(vector(4), part, vector(4), vector(4)).is_err());
    }
    // A layer of 1 channel for an input of 64: the kernel would read and write 63 values past its vectors.
    let x = channels_last(&Tensor::ones([4, 64, 2, 2], (Kind::Float, Device::Cpu))).unwrap();
    let narrow = parts([1; 4]).unwrap();
    for mode in [NormMode::Train { groups: 1 }, NormMode::Eval] {
        let error = no_grad(|| narrow.forward(x.copy(), mode, true, None)).unwrap_err().to_string();
        assert!(error.contains("must be 64 contiguous float32 values"), "{error}");
    }
    // No channels: the kernels divide by their number.
    let none = channels_last(&Tensor::ones([4, 0, 2, 2], (Kind::Float, Device::Cpu))).unwrap();
    for mode in [NormMode::Train { groups: 1 }, NormMode::Eval] {
        assert!(no_grad(|| narrow.forward(none.copy(), mode, true, None)).is_err());
    }
    let fits = parts([64; 4]).unwrap();
    for residual in [x.to_kind(Kind::BFloat16), x.narrow(0, 0, 2), x.to_device(Device::Cpu).unsqueeze(0)] {
        for mode in [NormMode::Train { groups: 1 }, NormMode::Eval] {
            assert!(no_grad(|| fits.forward(x.copy(), mode, true, Some(&residual))).is_err());
        }
    }
}

#[test]
fn a_frozen_layer_ignores_the_batch_and_learns_nothing() {
    let mut store = ParameterStore::new();
    let mut norm = BatchNorm::new(&mut store, "bn1", 3, Affine::ScaleAndShift, Device::Cpu).unwrap();
    let names: Vec<&str> = store.iter().map(|(name, _, _)| name).collect();
    assert_eq!(names, ["bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked"]);
    let case = case([4, 3, 2, 2], Kind::Float, false, 0.0);
    let forward = |norm: &BatchNorm| norm.forward(case.x.shallow_clone(), NormMode::Train { groups: 1 }, false, None);
    let batch = forward(&norm).unwrap();
    assert_eq!(store.export("")["bn1.num_batches_tracked"].int64_value(&[]), 1);
    assert!(store.parameters().iter().all(Tensor::requires_grad));
    norm.freeze();
    assert_eq!(norm.training(), NormTraining::Frozen);
    let before = store.export("");
    let frozen = forward(&norm).unwrap();
    assert!(store.identical(&before), "statistics and counter stay");
    assert!(relative_error(&frozen, &batch) > 1e-3);
    let wanted = no_grad(|| norm.forward(case.x.shallow_clone(), NormMode::Eval, false, None)).unwrap();
    assert!(relative_error(&frozen, &wanted) < 1e-6);
    assert!(frozen.requires_grad(), "the gradient passes through to x");
    assert_eq!(store.trainable().count(), 0, "nothing of it is left to train");
    // What is no parameter is neither learned nor saved.
    for (affine, wanted) in [(Affine::Scale, &["fc.4.weight"] as &[&str]), (Affine::No, &[])] {
        let mut store = ParameterStore::new();
        BatchNorm::new(&mut store, "fc.4", 3, affine, Device::Cpu).unwrap();
        assert_eq!(store.named_parameters().map(|(name, _)| name).collect::<Vec<_>>(), wanted);
        assert_eq!(store.iter().count(), wanted.len() + 3, "and running statistics");
    }
}

#[test]
fn small_variances_are_raised_to_a_fraction_of_the_mean() {
    let part = |values: &[f32]| Tensor::from_slice(values);
    let norm =
        BatchNorm::from_parts(part(&[1.0; 3]), part(&[0.0; 3]), part(&[0.0; 3]), part(&[0.0, 1.0, 5.0])).unwrap();
    norm.limit_variance(0.01).unwrap();
    assert_eq!(Vec::<f32>::try_from(norm.statistics()[1]).unwrap(), [0.02, 1.0, 5.0]);
}
