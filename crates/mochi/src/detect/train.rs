//! `mochi detect train --data DIR [--init RUN|FILE] [--masks] [--preset NAME | --config FILE] [--out RUN] [KEY=VALUE ...]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mochi_annotations::{AnnotationError, Annotations, Dataset, Purpose};
use mochi_config::detection::{Facts, Resolved, Settings};
use mochi_config::{Resolved as PretrainingSettings, Task as TaskName};
use mochi_data::dataset::{path_from_text, path_to_text};
use mochi_run::{RunFolder, default_path};
use mochi_tensor::Engine;
use mochi_term::{Progress, StopFlag};
use mochi_text::counted;
use mochi_train::{Detection, DetectionData, NO_WEIGHTS, Trainer, facts};

use super::compare;
use super::data::{format, read_split};
use crate::drive::{drive, listen};
use crate::failure::{Failure, Outcome};

/// The preset that also trains from random weights, to compare.
const COMPARED: &str = "small";

/// What `train` and `trials` have in common.
#[derive(Args)]
pub struct Common {
    /// Folder of images with objects, in the format of PASCAL VOC, COCO or YOLO
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
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

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Run folder [default: a new folder under runs/]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Do not train a second detector from random weights to compare with
    #[arg(long)]
    no_comparison: bool,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

/// Settings and data of one or several runs.
pub struct Prepared {
    pub settings: Settings,
    facts: Facts,
    data: DetectionData,
}

impl Prepared {
    /// Reads settings and data.
    pub fn read(common: &Common, engine: &Engine, progress: &Progress) -> Outcome<Self> {
        let mut words: Vec<String> = common.format.iter().map(|name| format!("data.format={name}")).collect();
        words.extend(common.masks.then(|| "model.masks=true".to_owned()));
        let init = common.init.as_deref().filter(|init| *init != NO_WEIGHTS);
        init.map(|init| check_init(Path::new(init))).transpose()?;
        words.extend(init.map(|init| backbone_of(Path::new(init))).transpose()?.unwrap_or_default());
        words.extend(common.settings.iter().cloned());
        let mut settings = Settings::load(common.preset.as_deref(), common.config.as_deref(), &words)?;
        // Absolute paths, so that `mochi resume` finds them from anywhere.
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        settings.set_data(path_to_text(&whole(&common.data)));
        if let Some(init) = &common.init {
            settings.set_init(match init.as_str() {
                NO_WEIGHTS => NO_WEIGHTS.to_owned(),
                init => path_to_text(&whole(Path::new(init))),
            });
        }
        let of = &settings.data;
        let training = read_split(&common.data, format(of.format), &of.split, Purpose::Training, None, progress)?;
        let evaluation = evaluation_split(
            &common.data,
            &settings.evaluation.source,
            &settings.evaluation.split,
            &training,
            progress,
        )?;
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
        let machine = facts(engine, training.images.len());
        let masks = training.images.iter().flat_map(|image| &image.objects).any(|object| object.mask.is_some());
        let facts = Facts {
            images: training.images.len(),
            classes: training.classes.len(),
            masks,
            cores: machine.cores,
            cpu: machine.cpu,
            gpus: machine.gpus,
        };
        Ok(Self { settings, facts, data })
    }

    /// Resolves the settings and reports what is questionable.
    pub fn resolve(&self, settings: Settings, progress: &Progress) -> Outcome<Resolved> {
        let (resolved, warnings) = settings.resolve(&self.facts)?;
        for warning in &warnings {
            progress.warning(&warning.to_string());
            if let Some(hint) = warning.hint() {
                progress.hint(&hint);
            }
        }
        Ok(resolved)
    }

    /// Starts a run in a fresh folder and says what it is.
    pub fn start(
        &self,
        resolved: Resolved,
        out: &Path,
        engine: &Engine,
        progress: &Progress,
    ) -> Outcome<Trainer<Detection>> {
        let folder = RunFolder::create(out)?;
        if let Some(warning) = folder.warning() {
            progress.warning(&warning);
        }
        let trainer = Detection::start(folder, resolved, self.data.clone(), engine)?;
        let task = trainer.task();
        let settings = task.settings();
        progress.note(&format!(
            "{} R-CNN {} with {} on {} in {}, {} of {}, learning rate {}, run folder {}",
            if settings.model.masks { "Mask" } else { "Faster" },
            settings.model.architecture.to_string().to_uppercase(),
            settings.model.arch,
            settings.compute.device,
            settings.compute.precision,
            counted(settings.iterations, "iteration"),
            counted(settings.data.batch, "image"),
            settings.optimizer.learning_rate,
            out.display()
        ));
        progress.note(&match task.start_weights() {
            Some(start) => format!(
                "{0} of {0} tensors of the backbone are from {1} ({2}; stride in the 3x3 convolutions, RGB, ImageNet mean and deviation); heads are new",
                start.tensors,
                start.file.display(),
                start.naming
            ),
            None => "the backbone starts from random weights".to_owned(),
        });
        if let Some(doubt) = task.start_weights().and_then(|start| start.doubt) {
            progress.warning(doubt);
        }
        Ok(trainer)
    }
}

/// The split that a run is evaluated on, with the classes of the training split; `None` if the folder has none with a usual name and none was asked for.
fn evaluation_split(
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
        Err(error) => Err(error.into()),
    }
}

