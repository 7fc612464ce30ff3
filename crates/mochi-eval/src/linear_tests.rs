use super::*;
use crate::draws::normal;
use crate::features::tests::features;
use std::time::Duration;

fn quiet() -> impl FnMut(Progress) {
    |_| ()
}

/// `n` rows of `classes` clouds around the corners of a cube; `spread` 0 makes them points, a large one noise.
fn clouds(n: usize, classes: u32, spread: f64, seed: u64) -> Features {
    let noise = normal(n * 8, spread, seed);
    let labels: Vec<u32> = (0..n).map(|i| u32::try_from(i).unwrap() * 7919 % classes).collect();
    let values: Vec<f32> = noise
        .chunks(8)
        .zip(&labels)
        .flat_map(|(row, &class)| {
            row.iter().enumerate().map(move |(j, v)| v + if class >> (j % 3) & 1 == 1 { 1.0 } else { -1.0 })
        })
        .collect();
    let rows: Vec<&[f32]> = values.chunks(8).collect();
    let names: Vec<String> = (0..classes).map(|c| format!("class {c}")).collect();
    features(&rows, &labels, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn options(epochs: usize) -> LinearOptions {
    LinearOptions { epochs: Some(epochs), batch: 64, ..LinearOptions::default() }
}

#[test]
fn separable_classes_are_separated_and_noise_is_at_chance() {
    let result =
        linear_cached(&clouds(400, 4, 0.2, 1), &clouds(200, 4, 0.2, 2), &options(20), None, &mut quiet()).unwrap();
    assert_eq!((result.top1, result.top5, result.validation_top1), (100.0, 100.0, Some(100.0)), "{result:?}");
    assert_eq!(result.sweep.len(), 8);

    let noise = |n, seed| {
        let values = mochi_tensor::from_f32(&normal(n * 8, 1.0, seed), &[as_i64(n), 8]).unwrap();
        Features { values, ..clouds(n, 4, 1.0, 0) }
    };
    let result = linear_cached(&noise(1000, 1), &noise(1000, 2), &options(10), None, &mut quiet()).unwrap();
    // Chance is 25 %, its standard error over 1,000 images 1.4 %.
    assert!((result.top1 - 25.0).abs() < 7.0, "{result:?}");
}

#[test]
fn the_same_seed_gives_the_same_result_and_scale_does_not_matter() {
    let (train, test) = (clouds(300, 5, 1.0, 1), clouds(200, 5, 1.0, 2));
    let evaluate = |train: &Features, test: &Features, seed| {
        let mut result =
            linear_cached(train, test, &LinearOptions { seed, ..options(10) }, None, &mut quiet()).unwrap();
        result.seconds = 0.0;
        result
    };
    let first = evaluate(&train, &test, 3);
    assert_eq!(first, evaluate(&train, &test, 3));
    // Another seed holds out 30 other images.
    assert_ne!(first.sweep, evaluate(&train, &test, 4).sweep);
    let scaled = |f: &Features| Features {
        values: &f.values * 1024.0 + 512.0,
        labels: f.labels.clone(),
        images: f.images.clone(),
        class_names: f.class_names.clone(),
        bad_images: vec![],
        source: f.source,
    };
    let other = evaluate(&scaled(&train), &scaled(&test), 3);
    assert!((other.top1 - first.top1).abs() <= 1.0, "{} and {}", other.top1, first.top1);
}

#[test]
fn the_learning_rate_does_not_depend_on_the_test_split() {
    let (train, test) = (clouds(300, 5, 1.0, 1), clouds(200, 5, 1.0, 2));
    let mut wrong = clouds(200, 5, 1.0, 2);
    wrong.labels.reverse();
    let a = linear_cached(&train, &test, &options(10), None, &mut quiet()).unwrap();
    let b = linear_cached(&train, &wrong, &options(10), None, &mut quiet()).unwrap();
    assert_eq!((a.learning_rate, &a.sweep, a.validation_top1), (b.learning_rate, &b.sweep, b.validation_top1));
    assert!(a.top1 > b.top1 + 10.0);
}

#[test]
fn progress_covers_both_stages_and_one_rate_needs_no_sweep() {
    let (train, test) = (clouds(60, 2, 0.2, 1), clouds(20, 2, 0.2, 2));
    let mut seen = vec![];
    linear_cached(&train, &test, &options(2), None, &mut |p| seen.push((p.stage, p.done, p.total))).unwrap();
    assert_eq!(seen, [(Stage::Sweep, 1, 2), (Stage::Sweep, 2, 2), (Stage::Fit, 1, 2), (Stage::Fit, 2, 2)]);
    let one = LinearOptions { learning_rates: vec![10.0], ..options(5) };
    let result = linear_cached(&train, &test, &one, None, &mut quiet()).unwrap();
    assert_eq!(
        (result.top1, result.learning_rate, result.validation_top1, result.learning_rate_at_edge),
        (100.0, 10.0, None, false)
    );
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(
        (&json["protocol"], json.get("sweep"), json.get("recipe")),
        (&serde_json::json!("linear-cached/1"), None, None)
    );
}

#[test]
fn the_smaller_of_equal_rates_is_selected_and_diverged_ones_never() {
    let points = |top1: &[Option<f64>]| -> Vec<SweepPoint> {
        top1.iter()
            .enumerate()
            .map(|(i, &validation_top1)| SweepPoint { learning_rate: (i + 1) as f64, validation_top1 })
            .collect()
    };
    assert_eq!(select(&points(&[Some(10.0), None, Some(30.0), Some(30.0)])), Some((3.0, Some(30.0))));
    assert_eq!(select(&points(&[None, Some(0.0)])), Some((2.0, Some(0.0))));
    assert_eq!(select(&points(&[None, None])), None);
}

#[test]
fn invalid_input_is_refused() {
    let pair = features(&[&[1.0], &[2.0]], &[0, 1], &["a", "b"]);
    let refused = |o: LinearOptions| linear_cached(&pair, &pair, &o, None, &mut quiet()).unwrap_err();
    // One image per class: nothing to hold out.
    assert!(matches!(refused(options(1)), EvalError::NothingToHoldOut));
    for rates in [vec![], vec![0.0, 1.0], vec![2.0, 1.0], vec![f64::NAN]] {
        assert!(matches!(refused(LinearOptions { learning_rates: rates, ..options(1) }), EvalError::Option { .. }));
    }
    assert!(matches!(refused(LinearOptions { batch: 0, ..options(1) }), EvalError::Option { .. }));
    assert!(matches!(refused(LinearOptions { epochs: Some(0), ..options(1) }), EvalError::Option { .. }));
    let dogs = features(&[&[1.0]], &[0], &["dog"]);
    assert!(matches!(
        linear_cached(&pair, &dogs, &options(1), None, &mut quiet()),
        Err(EvalError::UnknownClasses { .. })
    ));
    assert_eq!(
        (default_epochs(1), default_epochs(15_000), default_epochs(60_000), default_epochs(1_281_167)),
        (100, 100, 25, 20)
    );
}

#[test]
fn a_rate_scores_the_same_whatever_other_rates_are_in_the_sweep() {
    // Twelve classes: groups of four rates, then of two; the groups' threads and products differ, the classifiers do not.
    let (train, test) = (clouds(360, 12, 0.8, 1), clouds(120, 12, 0.8, 2));
    let evaluate = |rates: &[f64]| {
        let options = LinearOptions { learning_rates: rates.to_vec(), ..options(8) };
        linear_cached(&train, &test, &options, None, &mut quiet()).unwrap()
    };
    let (many, few) = (evaluate(&[1e-6, 0.3, 1.0, 3.0, 10.0, 30.0]), evaluate(&[1e-6, 30.0]));
    assert_eq!(many.sweep.iter().map(|p| p.learning_rate).collect::<Vec<_>>(), [1e-6, 0.3, 1.0, 3.0, 10.0, 30.0]);
    let top1 = |point: Option<&SweepPoint>| point.and_then(|p| p.validation_top1).unwrap();
    // At most one of the 36 held-out images may depend on rounding.
    assert!((top1(many.sweep.first()) - top1(few.sweep.first())).abs() < 100.0 / 35.0);
    assert!((top1(many.sweep.last()) - top1(few.sweep.last())).abs() < 100.0 / 35.0);
    // A rate that is too small stays near chance (8 %): each score belongs to its own rate.
    assert!(top1(many.sweep.first()) + 20.0 < top1(many.sweep.last()), "{:?}", many.sweep);
}

// prose.md, factual errors: divergence was reported as a lack of classes.
#[test]
fn divergence_is_reported_as_such_with_and_without_a_sweep() {
    let (train, test) = (clouds(60, 2, 0.2, 1), clouds(20, 2, 0.2, 2));
    let refused = |rates: &[f64]| {
        let options = LinearOptions { learning_rates: rates.to_vec(), ..options(5) };
        linear_cached(&train, &test, &options, None, &mut quiet()).unwrap_err()
    };
    let error = refused(&[1e39, 1e40]);
    assert_eq!(
        error.to_string(),
        format!("the linear classifier diverged at all 2 learning rates ({} to {})", 1e39, 1e40)
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("smaller learning rate")));
    assert!(matches!(refused(&[1e39]), EvalError::Diverged { learning_rates } if learning_rates == [1e39]));
}

/// Twelve classes: eight rates are groups of four, so that a third rank has none. The last rate diverges.
#[test]
fn ranks_select_and_train_what_one_process_does() {
    let learning_rates = vec![0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e39];
    let options = LinearOptions { learning_rates, ..options(6) };
    let evaluate = |group: Option<&Group>| {
        let mut stages = vec![];
        let (train, test) = (clouds(360, 12, 0.8, 1), clouds(120, 12, 0.8, 2));
        let result = linear_cached(&train, &test, &options, group, &mut |p| stages.push(p.stage)).unwrap();
        let swept = stages.iter().filter(|&&stage| stage == Stage::Sweep).count();
        (LinearResult { seconds: 0.0, ..result }, swept)
    };
    let (one, swept) = evaluate(None);
    assert!(swept == 6 && one.top1 > 30.0 && one.sweep[7].validation_top1.is_none(), "{one:?}");
    for size in [2, 3] {
        let found = Group::of_threads(size, Duration::from_secs(60), |group| evaluate(Some(&group))).unwrap();
        for (rank, (result, swept)) in found.into_iter().enumerate() {
            assert_eq!((&result, swept), (&one, if rank < 2 { 6 } else { 0 }), "rank {rank} of {size}");
        }
    }
}
