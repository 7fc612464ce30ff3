//! Each rule against its formula written out in float64.

use super::*;
use crate::params::Role;
use crate::{Device, Kind};

fn store(seed: f64) -> ParameterStore {
    let values = |n: i64| (Tensor::arange(n, (Kind::Float, Device::Cpu)) * seed).sin();
    let mut store = ParameterStore::new();
    let _ = store.add("weight", values(12).view([3, 4]), Role::Parameter);
    let _ = store.add("running", values(2), Role::Buffer);
    let _ = store.add("bias", values(3), Role::Parameter);
    // A kernel as the networks keep it, channels innermost: its gradient arrives in another order of memory.
    let kernel = crate::compute::channels_last(&values(36).view([2, 3, 3, 2])).unwrap();
    let _ = store.add("kernel", kernel, Role::Parameter);
    store
}

/// A loss whose gradient at each parameter is a fixed tensor times `scale`.
fn backward(store: &ParameterStore, scale: f64) -> Vec<Tensor> {
    let mut wanted = Vec::new();
    let mut loss = Tensor::zeros([], (Kind::Float, Device::Cpu));
    for p in store.parameters() {
        let g = (Tensor::arange(p.numel() as i64, (Kind::Float, Device::Cpu)).cos() * scale).view_as(&p);
        loss += (&p * &g).sum(Kind::Float);
        wanted.push(g.to_kind(Kind::Double));
    }
    loss.backward();
    wanted
}

fn optimizer(update: Update, weight_decay: f64, prefix: &str, store: &ParameterStore) -> Optimizer {
    let group = ParameterGroup::new(1.0, weight_decay).with(store, prefix, |_| true);
    Optimizer::new(update, 0.9, vec![group]).unwrap()
}

fn run(update: Update, reference: impl Fn(&Tensor, &Tensor) -> (Tensor, f64)) {
    let (lr, mu) = (0.1, 0.9);
    let store = store(0.7);
    let mut optimizer = optimizer(update, 1e-2, "query.", &store);
    let mut p: Vec<Tensor> = store.parameters().iter().map(|p| p.detach().to_kind(Kind::Double)).collect();
    let mut m: Vec<Tensor> = p.iter().map(Tensor::zeros_like).collect();
    for step in 0..4 {
        optimizer.clear_gradients().unwrap();
        let gradients = backward(&store, 1.0 + f64::from(step));
        optimizer.step(lr).unwrap();
        for i in 0..p.len() {
            let (g, factor) = reference(&p[i], &gradients[i]);
            m[i] = &m[i] * mu + g * factor;
            p[i] = &p[i] - &m[i] * lr;
        }
    }
    for (ours, wanted) in store.parameters().iter().zip(&p) {
        let error = (ours.to_kind(Kind::Double) - wanted).abs().max().double_value(&[]);
        assert!(error < 1e-6, "{update:?}: {error:e}");
    }
}

#[test]
fn sgd_follows_its_formula() {
    run(Update::Sgd, |p, g| (g + p * 1e-2, 1.0));
}

#[test]
fn lars_follows_its_formula() {
    run(Update::Lars, |p, g| {
        if p.dim() < 2 {
            return (g.shallow_clone(), 1.0);
        }
        let g = g + p * 1e-2;
        let factor = TRUST * p.norm().double_value(&[]) / g.norm().double_value(&[]);
        (g, factor)
    });
}

/// `torch.optim.AdamW`'s formula; no weight decay on vectors.
#[test]
fn adamw_follows_its_formula() {
    let (lr, beta1, beta2, decay) = (0.1, 0.9, 0.999f64, 1e-2);
    let store = store(0.7);
    let mut optimizer = optimizer(Update::AdamW, decay, "query.", &store);
    let mut p: Vec<Tensor> = store.parameters().iter().map(|p| p.detach().to_kind(Kind::Double)).collect();
    let zeros = || p.iter().map(Tensor::zeros_like).collect::<Vec<_>>();
    let (mut m, mut v) = (zeros(), zeros());
    for step in 1..=4 {
        optimizer.clear_gradients().unwrap();
        let gradients = backward(&store, f64::from(step));
        optimizer.step(lr).unwrap();
        for (i, g) in gradients.iter().enumerate() {
            let kept = if p[i].dim() > 1 { 1.0 - lr * decay } else { 1.0 };
            m[i] = &m[i] * beta1 + g * (1.0 - beta1);
            v[i] = &v[i] * beta2 + g.square() * (1.0 - beta2);
            let (mean, square) = (&m[i] / (1.0 - beta1.powi(step)), &v[i] / (1.0 - beta2.powi(step)));
            p[i] = &p[i] * kept - mean / (square.sqrt() + 1e-8) * lr;
        }
    }
    for (ours, wanted) in store.parameters().iter().zip(&p) {
        let error = (ours.to_kind(Kind::Double) - wanted).abs().max().double_value(&[]);
        assert!(error < 1e-6, "{error:e}");
    }
}

#[test]
fn saved_state_continues_bit_for_bit() {
    [Update::Sgd, Update::AdamW].into_iter().for_each(saved_state_continues);
}

