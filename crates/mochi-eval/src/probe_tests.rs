use super::*;
use mochi_tensor::read_tensors;
use std::path::Path;

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

#[test]
fn a_trajectory_equals_pytorch_in_float64() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/linear.safetensors");
    let (t, _) = read_tensors(&path).unwrap();
    let rates = Vec::<f64>::try_from(&t["rates"]).unwrap();
    let factors = Vec::<f64>::try_from(&t["factors"]).unwrap();
    let rows = crate::standardize::with_ones(&t["rows"]).unwrap();
    // Both rates at once, and each by itself: they are independent.
    let mut both = Probe::from_weights(&t["start"], &rates).unwrap();
    let mut alone: Vec<Probe> = rates.iter().map(|&rate| Probe::from_weights(&t["start"], &[rate]).unwrap()).collect();
    for (i, &factor) in factors.iter().enumerate() {
        let batch = t["batches"].get(as_i64(i));
        let (x, y) = (rows.index_select(0, &batch), t["labels"].index_select(0, &batch));
        both.step(&x, &y, factor).unwrap();
        alone.iter_mut().for_each(|probe| probe.step(&x, &y, factor).unwrap());
    }
    let apart = |a: &Tensor| (a - &t["after"]).abs().max().double_value(&[]);
    assert!(apart(both.weights()) < 1e-12, "{}", apart(both.weights()));
    let joined = Tensor::cat(&alone.iter().map(Probe::weights).collect::<Vec<_>>(), 1);
    assert!(apart(&joined) < 1e-12);
    assert!((both.weights() - t["start"].repeat([1, 2])).abs().max().double_value(&[]) > 0.1);
}

#[test]
fn ranks_break_ties_by_class_number_and_rows_that_are_not_finite_are_wrong() {
    let logits = Tensor::from_slice(&[1.0, 1.0, 0.0, f64::NAN, 2.0, 3.0, f64::INFINITY, 0.0, 0.0, 5.0, 4.0, 3.0])
        .view([4, 1, 3]);
    let rank = |truth: i64| {
        Vec::<i64>::try_from(
            ranks(&logits, &Tensor::full([4, 1, 1], truth, (Kind::Int64, Device::Cpu))).unwrap().view([4]),
        )
        .unwrap()
    };
    let (first, second, third) = (rank(0), rank(1), rank(2));
    assert_eq!([first[0], second[0], third[0]], [0, 1, 2]);
    assert_eq!([first[3], second[3], third[3]], [0, 1, 2]);
    for broken in [1, 2] {
        assert!([&first, &second, &third].iter().all(|r| r[broken] >= 5));
    }
}

#[test]
fn a_classifier_that_diverges_does_not_affect_the_others() {
    let start = Tensor::zeros([3, 2], DOUBLE);
    let rows = Tensor::from_slice(&[1e300, 1.0, 1.0, -1e300, 0.5, 1.0]).view([2, 3]);
    let labels = Tensor::from_slice(&[0i64, 1]);
    let mut probe = Probe::from_weights(&start, &[1e-310, 1e100]).unwrap();
    for _ in 0..3 {
        probe.step(&rows, &labels, 1.0).unwrap();
    }
    assert_eq!(probe.finite().unwrap(), [true, false]);
    let accuracy = probe.accuracy(&rows, &labels, &Tensor::from_slice(&[0i64, 1])).unwrap();
    assert_eq!(accuracy.top1, [100.0, 0.0]);
    assert_eq!(accuracy.top5, [100.0, 0.0]);
}
