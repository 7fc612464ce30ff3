//! Training of detectors on small drawn images.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mochi_annotations::{AnnotatedImage, Annotations, Mask, Object};
use mochi_config::detection::{Facts, Resolved, Settings};
use mochi_data::Shard;
use mochi_detection::Architecture;
use mochi_detection::names::detectron2;
use mochi_run::metric::{detection as metrics, general};
use mochi_run::{MetricsLog, Record, RunFolder};
use mochi_tensor::{Compute, Group, Kind, Precision, Role, Tensor};
use mochi_term::StopFlag;
use mochi_train::{
    Batches, Detection, DetectionData, DetectionLearner, Event, StepPlan, Task, TrainError, detect_all, load_detector,
};

/// Images of one rectangle of each color on gray noise, as PNG files.
fn drawn(folder: &Path, count: usize) -> Annotations {
    std::fs::create_dir_all(folder).unwrap();
    let mut state = 7u64;
    let mut below = |n: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as u32) % n
    };
    let mut images = Vec::new();
    for i in 0..count {
        let (width, height) = if i % 3 == 0 { (80, 96) } else { (112, 80) };
        let mut rgb: Vec<u8> = (0..width * height * 3).map(|_| 90 + below(40) as u8).collect();
        let mut objects = Vec::new();
        for class in 0..2usize {
            let (w, h) = (20 + below(20), 20 + below(20));
            let (x, y) = (below(width / 2 - w.min(width / 2 - 1)) + class as u32 * width / 2, below(height - h));
            for row in y..y + h {
                for column in x..(x + w).min(width) {
                    let at = ((row * width + column) * 3) as usize;
                    rgb[at..at + 3].copy_from_slice(if class == 0 { &[220, 40, 40] } else { &[40, 60, 220] });
                }
            }
            let [x0, y0, x1, y1] = [x, y, (x + w).min(width), y + h].map(f64::from);
            objects.push(Object {
                id: (i * 2 + class + 1) as u64,
                class,
                bounds: [x0, y0, x1, y1],
                mask: Some(Mask::Polygons(vec![vec![x0, y0, x1, y0, x1, y1, x0, y1]])),
                area: (x1 - x0) * (y1 - y0),
                crowd: false,
                difficult: false,
            });
        }
        let path = folder.join(format!("{i}.png"));
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
        images.push(AnnotatedImage {
            id: i as u64 + 1,
            name: format!("{i}.png"),
            file: path.into(),
            width,
            height,
            exif_orientation: true,
            objects,
        });
    }
    Annotations { classes: vec!["red".into(), "blue".into()], category_ids: vec![1, 2], images }
}

/// Mask R-CNN with a ResNet-20 on images of 80 pixels.
fn settings(iterations: u64, words: &[&str]) -> Resolved {
    let base = [
        "model.arch=resnet20",
        "model.anchor_sizes=[16, 32, 64]",
        "data.short_sides=[80]",
        "data.test_short_side=80",
        "data.longest_side=160",
        "regions.count=32",
        "proposals.train_before_nms=300",
        "proposals.train_after_nms=100",
        "proposals.test_after_nms=50",
        "optimizer.learning_rate=0.02",
        "optimizer.warmup_iterations=20",
        "evaluation.precise_bn_iterations=10",
        "checkpoint.every_steps=1000",
        "compute.device=cpu",
        "compute.precision=float32",
    ];
    let iterations = format!("iterations={iterations}");
    let words = base.iter().chain(words).copied().chain([iterations.as_str()]).map(str::to_owned).collect::<Vec<_>>();
    let facts = Facts { images: 8, classes: 2, masks: true, cores: 2, ..Facts::default() };
    Settings::load(Some("small"), None, &words).unwrap().resolve(&facts).unwrap().0
}

fn data(folder: &Path) -> DetectionData {
    let data = Arc::new(drawn(&folder.join("images"), 8));
    DetectionData { training: data.clone(), evaluation: Some(data), source: "drawn".into() }
}

fn run(folder: &Path, name: &str) -> RunFolder {
    RunFolder::create(&folder.join(name)).unwrap()
}

/// Values of the last record.
fn last(folder: &Path, name: &str) -> Record {
    MetricsLog::read(&RunFolder::read(&folder.join(name)).unwrap().metrics_path()).unwrap().pop().unwrap()
}

