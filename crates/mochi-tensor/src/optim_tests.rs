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

fn run(update: Update, reference: impl Fn(&Tensor, &Tensor) -> (Tensor, f64)) {
    let (lr, mu) = (0.1, 0.9);
    let store = store(0.7);
    let mut optimizer = Optimizer::new(update, mu, 1e-2, &[("query.", &store)]);
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

#[test]
fn saved_state_continues_bit_for_bit() {
    let steps = |store: &ParameterStore, optimizer: &mut Optimizer, n: usize| {
        for _ in 0..n {
            optimizer.clear_gradients().unwrap();
            backward(store, 0.5);
            optimizer.step(0.05).unwrap();
        }
    };
    let straight = store(0.7);
    let mut optimizer = Optimizer::new(Update::Sgd, 0.9, 1e-4, &[("", &straight)]);
    steps(&straight, &mut optimizer, 5);

    let first = store(0.7);
    let mut optimizer = Optimizer::new(Update::Sgd, 0.9, 1e-4, &[("", &first)]);
    steps(&first, &mut optimizer, 2);
    let second = store(0.1);
    second.load(&first.export(""), "").unwrap();
    let mut resumed = Optimizer::new(Update::Sgd, 0.9, 1e-4, &[("", &second)]);
    resumed.load(&optimizer.export()).unwrap();
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
    let mut optimizer = Optimizer::new(Update::Sgd, 0.9, 0.0, &[("query.", &store)]);
    let error = optimizer.step(0.1).unwrap_err().to_string();
    assert!(error.contains("query.weight"), "{error}");
}
