use super::*;
use crate::features::as_i64;
use crate::features::tests::features;
use mochi_tensor::{Kind, Tensor, read_tensors};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

fn quiet() -> impl FnMut(Progress) {
    |_| ()
}

/// A problem and NumPy's answers in float64 (`tests/fixtures/make_eval.py`).
fn fixture() -> (Features, Features, Tensor, Vec<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/knn.safetensors");
    let (tensors, _) = read_tensors(&path).unwrap();
    let split = |name: &str| {
        let labels: Vec<i64> = Vec::try_from(&tensors[&format!("{name}_labels")]).unwrap();
        Features {
            values: tensors[name].copy(),
            images: (0u32..).take(labels.len()).collect(),
            labels: labels.iter().map(|&l| u32::try_from(l).unwrap()).collect(),
            class_names: (0..7).map(|c| format!("class {c}")).collect(),
            bad_images: vec![],
            source: FeatureSource::Backbone,
        }
    };
    (split("train"), split("test"), tensors["shares"].copy(), Vec::try_from(&tensors["accuracy"]).unwrap())
}

#[test]
fn votes_and_accuracies_are_those_of_numpy() {
    let (train, test, shares, accuracy) = fixture();
    let options = KnnOptions { k: Some(9), temperature: 0.1 };
    for (i, row) in scores(&train, &test, (9, 0.1), CHUNK, None, &mut quiet()).unwrap() {
        let total: f64 = row.iter().map(|(_, score)| score).sum();
        let mut votes = [0.0; 7];
        row.iter().for_each(|&(class, score)| votes[class as usize] = score / total);
        for (class, vote) in votes.iter().enumerate() {
            let wanted = shares.double_value(&[as_i64(i), as_i64(class)]);
            // float32 cosines, divided by t = 0.1: ten times their rounding.
            assert!((vote - wanted).abs() < 1e-5, "row {i}, class {class}: {vote} and {wanted}");
        }
    }
    let mut seen = vec![];
    let result = knn(&train, &test, &options, None, &mut |p| seen.push((p.done, p.total))).unwrap();
    assert!(
        (result.top1 - accuracy[0]).abs() < 1e-9 && (result.top5 - accuracy[1]).abs() < 1e-9,
        "{result:?}, {accuracy:?}"
    );
    assert!(result.top1 < result.top5);
    assert_eq!(seen, [(40, 40)]);
}

#[test]
fn chunk_sizes_change_nothing() {
    let (train, test, _, _) = fixture();
    let whole = scores(&train, &test, (9, 0.1), (1000, 1000), None, &mut quiet()).unwrap();
    for chunk in [(1, 1), (3, 16), (40, 7), (7, 90), (13, 89)] {
        let in_chunks = scores(&train, &test, (9, 0.1), chunk, None, &mut quiet()).unwrap();
        for ((_, a), (_, b)) in whole.iter().zip(&in_chunks) {
            assert_eq!(a.iter().map(|s| s.0).collect::<Vec<_>>(), b.iter().map(|s| s.0).collect::<Vec<_>>());
            // Products of other shapes may round differently in the last bit, nothing else.
            assert!(a.iter().zip(b).all(|(a, b)| (a.1 - b.1).abs() <= 1e-5 * a.1), "{a:?} and {b:?}");
        }
    }
}

#[test]
fn only_the_direction_of_a_feature_vector_counts() {
    // The nearest by euclidean distance is of the wrong class; by cosine, of the right one.
    let train = features(&[&[100.0, 1.0], &[0.9, 1.1]], &[0, 1], &["far", "near"]);
    let test = features(&[&[1.0, 0.01]], &[0], &["far", "near"]);
    assert_eq!(
        knn(&train, &test, &KnnOptions { k: Some(1), temperature: 0.1 }, None, &mut quiet()).unwrap().top1,
        100.0
    );
}