#[test]
fn slow_a_detector_learns_eight_images_by_heart() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let trainer =
        Detection::start(run(folder.path(), "run"), settings(180, &[]), data(folder.path()), &engine, None).unwrap();
    assert!(trainer.train(&StopFlag::default(), &mut |_| {}).unwrap().finished);
    let values = last(folder.path(), "run").values;
    let of = |metric| values.get(metric).unwrap();
    assert!(of(&metrics::AP50) > 0.9 && of(&metrics::MASK_AP50) > 0.9, "{values:?}");
    assert!(of(&metrics::AP) > 0.5, "{values:?}");
    println!("{values:?}");
}

/// A ResNet-18, whose finest map is a sixteenth of that of a ResNet-20, which takes most of the time.
const PYRAMID: [&str; 3] = ["model.architecture=fpn", "model.arch=resnet18", "model.anchor_sizes=[8, 16, 32, 64, 128]"];

#[test]
fn slow_a_detector_with_a_feature_pyramid_learns_eight_images_by_heart() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let settings = settings(180, &[&PYRAMID[..], &["model.masks=false", "regions.count=16"]].concat());
    let trainer = Detection::start(run(folder.path(), "run"), settings, data(folder.path()), &engine, None).unwrap();
    assert!(trainer.train(&StopFlag::default(), &mut |_| {}).unwrap().finished);
    let ap50 = last(folder.path(), "run").values.get(&metrics::AP50).unwrap();
    assert!(ap50 > 0.9, "{ap50}");
}

#[test]
fn a_resumed_detector_is_the_same_in_every_bit() {
    resumed(&[]);
}

#[test]
fn a_resumed_detector_with_a_feature_pyramid_is_the_same_in_every_bit() {
    resumed(&PYRAMID);
}

/// With several groups, several sizes and a stop in the middle.
fn resumed(words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let base =
        ["data.short_sides=[48, 64]", "data.test_short_side=64", "data.groups=2", "evaluation.precise_bn_iterations=1"];
    let settings = || settings(4, &[&base[..], words].concat());
    let data = data(folder.path());
    let whole = Detection::start(run(folder.path(), "whole"), settings(), data.clone(), &engine, None).unwrap();
    whole.train(&StopFlag::default(), &mut |_| {}).unwrap();
    let part = Detection::start(run(folder.path(), "part"), settings(), data.clone(), &engine, None).unwrap();
    let stop = StopFlag::default();
    let outcome = part.train(&stop, &mut |event| {
        if matches!(&event, Event::Step(at) if at.step == 2) {
            stop.request();
        }
    });
    assert_eq!(outcome.unwrap().step, 2);
    // Other images of the evaluations change nothing that is learned.
    let mut fewer = Annotations::clone(&data.training);
    fewer.images.pop();
    let data = DetectionData { evaluation: Some(Arc::new(fewer)), ..data };
    let rest = Detection::resume::<TrainError>(&folder.path().join("part"), &engine, None, |_| Ok(data)).unwrap();
    let mut warnings = Vec::new();
    let outcome = rest.train(&StopFlag::default(), &mut |event| {
        if let Event::Warning(text) = event {
            warnings.push(text);
        }
    });
    let outcome = outcome.unwrap();
    assert!(outcome.finished && outcome.trained == 2);
    assert!(warnings.len() == 1 && warnings[0].contains("not comparable"), "{warnings:?}");
    let read = |name: &str| {
        let run = RunFolder::read(&folder.path().join(name)).unwrap();
        let path = run.checkpoints().latest().unwrap().unwrap().path;
        ["model.safetensors", "optimizer.safetensors"]
            .map(|file| mochi_tensor::read_tensors(&path.join(file)).unwrap().0)
    };
    for (a, b) in read("whole").iter().zip(&read("part")) {
        assert_eq!(a.len(), b.len());
        assert!(a.iter().all(|(name, tensor)| tensor.equal(&b[name])));
    }
    let loaded = load_detector(&folder.path().join("part"), &engine, None).unwrap();
    assert_eq!((loaded.step, loaded.classes), (4, vec!["red".to_owned(), "blue".to_owned()]));
}

