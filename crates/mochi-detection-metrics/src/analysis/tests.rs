use std::path::{Path, PathBuf};

use mochi_annotations::{AnnotatedImage, Object};

use super::*;
use crate::coco::cases::{case, in_memory, tide};
use crate::evaluate_coco;

const KINDS: [Geometry; 2] = [Geometry::Box, Geometry::Mask];
const OPTIONS: AnalysisOptions = AnalysisOptions { minimum_score: 0.0, mistakes: 5 };

/// The random cases in memory, with or without crowds.
fn cases(crowds: bool) -> impl Iterator<Item = (usize, Annotations, Vec<Detection>)> {
    (0..240).filter_map(move |seed| {
        let (mut annotations, detections) = in_memory(&case(seed))?;
        // The id 0 has no meaning here.
        for image in &mut annotations.images {
            image.objects.retain(|object| crowds || !object.crowd);
            image.objects.iter_mut().for_each(|object| object.id += 1);
        }
        Some((seed as usize, annotations, detections))
    })
}

/// `tide_cases.py` made the numbers.
#[test]
fn kinds_are_counted_as_in_tides_toolbox() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tide_cases.json");
    let expected: Vec<[Option<[usize; 6]>; 2]> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut compared = 0;
    for (seed, annotations, detections) in cases(false) {
        for (geometry, wanted) in KINDS.into_iter().zip(expected[seed]) {
            let Some(wanted) = wanted else { continue };
            let analysis = analyze(&annotations, &detections, geometry, OPTIONS).unwrap();
            let counts: Vec<usize> = analysis.kinds.iter().map(|one| one.count).collect();
            assert_eq!(counts, wanted, "case {seed}, {geometry:?}");
            compared += 1;
        }
    }
    assert!(compared > 250, "{compared}");
}

/// `hotcoco`'s costs are equal to tidecv's for datasets without crowds, equal scores and classes without objects.
#[test]
fn costs_are_hotcocos() {
    for (seed, annotations, detections) in cases(false) {
        for geometry in KINDS {
            let analysis = analyze(&annotations, &detections, geometry, OPTIONS).unwrap();
            let theirs = tide(&annotations, &detections, geometry);
            let close = |mine: f64, theirs: f64, what: &str| {
                assert!((mine - theirs).abs() < 1e-12, "case {seed}, {geometry:?}, {what}: {mine} and {theirs}");
            };
            close(analysis.ap50.unwrap_or(0.0), theirs.ap_base, "AP50");
            for (kind, name) in analysis.kinds.iter().zip(["Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"]) {
                assert_eq!(kind.count as u64, theirs.counts[name], "case {seed}, {geometry:?}, {name}");
                close(kind.cost, theirs.delta_ap[name], name);
            }
        }
    }
}

#[test]
fn the_diagonal_of_the_confusion_is_what_coco_finds() {
    for (seed, annotations, detections) in cases(true) {
        for geometry in KINDS {
            let analysis = analyze(&annotations, &detections, geometry, OPTIONS).unwrap();
            let coco = evaluate_coco(&annotations, &detections, geometry).unwrap();
            match (analysis.ap50, coco.numbers.ap50) {
                (Some(mine), Some(theirs)) => assert!((mine - theirs).abs() < 1e-12, "case {seed}"),
                (mine, theirs) => assert_eq!(mine, theirs, "case {seed}"),
            }
            let confusion = &analysis.confusion;
            let classes = annotations.classes.len();
            let every = || (0..classes).map(Some).chain([None]);
            let objects = annotations.images.iter().flat_map(|image| &image.objects);
            let counted = objects.filter(|object| !object.crowd).count() as u64;
            let rows: u64 = (0..classes).map(Some).flat_map(|t| every().map(move |f| confusion.count(t, f))).sum();
            assert_eq!(rows, counted, "case {seed}: every object is in one cell");
            let right: u64 = (0..classes).map(|class| confusion.count(Some(class), Some(class))).sum();
            let wrong: usize = analysis.kinds.iter().take(5).map(|one| one.count).sum();
            let columns: u64 = every().flat_map(|t| (0..classes).map(move |f| confusion.count(t, Some(f)))).sum();
            assert_eq!(columns - right, wrong as u64, "case {seed}: every false detection is in one cell");
        }
    }
}