#[test]
fn ties_zeros_and_tiny_temperatures_are_decided() {
    // Two classes at the same cosine: the smaller number wins; k is clamped.
    let train = features(&[&[1.0, 0.0], &[1.0, 0.0], &[0.0, 0.0]], &[1, 0, 2], &["a", "b", "c"]);
    let test = features(&[&[2.0, 0.0], &[0.0, 0.0]], &[0, 0], &["a", "b", "c"]);
    for temperature in [1e-4, 0.1, 1e4] {
        let result = knn(&train, &test, &KnnOptions { k: Some(200), temperature }, None, &mut quiet()).unwrap();
        assert_eq!((result.top1, result.k, result.classes), (100.0, 3, 3), "{result:?}");
    }
    // One neighbor: the earlier of equal training images.
    let result = knn(&train, &test, &KnnOptions { k: Some(1), temperature: 0.1 }, None, &mut quiet()).unwrap();
    assert_eq!((result.top1, result.top5), (0.0, 0.0));
    for (k, temperature) in [(0, 0.1), (1, 0.0), (1, f64::NAN), (1, f64::INFINITY)] {
        let refused = knn(&train, &test, &KnnOptions { k: Some(k), temperature }, None, &mut quiet());
        assert!(matches!(refused, Err(EvalError::Option { .. })));
    }
}

#[test]
fn random_features_are_at_chance_and_test_classes_follow_names() {
    let random = |n: i64, seed: u64| {
        let values: Vec<f32> = crate::draws::normal(usize::try_from(n * 16).unwrap(), 1.0, seed);
        let labels = (0..n).map(|i| u32::try_from(i % 4).unwrap()).collect::<Vec<_>>();
        let rows: Vec<&[f32]> = values.chunks(16).collect();
        features(&rows, &labels, &["a", "b", "c", "d"])
    };
    let result = knn(&random(2000, 1), &random(2000, 2), &KnnOptions::default(), None, &mut quiet()).unwrap();
    // Chance is 25 %, its standard error over 2,000 images 0.97 %.
    assert!((result.top1 - 25.0).abs() < 5.0 && result.top5 == 100.0, "{result:?}");

    let train = features(&[&[1.0, 0.0], &[0.0, 1.0]], &[0, 1], &["ant", "bee"]);
    let only_bees = features(&[&[0.1, 1.0]], &[0], &["bee"]);
    let result = knn(&train, &only_bees, &KnnOptions { k: Some(1), temperature: 0.1 }, None, &mut quiet()).unwrap();
    assert_eq!((result.top1, result.classes), (100.0, 2));
    let dogs = features(&[&[0.1, 1.0]], &[0], &["dog"]);
    assert!(matches!(
        knn(&train, &dogs, &KnnOptions::default(), None, &mut quiet()),
        Err(EvalError::UnknownClasses { .. })
    ));
}

#[test]
fn the_result_serializes_to_the_documented_json() {
    let train = features(&[&[1.0, 0.0], &[0.0, 1.0]], &[0, 1], &["ant", "bee"]);
    let mut result = knn(&train, &train, &KnnOptions { k: Some(1), temperature: 0.1 }, None, &mut quiet()).unwrap();
    result.seconds = 0.5;
    let wanted = concat!(
        r#"{"protocol":"knn/2","top1":100.0,"top1_interval":[100.0,100.0],"top5":100.0,"k":1,"k_automatic":false,"temperature":0.1,"#,
        r#""feature_source":"backbone","train_images":2,"test_images":2,"bad_train_images":0,"bad_test_images":0,"#,
        r#""classes":2,"features":2,"seconds":0.5,"bad_images":{"training":[],"test":[]}}"#
    );
    assert_eq!(serde_json::to_string(&result).unwrap(), wanted);
}

// Scientific review A7: k-NN on embeddings is another protocol, and k follows the training set.
#[test]
fn a7_embeddings_have_a_protocol_of_their_own_and_k_is_half_a_class() {
    let with = |source| Features { source, ..features(&[&[1.0, 0.0], &[0.0, 1.0]], &[0, 1], &["ant", "bee"]) };
    let protocol =
        |source| knn(&with(source), &with(source), &KnnOptions::default(), None, &mut quiet()).unwrap().protocol;
    assert_eq!(protocol(FeatureSource::Backbone), "knn/2");
    assert_eq!(protocol(FeatureSource::Pixels), "knn/2");
    assert_eq!(protocol(FeatureSource::Embedding), "knn-embedding/1");

    assert_eq!(automatic_k(500, 10), 25);
    assert_eq!(automatic_k(50_000, 10), 200);
    assert_eq!(automatic_k(1_281_167, 1000), 200);
    assert_eq!((automatic_k(20, 10), automatic_k(0, 0)), (5, 5));
}