#[test]
fn a_backbone_starts_from_a_whole_weight_file_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let data = data(folder.path());
    let source = Detection::new(settings(1, &["seed=5"]), data.clone(), &engine, None).unwrap();
    let weights = source.detector().store().export("");
    let backbone = |name: &str| ["conv1", "bn1", "layer"].iter().any(|start| name.starts_with(start));
    let renamed = |rename: &dyn Fn(&str) -> String| -> std::collections::BTreeMap<_, _> {
        weights.iter().filter(|(name, _)| backbone(name)).map(|(name, tensor)| (rename(name), tensor.copy())).collect()
    };
    let file = folder.path().join("weights.safetensors");
    let init = format!("model.init={:?}", file.to_str().unwrap());
    let start = |tensors: &std::collections::BTreeMap<String, _>| {
        mochi_tensor::write_tensors(&file, tensors, &Default::default()).unwrap();
        Detection::new(settings(1, &[&init]), data.clone(), &engine, None)
    };
    let names: [&dyn Fn(&str) -> String; 5] = [
        &|name| name.to_owned(),
        &|name| format!("module.encoder_q.{name}"),
        &|name| detectron2(name, Architecture::C4),
        &|name| detectron2(name, Architecture::Fpn),
        &|name| detectron2(name, Architecture::Fpn).replace("backbone.bottom_up.", ""),
    ];
    for name in names {
        let task = start(&renamed(name)).unwrap();
        // 19 convolutions of one tensor and 19 norms of four.
        assert_eq!(task.start_weights().unwrap().tensors, 19 * 5);
        let own = task.detector().store().export("");
        assert!(weights.iter().filter(|(name, _)| backbone(name)).all(|(name, tensor)| tensor.equal(&own[name])));
        assert!(!weights["rpn.conv.weight"].equal(&own["rpn.conv.weight"]), "another seed draws other heads");
    }
    let mut part = renamed(names[0]);
    assert!(
        start(&renamed(names[2])).unwrap().start_weights().unwrap().doubt.is_some_and(|doubt| doubt.contains("BGR"))
    );
    part.remove("layer2.0.conv1.weight");
    let error = start(&part).unwrap_err();
    assert!(error.to_string().contains("94 tensors match; 1 missing: \"layer2.0.conv1.weight\""), "{error}");
    assert!(error.hint().unwrap().contains("all tensors of the backbone"), "{:?}", error.hint());
    // A deeper network has more blocks in a stage.
    for (at, name) in [(0, "layer1.3.conv2.weight"), (2, "backbone.res2.3.conv2.weight")] {
        let mut deeper = renamed(names[at]);
        deeper.insert(name.to_owned(), deeper.values().next().unwrap().copy());
        let error = start(&deeper).unwrap_err();
        assert!(error.to_string().contains(&format!("95 tensors match; 1 unexpected: \"{name}\"")), "{error}");
        assert!(error.hint().unwrap().contains("model.arch"), "{:?}", error.hint());
    }
    part.retain(|name, _| !name.starts_with("layer3."));
    assert!(start(&part).unwrap_err().hint().unwrap().contains("model.arch"));
    let strange = renamed(&|name| format!("strange.{name}"));
    assert!(start(&strange).unwrap_err().hint().unwrap().contains("names of torchvision"));
    let mut spoiled = renamed(names[0]);
    spoiled.insert("conv1.weight".to_owned(), &spoiled["conv1.weight"] * f64::NAN);
    let error = start(&spoiled).unwrap_err().to_string();
    assert!(error.contains("its tensor \"conv1.weight\" holds values that are not finite"), "{error}");
}

/// What a few steps leave: gradients of the first (its momentum buffers), all tensors after the last, and the losses.
type Trained = (BTreeMap<String, Tensor>, BTreeMap<String, Tensor>, Vec<f64>);