/// Training and evaluation data; images without an object are not learned from.
fn detection_data(training: Dataset, evaluation: Option<Dataset>, source: String) -> DetectionData {
    DetectionData {
        training: Arc::new(training.annotations.for_training()),
        evaluation: evaluation.map(|split| Arc::new(split.annotations)),
        source,
    }
}

/// Refuses weights that are not there, and arrays of NumPy, before anything is read.
fn check_init(init: &Path) -> Outcome<()> {
    if !init.exists() {
        let what = format!("there is no run or weight file at {}", init.display());
        return Err(Failure::new(what, "give a run folder, a safetensors or PyTorch file, or none"));
    }
    if init.extension().is_some_and(|extension| extension == "pkl") {
        let what = format!("{} holds arrays of NumPy, which --init does not read", init.display());
        let file = init.display();
        let convert = format!(
            "convert it with Python: import pickle, torch; d = pickle.load(open(\"{file}\", \"rb\"), encoding=\"latin1\"); torch.save({{k: torch.as_tensor(v) for k, v in d[\"model\"].items()}}, \"weights.pth\")"
        );
        return Err(Failure::new(what, convert));
    }
    Ok(())
}

/// `model.arch` and `model.stem` of a pre-training run, unless the path is no run.
fn backbone_of(init: &Path) -> Outcome<Vec<String>> {
    if !init.is_dir() {
        return Ok(Vec::new());
    }
    let config = RunFolder::read(init)?.config_path();
    let (arch, stem) = match TaskName::read(&config)? {
        TaskName::Pretraining => {
            let settings = PretrainingSettings::read(&config)?;
            (settings.model.arch, settings.model.stem)
        }
        TaskName::Detection => {
            let settings = Resolved::read(&config)?;
            (settings.model.arch, settings.model.stem)
        }
    };
    Ok(vec![format!("model.arch={arch}"), format!("model.stem={stem}")])
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    if let Some(out) = &arguments.out {
        // Known before the dataset is read.
        RunFolder::check_free(out)?;
    }
    let stop = listen()?;
    let progress = Progress::detect();
    let engine = mochi_tensor::start(None)?;
    let prepared = Prepared::read(&arguments.common, &engine, &progress)?;
    let resolved = prepared.resolve(prepared.settings.clone(), &progress)?;
    let out = arguments.out.unwrap_or_else(|| default_path(resolved.preset_name()));
    let random = compare::from_random_weights(&out);
    let compared = resolved.preset_name() == COMPARED && resolved.model.init != NO_WEIGHTS && !arguments.no_comparison;
    if compared {
        RunFolder::check_free(&random)?;
        progress.note(&format!(
            "afterwards the same is trained from random weights in {}, to compare; --no-comparison leaves it out",
            random.display()
        ));
    }
    let next = |run: &str| next_step(run, &arguments.common.data);
    let trainer = prepared.start(resolved, &out, &engine, &progress)?;
    let ended = drive(trainer, &engine, &stop, &progress, arguments.json, &next)?;
    if !compared || ended != ExitCode::SUCCESS {
        return Ok(ended);
    }
    let mut settings = prepared.settings.clone();
    settings.set_init(NO_WEIGHTS.to_owned());
    let resolved = prepared.resolve(settings, &progress)?;
    let trainer = prepared.start(resolved, &random, &engine, &progress)?;
    let ended = drive(trainer, &engine, &stop, &progress, arguments.json, &next)?;
    if ended == ExitCode::SUCCESS {
        compare::print(&out, &random)?;
    }
    Ok(ended)
}

/// Resumes a detection run.
pub fn resume(path: &Path, engine: &Engine, stop: &StopFlag, progress: &Progress, json: bool) -> Outcome {
    let mut folder = PathBuf::new();
    let trainer = Detection::resume::<Failure>(path, engine, |settings| {
        folder = path_from_text(&settings.data.source);
        let of = &settings.data;
        let training = read_split(&folder, format(of.format), &of.split, Purpose::Training, None, progress)?;
        let evaluation = &settings.evaluation;
        let evaluation = evaluation_split(&folder, &evaluation.source, &evaluation.split, &training, progress)?;
        Ok(detection_data(training, evaluation, of.source.clone()))
    })?;
    crate::resume::say_where(&trainer, progress);
    drive(trainer, engine, stop, progress, json, &|run| next_step(run, &folder))
}

/// What to do with a trained detector.
fn next_step(run: &str, data: &Path) -> String {
    let data = mochi_files::shell_word(data);
    format!("mochi detect eval {run} --data {data}, or mochi detect predict {run} IMAGES... --out DIR")
}
