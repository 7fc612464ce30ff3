//! Settings and data of one or several detectors that are trained.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use mochi_annotations::{AnnotationError, Annotations, Dataset, Purpose};
use mochi_config::Warning;
use mochi_config::detection::{Facts, Resolved, Settings};
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_tensor::Engine;
use mochi_term::Progress;
use mochi_text::counted;
use mochi_train::{Detection, DetectionData, Trainer, facts};

use super::data::{EVALUATION, TRAINING, check_missing, failed, format, read_split};
use crate::failure::{Failure, Outcome};
use crate::init;
use crate::ranks::Ranks;

/// What `train` and `trials` have in common.
#[derive(Args)]
pub struct Common {
    /// Folder or tar files of images with objects, in the format of PASCAL VOC, COCO or YOLO
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Format of the folder: voc, coco or yolo [default: found from its files]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Weights that the backbone starts from: a run folder, a safetensors or PyTorch file, or none
    #[arg(long, value_name = "RUN|FILE")]
    init: Option<String>,
    /// Predict masks as well as boxes
    #[arg(long)]
    masks: bool,
    /// Preset to start from, instead of the one named in the settings file; `mochi presets` lists them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// TOML file of settings, which override the preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Settings, e.g. iterations=1000 data.batch=8
    #[arg(value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Settings and data of one or several runs.
pub struct Prepared {
    pub settings: Settings,
    facts: Facts,
    data: DetectionData,
}

impl Prepared {
    /// Reads settings and data.
    pub fn read(common: &Common, engine: &Engine, ranks: &Ranks, progress: &Progress) -> Outcome<Self> {
        let mut words: Vec<String> = common.format.iter().map(|name| format!("data.format={name}")).collect();
        words.extend(common.masks.then(|| "model.masks=true".to_owned()));
        let network = common.init.as_deref().map(init::network).transpose()?.flatten();
        words.extend(network.map(|of| format!("model.arch={}", of.arch)));
        words.extend(network.and_then(|of| of.stem).map(|stem| format!("model.stem={stem}")));
        words.extend(common.settings.iter().cloned());
        let mut settings = Settings::load(common.preset.as_deref(), common.config.as_deref(), &words)?;
        let lines = settings.describe().into_iter().map(|setting| format!("{}={}", setting.key, setting.value));
        ranks.agree("settings", &lines.collect::<Vec<_>>().join("\n"))?;
        // Absolute paths, so that `mochi resume` finds them from anywhere.
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        settings.set_data(path_to_text(&whole(&common.data)));
        if let Some(init) = &common.init {
            settings.set_init(init::whole(init));
        }
        let of = &settings.data;
        let training = read_split(&common.data, format(of.format), &of.split, Purpose::Training, None, progress)
            .map_err(|error| failed(error, TRAINING))?;
        let evaluation = evaluation_split(
            &common.data,
            &settings.evaluation.source,
            &settings.evaluation.split,
            &training,
            progress,
        )?;
        for split in std::iter::once(&training).chain(&evaluation) {
            check_missing(split, settings.data.max_bad_fraction)?;
        }
        let objects = |data: &Annotations| data.images.iter().map(|image| image.objects.len()).sum::<usize>();
        let found = &training.annotations;
        progress.note(&format!(
            "{} with {} of {} in split {} ({}){}",
            counted(found.images.len(), "image"),
            counted(objects(found), "object"),
            counted(found.classes.len(), "class"),
            training.split,
            training.format,
            match &evaluation {
                Some(other) => {
                    let images = counted(other.annotations.images.len(), "image");
                    format!("; {images} in split {} for evaluation", other.split)
                }
                None => "; no split for evaluation".to_owned(),
            }
        ));
        let all = found.images.len();
        let data = detection_data(training, evaluation, settings.data.source.clone());
        let training = &data.training;
        let without = all - training.images.len();
        if without > 0 {
            progress.note(&format!("{} without an object, which nothing is learned from", counted(without, "image")));
        }
        let images = counted(training.images.len(), "image");
        ranks.agree("data", &format!("{images} (fingerprint {:016x})", training.fingerprint()))?;
        let machine = facts(engine, training.images.len());
        let learned = || training.images.iter().flat_map(|image| &image.objects).filter(|object| !object.crowd);
        let (all, without) = (learned().count(), learned().filter(|object| object.mask.is_none()).count());
        let facts = Facts {
            images: training.images.len(),
            classes: training.classes.len(),
            masks: without < all,
            unmasked: (without, all),
            cores: (machine.cores / ranks.local()).max(1),
            cpu: machine.cpu,
            gpus: machine.gpus,
        };
        Ok(Self { settings, facts, data })
    }