/// In float64: in float32 the input of some ReLU rounds to the other side of zero.
fn trained(folder: &Path, group: Option<&Arc<Group>>) -> Trained {
    let engine = mochi_tensor::start(None).unwrap();
    let words = ["data.batch=8", "data.groups=4", "optimizer.clip_norm=0", "optimizer.learning_rate=0.005"];
    let own = settings(3, &words);
    let data = DetectionData { training: Arc::new(drawn(folder, 8)), evaluation: None, source: "drawn".into() };
    let shard = group.map_or(Shard::WHOLE, |group| Shard { rank: group.rank(), world_size: group.size() });
    let task = Detection::new(own.clone(), data.clone(), &engine, None).unwrap();
    let mut batches = task.loader(0, shard, &StopFlag::default()).unwrap();
    let compute = Compute { precision: Precision::Float64, ..Compute::CPU };
    let mut learner = DetectionLearner::new(&own, 2, compute, group, |detector| {
        detector.store().set_kind(Kind::Double);
        Ok(())
    })
    .unwrap();
    let copies = |tensors: BTreeMap<String, Tensor>| -> BTreeMap<String, Tensor> {
        tensors.into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
    };
    let (mut gradients, mut losses) = (BTreeMap::new(), Vec::new());
    for step in 0..2 {
        let batch = batches.next_batch().unwrap().unwrap();
        let plan = StepPlan { step, learning_rate: 0.005, warm_up: false, diagnostics: false };
        losses.push(learner.step(&data.training, &batch.groups, &plan).unwrap().get(&general::LOSS).unwrap());
        if step == 0 {
            gradients = learner.optimizer.export();
        }
    }
    // Precise statistics of two batches.
    let mut again = task.loader(1, shard, &StopFlag::default()).unwrap();
    for number in 0..2 {
        let batch = again.next_batch().unwrap().unwrap();
        learner.measure_statistics(&data.training, &batch.groups, number).unwrap();
    }
    learner.detector.norms().for_each(|norm| norm.finish_collection().unwrap());
    (gradients, copies(learner.detector.store().export("")), losses)
}

fn off(found: &BTreeMap<String, Tensor>, wanted: &BTreeMap<String, Tensor>) -> (f64, String) {
    let of = |(name, tensor): (&String, &Tensor)| {
        let scale = wanted[name].abs().max().to_kind(Kind::Double).double_value(&[]).max(1e-6);
        ((tensor - &wanted[name]).abs().max().to_kind(Kind::Double).double_value(&[]) / scale, name.clone())
    };
    found.iter().map(of).fold((0.0, String::new()), |worst, one| if one.0 > worst.0 { one } else { worst })
}

/// Each rank has its share of the groups: gradients, running and precise statistics and losses are those of one process.
#[test]
fn ranks_train_a_detector_as_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let (gradients, model, losses) = trained(&folder.path().join("one"), None);
    for size in [2, 4] {
        let work = |group: Group| {
            let group = Arc::new(group);
            trained(&folder.path().join(format!("{size}-{}", group.rank())), Some(&group))
        };
        let all = Group::of_threads(size, Duration::from_secs(60), work).unwrap();
        let (worst, weights) = (off(&all[0].0, &gradients), off(&all[0].1, &model));
        assert!(worst.0 < 1e-9, "gradients on {size} ranks are off by {worst:?}");
        assert!(weights.0 < 1e-9, "the detector on {size} ranks is off by {weights:?}");
        for rank in &all {
            assert_eq!(off(&rank.1, &all[0].1).0, 0.0, "detectors differ between {size} ranks");
        }
        for (step, loss) in losses.iter().enumerate() {
            let mean = all.iter().map(|rank| rank.2[step]).sum::<f64>() / size as f64;
            assert!((mean - loss).abs() < 1e-9 * loss, "loss of step {step} on {size} ranks: {mean} {loss}");
        }
    }
}

/// Images are dealt to the ranks; rank 0 has the detections and bad images of one process, in its order, to the bit.
#[test]
fn ranks_find_what_one_process_does() {
    let folder = tempfile::tempdir().unwrap();
    let images = drawn(&folder.path().join("images"), 8);
    std::fs::write(&images.images[3].file.path, b"no image").unwrap();
    let data = DetectionData { training: Arc::new(images), evaluation: None, source: "drawn".into() };
    let find = |group: Option<&Group>, stop: bool| {
        let engine = mochi_tensor::start(None).unwrap();
        let own = settings(3, &["data.max_bad_fraction=0.2"]);
        let task = Detection::new(own.clone(), data.clone(), &engine, None).unwrap();
        let flag = StopFlag::default();
        if stop {
            flag.request();
        }
        let mut done = Vec::new();
        let found = detect_all(task.detector(), &own, &data.training, group, &flag, &mut |images| done.push(images));
        (found, done.len())
    };
    let (one, rounds) = find(None, false);
    let one = one.unwrap();
    assert!(rounds == 8 && one.detections.len() > 20 && one.detections.iter().all(|d| d.mask.is_some()));
    assert_eq!(one.bad.iter().map(|bad| bad.index).collect::<Vec<_>>(), [3]);
    for (size, rounds) in [(2, 4), (3, 3)] {
        let found = Group::of_threads(size, Duration::from_secs(60), |group| find(Some(&group), false)).unwrap();
        for (rank, (found, own)) in found.into_iter().enumerate() {
            let found = found.unwrap();
            assert_eq!(own, rounds, "rank {rank} of {size}");
            match rank {
                0 => assert!(found.detections == one.detections && found.bad == one.bad, "{size} ranks"),
                _ => assert!(found.detections.is_empty() && found.bad.is_empty()),
            }
        }
    }
    // A stop signal of one rank ends all at the same image.
    let stopped = Group::of_threads(2, Duration::from_secs(60), |group| find(Some(&group), group.rank() == 1)).unwrap();
    for (found, done) in stopped {
        assert!(matches!(found, Err(TrainError::Data(mochi_data::DataError::Canceled))) && done == 0);
    }
}