// House review 20: k is bounded before anything is allocated for it.
#[test]
fn h6_20_an_absurd_k_is_refused_and_a_large_one_is_all_images() {
    let pair = features(&[&[1.0, 0.0], &[0.0, 1.0]], &[0, 1], &["ant", "bee"]);
    let run = |k| knn(&pair, &pair, &KnnOptions { k: Some(k), temperature: 0.1 }, None, &mut quiet());
    for k in [0, KnnOptions::MAX_K + 1, 100_000_000, usize::MAX] {
        assert!(matches!(run(k), Err(EvalError::Option { option: "k", .. })), "{k}");
    }
    assert_eq!(run(KnnOptions::MAX_K).unwrap().k, 2);
}

proptest! {
    #[test]
    fn orders_of_the_training_set_do_not_matter_without_ties(seed: u64, k in 1usize..30) {
        let values = crate::draws::normal(30 * 4, 1.0, seed);
        let rows: Vec<&[f32]> = values.chunks(4).collect();
        let labels: Vec<u32> = (0..30).map(|i| i % 3).collect();
        let test = features(&rows[..10], &labels[..10], &["a", "b", "c"]);
        let forward = features(&rows[10..], &labels[10..], &["a", "b", "c"]);
        let (mut back_rows, mut back_labels) = (rows[10..].to_vec(), labels[10..].to_vec());
        back_rows.reverse();
        back_labels.reverse();
        let backward = features(&back_rows, &back_labels, &["a", "b", "c"]);
        prop_assert_eq!(forward.values.kind(), Kind::Float);
        let options = (k.min(20), 0.1);
        let a = scores(&forward, &test, options, CHUNK, None, &mut quiet()).unwrap();
        let b = scores(&backward, &test, options, CHUNK, None, &mut quiet()).unwrap();
        for (a, b) in a.iter().flat_map(|(_, row)| row).zip(b.iter().flat_map(|(_, row)| row)) {
            prop_assert!(a.0 == b.0 && (a.1 - b.1).abs() <= 1e-4 * a.1.max(1e-30));
        }
    }
}

/// 1,100 test rows are three blocks: with four ranks one has nothing to do.
#[test]
fn ranks_count_what_one_process_does() {
    let random = |n: usize, seed: u64| {
        let values = crate::draws::normal(n * 8, 1.0, seed);
        let labels: Vec<u32> = values.chunks(8).map(|row| u32::from(row[0] > 0.3) + u32::from(row[1] > 0.0)).collect();
        let rows: Vec<&[f32]> = values.chunks(8).collect();
        features(&rows, &labels, &["a", "b", "c"])
    };
    let evaluate = |group: Option<&Group>| {
        let mut last = (0, 0);
        let (train, test) = (random(700, 1), random(1100, 2));
        let result = knn(&train, &test, &KnnOptions::default(), group, &mut |p| last = (p.done, p.total)).unwrap();
        (KnnResult { seconds: 0.0, ..result }, last)
    };
    let (one, seen) = evaluate(None);
    assert!(seen == (1100, 1100) && one.top1 > 60.0 && one.top1 < 99.0, "{one:?}");
    for (size, shares) in [(2, &[588, 512][..]), (4, &[512, 512, 76, 0])] {
        let found = Group::of_threads(size, Duration::from_secs(60), |group| evaluate(Some(&group))).unwrap();
        for (rank, (result, seen)) in found.into_iter().enumerate() {
            assert_eq!((&result, seen), (&one, (shares[rank], shares[rank])), "rank {rank} of {size}");
        }
    }
}