    /// The resolved settings, and what is questionable.
    pub fn resolved(&self, settings: Settings) -> Outcome<(Resolved, Vec<Warning>)> {
        Ok(settings.resolve(&self.facts)?)
    }

    /// Resolves the settings and reports what is questionable.
    pub fn resolve(&self, settings: Settings, progress: &Progress) -> Outcome<Resolved> {
        let (resolved, warnings) = self.resolved(settings)?;
        for warning in &warnings {
            progress.warning(&warning.to_string());
            if let Some(hint) = warning.hint() {
                progress.hint(&hint);
            }
        }
        Ok(resolved)
    }

    /// [`Self::resolve`] by rank 0 for all.
    pub fn resolve_together(&self, settings: &Settings, ranks: &Ranks, progress: &Progress) -> Outcome<Resolved> {
        let mut own = None;
        let text = ranks.broadcast_text(|| {
            let resolved = self.resolve(settings.clone(), progress)?;
            let text = resolved.to_toml();
            own = Some(resolved);
            Ok(text)
        })?;
        match own {
            Some(resolved) => Ok(resolved),
            None => Ok(Resolved::parse(&text, Path::new("the settings of rank 0"))?),
        }
    }

    /// Starts a run in a fresh folder and says what it is.
    pub fn start(
        &self,
        resolved: Resolved,
        out: &Path,
        engine: &Engine,
        ranks: &Ranks,
        progress: &Progress,
    ) -> Outcome<Trainer<Detection>> {
        // The folder is made last: what is wrong with settings, data and weights leaves nothing behind.
        let task = Detection::new(resolved.clone(), self.data.clone(), engine, ranks.group())?;
        let trainer = task.begin(ranks.destination(out, progress)?, &resolved)?;
        let task = trainer.task();
        let settings = task.settings();
        progress.note(&format!(
            "{} R-CNN {} with {} on {} in {}{}, {} of {}, learning rate {}, run folder {}",
            if settings.model.masks { "Mask" } else { "Faster" },
            settings.model.architecture.to_string().to_uppercase(),
            settings.model.arch,
            settings.compute.device,
            settings.compute.precision,
            ranks.described(),
            counted(settings.iterations, "iteration"),
            counted(settings.data.batch, "image"),
            settings.optimizer.learning_rate,
            out.display()
        ));
        match task.start_weights() {
            Some(start) => init::describe(start, "heads are new", progress),
            None => progress.note("the backbone starts from random weights"),
        }
        Ok(trainer)
    }
}

/// The split that a run is evaluated on, with the classes of the training split; `None` if the folder has none with a usual name and none was asked for.
pub fn evaluation_split(
    folder: &Path,
    source: &str,
    split: &str,
    training: &Dataset,
    progress: &Progress,
) -> Outcome<Option<Dataset>> {
    let other = (!source.is_empty()).then(|| path_from_text(source));
    let folder = other.as_deref().unwrap_or(folder);
    let format = other.is_none().then_some(training.format);
    let classes = Some(training.annotations.classes.as_slice());
    match read_split(folder, format, split, Purpose::Evaluation, classes, progress) {
        Ok(found) => Ok(Some(found)),
        Err(AnnotationError::NoDefaultSplit { .. }) if other.is_none() => Ok(None),
        Err(error) => Err(failed(error, EVALUATION)),
    }
}

/// The training split of a folder that also has images to evaluate on.
pub fn readable(folder: &Path, settings: &Settings, progress: &Progress) -> Outcome<Dataset> {
    let of = &settings.data;
    let training = read_split(folder, format(of.format), &of.split, Purpose::Training, None, progress)
        .map_err(|error| failed(error, TRAINING))?;
    let evaluation = &settings.evaluation;
    match evaluation_split(folder, &evaluation.source, &evaluation.split, &training, progress)? {
        Some(_) => Ok(training),
        None => Err(Failure::new(
            format!("{} has no split for evaluation", folder.display()),
            "name one with evaluation.split=NAME, or another folder with evaluation.source=DIR",
        )),
    }
}

/// Training and evaluation data; images without an object are not learned from.
pub fn detection_data(training: Dataset, evaluation: Option<Dataset>, source: String) -> DetectionData {
    DetectionData {
        training: Arc::new(training.annotations.for_training()),
        evaluation: evaluation.map(|split| Arc::new(split.annotations)),
        source,
    }
}
