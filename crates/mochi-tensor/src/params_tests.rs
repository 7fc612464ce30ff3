//! Loading: everything that does not fit is reported at once, and nothing is written then.

use super::*;
use crate::Kind;

fn store(value: f64) -> ParameterStore {
    let full = |shape: &[i64]| Tensor::full(shape, value, (Kind::Float, Device::Cpu));
    let mut store = ParameterStore::new();
    for (name, shape) in [("conv1.weight", vec![4, 3, 3, 3]), ("fc.weight", vec![2, 4]), ("fc.bias", vec![2])] {
        let _ = store.add(name, full(&shape), Role::Parameter);
    }
    let _ = store.add("bn1.running_mean", full(&[4]), Role::Buffer);
    let _ = store.add(
        "bn1.num_batches_tracked",
        Tensor::full([0i64; 0], value as i64, (Kind::Int64, Device::Cpu)),
        Role::Counter,
    );
    store
}

/// House review, defect 22.
#[test]
fn h6_22_all_differences_are_reported_at_once_and_nothing_is_written() {
    let network = store(1.0);
    let before = network.export("");
    let mut source = store(2.0).export("q.");
    source.remove("q.fc.bias");
    source.remove("q.bn1.running_mean");
    source.insert("q.fc.weight".to_owned(), Tensor::zeros([3, 4], (Kind::Float, Device::Cpu)));
    source.insert("q.layer9.weight".to_owned(), Tensor::zeros([1], (Kind::Float, Device::Cpu)));
    source.insert("other".to_owned(), Tensor::zeros([1], (Kind::Float, Device::Cpu)));
    let error = network.load(&source, "q.").unwrap_err();
    let TensorError::Load(report) = &error else { panic!("{error}") };
    assert_eq!(report.missing, ["fc.bias", "bn1.running_mean"]);
    assert_eq!(report.unexpected, ["layer9.weight"]);
    assert_eq!(report.mismatched, [Found { name: "fc.weight".into(), shape: vec![3, 4], expected: vec![2, 4] }]);
    assert_eq!(
        error.to_string(),
        "the weights do not fit the network: 2 tensors match; 2 missing: \"q.fc.bias\", \"q.bn1.running_mean\"; 1 unexpected: \
         \"q.layer9.weight\"; 1 of another shape: \"q.fc.weight\" [3, 4], expected [2, 4]"
    );
    assert!(network.identical(&before));
}

#[test]
fn h6_22_other_networks_in_a_file_are_ignored_only_by_name() {
    let network = store(1.0);
    let mut source = store(2.0).export("");
    source.extend(store(3.0).export("key."));
    assert!(matches!(network.load(&source, ""), Err(TensorError::Load(_))));
    network.load_ignoring(&source, "", &["key."]).unwrap();
    assert!(network.identical(&store(2.0).export("")));
    network.load(&source, "key.").unwrap();
    assert!(network.identical(&store(3.0).export("")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    crate::write_tensors(&path, &source, &BTreeMap::new()).unwrap();
    assert!(matches!(network.load_file(&path, "", &[]), Err(TensorError::Load(_))));
    network.load_file(&path, "", &["key."]).unwrap();
    assert!(network.identical(&store(2.0).export("")));
    network.load_file(&path, "key.", &[]).unwrap();
    assert!(network.identical(&store(3.0).export("")));
}

#[test]
fn weights_without_counters_load_as_in_torch() {
    let network = store(5.0);
    let mut source = store(2.0).export("");
    source.remove("bn1.num_batches_tracked");
    network.load(&source, "").unwrap();
    assert_eq!(network.export("")["bn1.num_batches_tracked"].int64_value(&[]), 0);
}

#[test]
fn frozen_parameters_are_not_trained() {
    let mut network = store(1.0);
    assert_eq!((network.parameters().len(), network.trainable().count()), (3, 3));
    network.set_requires_grad(false);
    assert_eq!((network.parameters().len(), network.trainable().count()), (3, 0));
    assert_eq!(network.parameter_count(), 4 * 27 + 8 + 2);
}
