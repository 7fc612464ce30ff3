//! Inputs of an evaluation (encoder, datasets, views), and the output of its result.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use mochi_config::{Device, NO_WEIGHTS};
use mochi_data::{BadImage, Cancel, Dataset, Split, display_source};
use mochi_eval::{
    BadImages, EvalError, Extractor, FeatureSource, Features, Overlap, ViewOptions, check_splits, extract,
    extract_together,
};
use mochi_files::write_atomic;
use mochi_run::RunFolder;
use mochi_tensor::{Engine, Group};
use mochi_term::Progress;
use mochi_text::{counted, part_of};
use mochi_train::{LoadedEncoder, load_encoder, load_encoder_at};
use mochi_views::Augmentation;
use serde::Serialize;

use super::stages::Stages;
use super::{Labeled, Subject, failure};
use crate::bad_images;
use crate::discovery::begin;
use crate::failure::{Failure, Outcome, print_json, print_line};
use crate::ranks::Ranks;

/// Everything that an evaluation reads.
pub struct Inputs {
    /// `None` evaluates raw pixels.
    pub loaded: Option<LoadedEncoder>,
    pub train: Dataset,
    pub test: Dataset,
    pub views: ViewOptions,
    pub progress: Progress,
    subject: Subject,
    labeled: Labeled,
    overlap: Overlap,
    group: Option<Arc<Group>>,
}

/// A result with its encoder and datasets, as `--json` prints it.
#[derive(Serialize)]
struct Evaluated<'a, T: Serialize> {
    #[serde(flatten)]
    result: &'a T,
    /// "raw pixels", "untrained" or "trained": the row of the report's table.
    subject: &'static str,
    run: Option<String>,
    step: Option<u64>,
    train: String,
    test: String,
    /// Name of the data set, unless it is the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<&'a str>,
    /// Test images that are training images as well.
    shared_images: usize,
    /// Device and precision that the encoder was evaluated in; both can differ from those of training.
    device: Option<String>,
    precision: Option<&'static str>,
}

impl Inputs {
    /// Opens encoder and datasets, and checks what can be checked before features are computed. `options`: those of the protocol, a line each, which must be
    /// the same on all ranks.
    pub fn open(
        subject: &Subject,
        labeled: &Labeled,
        options: &[String],
        ranks: &Ranks,
        engine: &Engine,
    ) -> Outcome<Self> {
        let progress = ranks.progress();
        if !(0.0..=1.0).contains(&subject.max_bad_fraction) {
            let what = format!("invalid --max-bad-fraction: expected 0 to 1, got {}", subject.max_bad_fraction);
            return Err(Failure::new(what, "for example --max-bad-fraction 0.05 tolerates 5 % bad images"));
        }
        let raw = subject.is_pixels();
        if subject.size.is_some() && !raw {
            let what = "--size applies only to `pixels`: a run is evaluated at its own data.size";
            return Err(Failure::new(what, "leave --size out"));
        }
        if subject.step.is_some() && raw {
            return Err(Failure::new("--step names a checkpoint, and raw pixels have none", "leave --step out"));
        }
        if !raw && ranks.is_first() {
            let folder = RunFolder::read(&subject.run)?;
            folder.check_results_writable()?;
            folder.check_page_writable()?;
        }
        let [train, test] = [(&labeled.train, Split::Train), (&labeled.test, Split::Test)]
            .map(|(path, split)| begin(vec![path.clone()], split, Cancel::default()));
        let loaded = if raw { None } else { Some(load(subject, engine, ranks)?) };
        let places = labeled.places.as_ref();
        let [of_train, of_test] = [0, 1].map(|which| places.and_then(|places| places.get(which)));
        let (train, test) = (train.wait_at(of_train, &progress)?, test.wait_at(of_test, &progress)?);
        for warning in train.warnings().iter().chain(test.warnings()) {
            progress.warning(warning);
        }
        let overlap = check_splits(&train, &test).map_err(|error| match of_train {
            Some(place) => failure(error).within(place),
            None => failure(error),
        })?;
        if let Some(first) = &overlap.first {
            let (shared, all) = (overlap.images, test.len());
            let verbs = ["is a training image", "are training images"];
            let shared = part_of(shared, all, "test image", verbs);
            progress.warning(&format!("{shared} as well (first: {first}): accuracy is too high"));
        }
        let (augmentation, size) = match &loaded {
            Some(loaded) => (mochi_train::augmentation(&loaded.settings)?, loaded.settings.data.size),
            None => {
                let augmentation = Augmentation::preset("eval").ok_or_else(|| {
                    Failure::new("the augmentation pipeline \"eval\" is missing", "report this bug in Mochi")
                })?;
                (augmentation, subject.size.or_else(|| train.uniform_size().map(|(w, h)| w.min(h))).unwrap_or(32))
            }
        };
        let mut views =
            ViewOptions { max_bad_fraction: subject.max_bad_fraction, ..ViewOptions::new(augmentation, size) };
        if ranks.size() > 1 {
            ranks
                .agree("data", &format!("fingerprints {:016x} and {:016x}", train.fingerprint(), test.fingerprint()))?;
            let step = loaded.as_ref().map_or("raw pixels".to_owned(), |loaded| format!("step {}", loaded.step));
            let of_all = [step, format!("--size {size}"), format!("--max-bad-fraction {}", views.max_bad_fraction)];
            ranks.agree("options", &[options, &of_all].concat().join("\n"))?;
            // Processes of one machine share its cores.
            views.threads = (engine.threads / ranks.local()).max(1);
            mochi_tensor::set_threads(views.threads);
        }
        let (subject, labeled, group) = (subject.clone(), labeled.clone(), ranks.group().cloned());
        Ok(Self { loaded, train, test, views, progress, subject, labeled, overlap, group })
    }