fn saved_state_continues(update: Update) {
    let steps = |store: &ParameterStore, optimizer: &mut Optimizer, n: usize| {
        for _ in 0..n {
            optimizer.clear_gradients().unwrap();
            backward(store, 0.5);
            optimizer.step(0.05).unwrap();
        }
    };
    let straight = store(0.7);
    let mut optimizer = self::optimizer(update, 1e-4, "", &straight);
    steps(&straight, &mut optimizer, 5);

    let first = store(0.7);
    let mut optimizer = self::optimizer(update, 1e-4, "", &first);
    steps(&first, &mut optimizer, 2);
    let (weights, state) = (first.export(""), optimizer.export());
    // Later steps do not move what was saved: buffers on the CPU were once the optimizer's own.
    steps(&first, &mut optimizer, 1);
    let second = store(0.1);
    second.load(&weights, "").unwrap();
    let mut resumed = self::optimizer(update, 1e-4, "", &second);
    resumed.load(&state).unwrap();
    steps(&second, &mut resumed, 3);
    assert!(second.identical(&straight.export("")));
    assert!(matches!(resumed.load(&BTreeMap::new()), Err(TensorError::Mismatch(_))));
}

#[test]
fn the_momentum_update_moves_parameters_in_place_and_leaves_buffers() {
    let (key, query) = (store(0.3), store(0.9));
    let before = key.export("");
    let place = key.parameters()[0].data_ptr();
    momentum_update(&key, &query, 0.99).unwrap();
    let after = key.export("");
    let wanted = &before["weight"] * 0.99 + query.export("")["weight"].shallow_clone() * 0.01;
    assert!((&after["weight"] - wanted).abs().max().double_value(&[]) < 1e-6);
    assert!(after["running"].equal(&before["running"]));
    assert_eq!(place, key.parameters()[0].data_ptr());
}

#[test]
fn a_parameter_without_gradient_is_named() {
    let store = store(0.7);
    let mut optimizer = optimizer(Update::Sgd, 0.0, "query.", &store);
    let error = optimizer.step(0.1).unwrap_err().to_string();
    assert!(error.contains("query.weight"), "{error}");
}

/// House review, defect 23.
#[test]
fn h6_23_no_update_waits_for_the_device() {
    for update in [Update::Sgd, Update::Lars] {
        let store = store(0.7);
        let mut optimizer = optimizer(update, 1e-4, "", &store);
        backward(&store, 1.0);
        let work = || optimizer.clip_gradients(1.0).and_then(|_| optimizer.step(0.1));
        let (result, waits) = crate::calls::count_calls(&crate::calls::WAITS, work).unwrap();
        result.unwrap();
        assert_eq!(waits, 0, "{update:?}");
    }
}

#[test]
fn groups_have_their_own_rate_and_decay() {
    let (grouped, plain, frozen_decay) = (store(0.7), store(0.7), store(0.7));
    let group = |rate, decay| ParameterGroup::new(rate, decay);
    let is_bias = |name: &str| name == "bias";
    let groups =
        vec![group(1.0, 1e-2).with(&grouped, "", |name| !is_bias(name)), group(10.0, 0.0).with(&grouped, "", is_bias)];
    let mut two = Optimizer::new(Update::Sgd, 0.9, groups).unwrap();
    let mut one = optimizer(Update::Sgd, 1e-2, "", &plain);
    let mut bias = optimizer(Update::Sgd, 0.0, "", &frozen_decay);
    for _ in 0..3 {
        for (optimizer, store, rate) in
            [(&mut two, &grouped, 0.01), (&mut one, &plain, 0.01), (&mut bias, &frozen_decay, 0.1)]
        {
            optimizer.clear_gradients().unwrap();
            backward(store, 1.0);
            optimizer.step(rate).unwrap();
        }
    }
    let (two, one, bias) = (grouped.export(""), plain.export(""), frozen_decay.export(""));
    assert_eq!((&two["weight"], &two["kernel"]), (&one["weight"], &one["kernel"]));
    assert!((&two["bias"] - &bias["bias"]).abs().max().double_value(&[]) < 1e-6);
    let twice = vec![group(1.0, 0.0).with(&grouped, "", |_| true), group(1.0, 0.0).with(&grouped, "", is_bias)];
    assert!(matches!(Optimizer::new(Update::Sgd, 0.9, twice), Err(TensorError::Mismatch(_))));
}

/// Against the definition of `torch.nn.utils.clip_grad_norm_`, in float64.
#[test]
fn clipping_equals_torchs() {
    for (max_norm, scale) in [(0.5, 1.0), (1e6, 1.0), (2.0, 0.0)] {
        let store = store(0.7);
        let mut optimizer = optimizer(Update::Sgd, 0.0, "", &store);
        let gradients = backward(&store, scale);
        let norm = gradients.iter().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt();
        let found = optimizer.clip_gradients(max_norm).unwrap().double_value(&[]);
        assert!((found - norm).abs() <= 1e-5 * norm, "{found}, not {norm}");
        let factor = (max_norm / (norm + 1e-6)).min(1.0);
        for (p, g) in store.parameters().iter().zip(&gradients) {
            let error = (p.grad().to_kind(Kind::Double) - g * factor).abs().max().double_value(&[]);
            assert!(error <= 1e-6 * (1.0 + norm * factor), "{max_norm}: {error:e}");
        }
    }
    assert!(Optimizer::new(Update::Sgd, 0.9, Vec::new()).unwrap().clip_gradients(1.0).is_err());
}

/// Security review, S10: an expanded parameter has one element in memory for many; the fused kernel would write past it.
#[test]
fn s10_a_parameter_whose_elements_overlap_is_refused() {
    let mut store = ParameterStore::new();
    let one = Tensor::ones([1, 1], (Kind::Float, Device::Cpu));
    let _ = store.add("expanded", one.expand([64, 64], false).detach(), Role::Parameter);
    let mut optimizer = optimizer(Update::Sgd, 0.0, "", &store);
    store.parameters()[0].sum(Kind::Float).backward();
    let error = optimizer.step(0.1).unwrap_err().to_string();
    assert!(error.contains("overlap"), "{error}");
}