fn scene() -> (Annotations, Vec<Detection>) {
    let object = |id: u64, class: usize, x: f64, side: f64| Object {
        id,
        class,
        bounds: [x, 0.0, x + side, side],
        mask: None,
        area: side * side,
        crowd: false,
        difficult: false,
    };
    let difficult = Object { difficult: true, ..object(5, 1, 400.0, 20.0) };
    let objects = vec![
        object(1, 0, 0.0, 20.0),
        object(2, 1, 100.0, 20.0),
        object(3, 0, 200.0, 10.0),
        object(4, 1, 300.0, 30.0),
        difficult,
    ];
    let image = AnnotatedImage {
        id: 1,
        name: "a".into(),
        file: PathBuf::new().into(),
        width: 500,
        height: 40,
        exif_orientation: true,
        objects,
    };
    let annotations =
        Annotations { classes: vec!["ant".into(), "bee".into()], category_ids: vec![1, 2], images: vec![image] };
    let detection = |class: usize, x: f32, side: f32, score: f32| Detection {
        image: 0,
        class,
        bounds: [x, 0.0, x + side, side],
        score,
        mask: None,
    };
    let detections = vec![
        detection(0, 0.0, 20.0, 0.9),   // right
        detection(0, 1.0, 20.0, 0.8),   // duplicate
        detection(0, 100.0, 20.0, 0.7), // classification
        detection(0, 450.0, 20.0, 0.6), // background
        detection(1, 310.0, 30.0, 0.5), // right: IoU 0.5 at 10 of 30 pixels
        detection(1, 400.0, 20.0, 0.4), // a difficult object
        detection(1, 401.0, 20.0, 0.3), // again
        detection(0, 0.0, 60.0, 0.2),   // localization: IoU 400 / 3600
    ];
    (annotations, detections)
}

#[test]
fn mistakes_are_named() {
    let (annotations, detections) = scene();
    let analysis = analyze(&annotations, &detections, Geometry::Box, OPTIONS).unwrap();
    let kinds: Vec<(usize, ErrorKind, Option<usize>)> =
        analysis.false_positives.iter().map(|one| (one.detection, one.kind, one.near.map(|near| near.0))).collect();
    assert_eq!(
        kinds,
        [
            (1, ErrorKind::Duplicate, Some(0)),
            (2, ErrorKind::Classification, Some(1)),
            (3, ErrorKind::Background, None),
            (7, ErrorKind::Localization, Some(0)),
        ]
    );
    assert_eq!(analysis.missed, [MissedObject { image: 0, object: 2 }]);
    let confusion = &analysis.confusion;
    assert_eq!(confusion.counts, [1, 0, 1, 1, 1, 0, 3, 0, 0]);
    assert_eq!(confusion.count(Some(1), Some(0)), 1, "a bee taken for an ant");
    assert_eq!(confusion.count(None, Some(0)), 3);
    assert_eq!((confusion.count(Some(0), None), confusion.count(Some(3), None)), (1, 0));
    let few = AnalysisOptions { minimum_score: 0.65, mistakes: 1 };
    let analysis = analyze(&annotations, &detections, Geometry::Box, few).unwrap();
    assert_eq!(analysis.confusion.counts, [1, 0, 1, 1, 0, 1, 1, 0, 0]);
    assert_eq!(analysis.false_positives.len(), 1);
}

#[test]
fn nothing_and_bad_input() {
    let (annotations, detections) = scene();
    let none = analyze(&annotations, &[], Geometry::Box, OPTIONS).unwrap();
    assert_eq!((none.ap50, none.missed.len(), none.kinds[5].count), (Some(0.0), 4, 4));
    assert_eq!(none.missed[0], MissedObject { image: 0, object: 3 }, "the largest first");
    let empty = analyze(&Annotations::default(), &[], Geometry::Mask, OPTIONS).unwrap();
    assert_eq!((empty.ap50, empty.confusion.counts.as_slice()), (None, [0].as_slice()));
    let error = analyze(&annotations, &detections, Geometry::Mask, OPTIONS).unwrap_err().to_string();
    assert_eq!(error, "image a, object 0: has no mask");
    let nan = Detection { score: f32::NAN, ..detections[0].clone() };
    assert!(analyze(&annotations, &[nan], Geometry::Box, OPTIONS).is_err());
    let mut broken = annotations.clone();
    broken.images[0].objects[1].bounds[2] = f64::NAN;
    assert!(analyze(&broken, &detections, Geometry::Box, OPTIONS).is_err());
    broken.images[0].objects[1] = Object { class: 9, ..annotations.images[0].objects[1].clone() };
    assert!(analyze(&broken, &detections, Geometry::Box, OPTIONS).unwrap_err().to_string().contains("class index 9"));
}