    /// Features of the backbone or of the whole encoder; of pixels without one.
    pub fn extractor(&self, source: FeatureSource) -> Extractor<'_> {
        match (&self.loaded, source) {
            (Some(loaded), FeatureSource::Embedding) => Extractor::Embedding(&loaded.encoder),
            (Some(loaded), _) => Extractor::Backbone(&loaded.encoder),
            (None, _) => Extractor::Pixels,
        }
    }

    /// Features of the training and of the test images, of which each rank computes a part and all get the whole.
    pub fn features(&self, source: FeatureSource, stages: &mut Stages) -> Result<(Features, Features), EvalError> {
        let mut of = |dataset| {
            let mut progress = |now| stages.update(now);
            let (extractor, views) = (self.extractor(source), &self.views);
            match &self.group {
                Some(group) => extract_together(dataset, extractor, views, group, &mut progress),
                None => extract(dataset, extractor, views, &mut progress),
            }
        };
        Ok((of(&self.train)?, of(&self.test)?))
    }

    /// The ranks that evaluate together, if there are several.
    pub fn group(&self) -> Option<&Group> {
        self.group.as_deref()
    }

    /// Device on which a classifier is trained.
    pub fn device(&self) -> mochi_tensor::Device {
        match &self.loaded {
            Some(loaded) if loaded.settings.compute.device != Device::Cpu => loaded.encoder.compute().device,
            _ => mochi_tensor::Device::Cpu,
        }
    }

    /// Names the bad images on stderr.
    pub fn report_bad_images<'a>(&self, bad: &'a BadImages) {
        let of = |what: &'static str, images: &'a [BadImage]| images.iter().map(move |image| (what, image));
        let both = of("bad training image", &bad.training).chain(of("bad test image", &bad.test));
        bad_images::warn(both, &self.progress);
    }

    /// The name of a result's file under `eval/`: results of a checkpoint that was asked for, and of other data sets than the usual one, are kept apart.
    pub fn result_name(&self, protocol: &str) -> String {
        let step = self.subject.step.map(mochi_run::step_in_name).unwrap_or_default();
        let dataset = self.labeled.dataset.as_ref().map(|dataset| format!("-on-{dataset}")).unwrap_or_default();
        format!("{protocol}{step}{dataset}")
    }

    /// The run's folder; `None` for raw pixels.
    pub fn folder(&self) -> Outcome<Option<RunFolder>> {
        Ok(self.loaded.as_ref().map(|_| RunFolder::read(&self.subject.run)).transpose()?)
    }

    /// Says that a result of other images is replaced.
    fn warn_of_replaced(&self, folder: &RunFolder, name: &str) {
        let stored = folder.read_results().unwrap_or_default();
        let Some(Ok(before)) = stored.iter().find(|stored| stored.name == name).map(|stored| &stored.value) else {
            return;
        };
        let of = |key: &str| before.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let (train, test) = (of("train"), of("test"));
        if (train.as_str(), test.as_str())
            != (&display_source(&self.labeled.train), &display_source(&self.labeled.test))
        {
            self.progress
                .warning(&format!("eval/{name}.json was of other images ({train} and {test}) and is replaced"));
            self.progress.hint("to keep the results of several data sets apart, name the others with --dataset");
        }
    }

    /// Prints a result of a protocol, and writes it into the run folder and to `out`; of several processes the first does.
    pub fn finish<T: Serialize>(&self, out: Option<&Path>, protocol: &str, result: &T, text: &str) -> Outcome {
        if self.group().is_some_and(|group| group.rank() > 0) {
            return Ok(ExitCode::SUCCESS);
        }
        let step = self.loaded.as_ref().map(|loaded| loaded.step);
        // Weights that a run started from were trained elsewhere.
        let given = self.loaded.as_ref().is_some_and(|loaded| loaded.settings.model.init != NO_WEIGHTS);
        let evaluated = Evaluated {
            result,
            subject: match step {
                None => "raw pixels",
                Some(0) if !given => "untrained",
                Some(_) => "trained",
            },
            run: step.map(|_| self.subject.run.display().to_string()),
            step,
            train: display_source(&self.labeled.train),
            test: display_source(&self.labeled.test),
            dataset: self.labeled.dataset.as_deref(),
            shared_images: self.overlap.images,
            device: self.loaded.as_ref().map(|loaded| loaded.settings.compute.device.to_string()),
            precision: self.loaded.as_ref().map(|loaded| loaded.settings.compute.precision.as_str()),
        };
        // First: where it cannot be written, for example on a full disk, it is known nevertheless.
        let printed = match (self.subject.json, &self.labeled.dataset) {
            (true, _) => print_json(&evaluated),
            (false, Some(dataset)) => print_line(&format!("{dataset}: {text}")),
            (false, None) => print_line(text),
        };
        if let Some(folder) = self.folder()? {
            let name = self.result_name(protocol);
            self.warn_of_replaced(&folder, &name);
            folder.write_result(&name, &evaluated)?;
        }
        if let Some(path) = out {
            let text = serde_json::to_vec_pretty(&evaluated)
                .map_err(|e| Failure::new(e.to_string(), "report this bug in Mochi"))?;
            write_atomic(path, &text)?;
        }
        printed?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The encoder of the newest checkpoint, or of the one that was asked for.
fn load(subject: &Subject, engine: &Engine, ranks: &Ranks) -> Outcome<LoadedEncoder> {
    let group = ranks.group().map(Arc::as_ref);
    let Some(step) = subject.step else { return Ok(load_encoder(&subject.run, engine, group)?) };
    let checkpoint = RunFolder::read(&subject.run)?.checkpoints().at(step)?;
    Ok(load_encoder_at(&subject.run, &checkpoint, engine, group)?)
}

/// "20 training and 20 test images of 2 classes; bad images left out: 1 training, 0 test".
pub fn counts(train: usize, test: usize, classes: usize, bad: &BadImages) -> String {
    let mut text = format!("{train} training and {} of {}", counted(test, "test image"), counted(classes, "class"));
    if !bad.is_empty() {
        text.push_str(&format!("; bad images left out: {} training, {} test", bad.training.len(), bad.test.len()));
    }
    text
}