/// Files that PyTorch wrote: `tests/fixtures/make_backbones.py`.
#[test]
fn a_backbone_starts_from_files_of_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let data = data(folder.path());
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let start = |file: &Path, words: &[&str]| {
        let init = format!("model.init={:?}", file.to_str().unwrap());
        let words = [&[init.as_str(), "model.arch=resnet18"], words].concat();
        Detection::new(settings(1, &words), data.clone(), &engine, None)
    };
    for (file, words, naming) in [
        ("torchvision.pth", &[][..], "torchvision's names"),
        ("torchvision.pth", &PYRAMID[..], "torchvision's names"),
        ("moco.pth.tar", &[], "torchvision's names after \"state_dict.module.encoder_q.\""),
    ] {
        let task = start(&fixtures.join(file), words).unwrap();
        let found = task.start_weights().unwrap();
        assert_eq!((found.tensors, found.naming.as_str(), found.doubt), (100, naming, None));
        for (name, tensor, role) in task.detector().backbone_tensors().filter(|(.., role)| *role != Role::Counter) {
            let expected = name.len() as f64 + tensor.size()[0] as f64 / 1024.0;
            assert!(tensor.eq(expected).all().int64_value(&[]) == 1, "{name} {role:?}");
        }
    }
    let error = start(&fixtures.join("moco.pth.tar"), &["model.arch=resnet50"]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("does not hold a whole resnet50: ") && text.contains(" missing: "), "{text}");
    assert!(
        text.contains("of another shape: \"state_dict.module.encoder_q.layer1.0.conv1.weight\" [64, 64, 3, 3]"),
        "{text}"
    );
    let cut = folder.path().join("cut.pth");
    std::fs::write(&cut, &std::fs::read(fixtures.join("torchvision.pth")).unwrap()[..9000]).unwrap();
    let text = start(&cut, &[]).unwrap_err().to_string();
    assert!(text.contains("cut.pth is not a usable weight file: "), "{text}");
}

/// A detector that was stopped in its last evaluation had no checkpoint at all.
#[test]
fn a_stop_after_the_last_step_loses_one_step_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let engine = mochi_tensor::start(None).unwrap();
    let data = data(folder.path());
    let begin =
        |name: &str| Detection::start(run(folder.path(), name), settings(3, &[]), data.clone(), &engine, None).unwrap();
    let whole = begin("whole").train(&StopFlag::default(), &mut |_| {}).unwrap();
    assert!(whole.finished && whole.step == 3);
    let stop = StopFlag::default();
    let stopped = begin("stopped").train(&stop, &mut |event| {
        if matches!(event, Event::Note(text) if text.starts_with("the last step is done")) {
            stop.request();
        }
    });
    let stopped = stopped.unwrap();
    assert!(!stopped.finished && stopped.step == 2 && stopped.checkpoint.ends_with("step-2"), "{stopped:?}");
    let path = folder.path().join("stopped");
    let rest = Detection::resume::<TrainError>(&path, &engine, None, |_| Ok(data.clone())).unwrap();
    let rest = rest.train(&StopFlag::default(), &mut |_| {}).unwrap();
    assert!(rest.finished);
    let model = |checkpoint: &Path| std::fs::read(checkpoint.join("model.safetensors")).unwrap();
    assert!(model(&whole.checkpoint) == model(&rest.checkpoint));
}
