//! Conversion of settings into the types of the other crates.

use std::str::FromStr;

use mochi_config::{
    Augment, DeviceFacts, Facts, Head, Layout, Precision as WantedPrecision, Resolved, Selection, Stem as WantedStem,
};
use mochi_contrast::Objective;
use mochi_data::dataset::path_from_text;
use mochi_data::{DataError, Dataset, OpenOptions};
use mochi_nets::{Arch, EncoderSpec, HeadKind, Stem};
use mochi_tensor::{Compute, Engine, Group, Precision, TensorError};
use mochi_views::{Augmentation, Geometry};

use crate::TrainError;

/// Machine and dataset properties used to resolve `"auto"` settings. Assumes that the dataset has labels.
pub fn facts(engine: &Engine, images: usize) -> Facts {
    Facts {
        images,
        short_side: None,
        start: None,
        grayscale: false,
        speeds: Vec::new(),
        labels: true,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: DeviceFacts { memory_bytes: mochi_system::memory_limit().unwrap_or(0), fast_bf16: engine.fast_bf16 },
        gpus: (0..engine.cuda_devices).map(|index| gpu(engine, index)).collect(),
        processes: 1,
    }
}

/// A GPU's properties. To ask for its memory CUDA reserves some hundred MB there: with several GPUs, of which only one will be used, it stays
/// unknown.
fn gpu(engine: &Engine, index: usize) -> DeviceFacts {
    let memory_bytes = if engine.cuda_devices == 1 { engine.cuda_memory(index).unwrap_or(0) } else { 0 };
    DeviceFacts { memory_bytes, fast_bf16: engine.fast_bf16_on_cuda(index) }
}

/// Where and how the networks compute; its precision becomes the process's.
///
/// # Errors
/// A device that is not there.
pub fn compute(settings: &Resolved, engine: &Engine) -> Result<Compute, TensorError> {
    compute_of(&settings.compute, engine)
}

/// As [`compute`], of any task's settings.
///
/// # Errors
/// A device that is not there.
pub fn compute_of(settings: &mochi_config::Compute, engine: &Engine) -> Result<Compute, TensorError> {
    let compute = Compute {
        device: engine.device(&settings.device.to_string())?,
        precision: match settings.precision {
            WantedPrecision::Float32 => Precision::Float32,
            WantedPrecision::Tf32 => Precision::Tf32,
            WantedPrecision::Bf16 => Precision::Bf16,
        },
        channels_last: settings.layout == Layout::ChannelsLast,
    };
    compute.activate()?;
    Ok(compute)
}

/// On a GPU each process of a machine has its own, by its rank there.
pub(crate) fn use_own_gpu(settings: &mut mochi_config::Compute, group: &Group) {
    if let mochi_config::Device::Cuda(_) = settings.device {
        settings.device = mochi_config::Device::Cuda(group.member().local_rank);
    }
}

/// The encoder's shape.
///
/// # Errors
/// An architecture that `mochi-nets` does not have.
pub fn encoder_spec(settings: &Resolved) -> Result<EncoderSpec, TensorError> {
    let arch = Arch::from_str(settings.model.arch.as_str()).map_err(|e| TensorError::Mismatch(e.to_string()))?;
    Ok(EncoderSpec {
        arch,
        stem: match settings.model.stem {
            WantedStem::Standard => Stem::Standard,
            WantedStem::Cifar => Stem::Cifar,
        },
        head: match settings.model.head {
            Head::Mlp => HeadKind::Mlp,
            Head::MlpBn => HeadKind::MlpBn,
            Head::Linear => HeadKind::Linear,
        },
        dim: i64::try_from(settings.model.dim).unwrap_or(i64::MAX),
    })
}

/// The loss as configured.
pub fn objective(settings: &Resolved) -> Objective {
    let n = &settings.negatives;
    let mut objective = Objective::mochi(settings.moco.temperature, n.hardest, n.pairs, n.query_mixes);
    objective.strategies.extend(n.extra.iter().map(Selection::build));
    objective.filters = n.filters.iter().map(Selection::build).collect();
    objective.loss = settings.moco.loss.build();
    objective
}

/// The dataset that the settings name: `data.source` and what `data.also` adds.
///
/// # Errors
/// As [`Dataset::open_all`].
pub fn open_data(settings: &Resolved, options: &OpenOptions) -> Result<Dataset, DataError> {
    let texts = std::iter::once(&settings.data.source).chain(&settings.data.also);
    let sources: Vec<_> = texts.map(|text| path_from_text(text)).collect();
    Dataset::open_all(&sources, options)
}

/// The labeled images of `evaluation.source`; `None` if it is empty.
///
/// # Errors
/// [`TrainError::Evaluation`], as [`Dataset::open`].
pub fn open_evaluation_data(settings: &Resolved, options: &OpenOptions) -> Result<Option<Dataset>, TrainError> {
    let source = &settings.evaluation.source;
    if source.is_empty() {
        return Ok(None);
    }
    Dataset::open(&path_from_text(source), options).map(Some).map_err(|error| match error {
        DataError::Canceled => error.into(),
        error => TrainError::Evaluation { has_labels: true, source: error.into(), config: None },
    })
}

/// Augmentation pipeline of the training views.
///
/// # Errors
/// As [`augmentation_of`].
pub fn augmentation(settings: &Resolved) -> Result<Augmentation, TrainError> {
    augmentation_of(settings.data.augment, settings.data.crop_min_scale)
}

/// A pipeline (`data.augment`) with another smallest crop, unless that is 0 (`data.crop_min_scale`).
///
/// # Errors
/// A name that `mochi-views` does not have (a test compares the two lists).
pub fn augmentation_of(augment: Augment, crop_min_scale: f64) -> Result<Augmentation, TrainError> {
    let mut augmentation = Augmentation::preset(augment.as_str())
        .ok_or_else(|| TensorError::Mismatch(format!("\"{augment}\" is not an augmentation pipeline")))?;
    if let (Geometry::RandomResizedCrop { scale, .. }, true) = (&mut augmentation.geometry, crop_min_scale > 0.0) {
        // The largest crop stays the whole image.
        scale[0] = crop_min_scale.min(scale[1]);
    }
    Ok(augmentation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{Arch as ArchName, Settings};

    /// The objective of some words of the command line.
    fn objective_of(words: &[&str]) -> Objective {
        let facts = Facts { images: 10_000, labels: true, ..Facts::default() };
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let (settings, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
        objective(&settings)
    }

    #[test]
    fn defaults_are_plain_and_names_become_parts_of_the_loss() {
        let plain = objective_of(&[]);
        assert_eq!(plain, Objective::mochi(0.2, 1024, 0, 0));
        assert!(!plain.has_synthesis());
        let all = objective_of(&[
            r#"negatives.extra=[{ extrapolate = { max = 1.4 } }, "noise", { weight = { w = 2 } }]"#,
            r#"negatives.filters=["same-image", { margin = { m = 0.1 } }]"#,
            "moco.loss={ hcl = { beta = 0.5, c = 0.05 } }",
        ]);
        let options = objective_of(&["negatives.pairs=0", "negatives.extra=pair-mixing", "negatives.query_mixes=0"]);
        options.check().unwrap();
        let names: Vec<&str> = all.strategies.iter().map(|strategy| strategy.name).collect();
        assert_eq!(names, ["pair-mixing", "query-mixing", "extrapolate", "noise", "weight"]);
        assert_eq!(all.strategies.last().map(|strategy| strategy.weight), Some(2.0));
        let names: Vec<&str> = all.filters.iter().map(|filter| filter.name).collect();
        assert_eq!(names, ["same-image", "margin"]);
        assert_eq!((all.loss.concentration, all.loss.class_prior), (Some(0.5), Some(0.05)));
        all.check().unwrap();
    }

    #[test]
    fn every_word_of_the_settings_has_its_partner() {
        for word in Augment::WORDS {
            assert!(Augmentation::preset(word).is_some(), "{word}");
        }
        let smallest = |fraction| match augmentation_of(Augment::MocoV2, fraction).unwrap().geometry {
            Geometry::RandomResizedCrop { scale, .. } => scale,
            geometry => panic!("{geometry:?}"),
        };
        assert_eq!([smallest(0.0), smallest(0.5), smallest(1.0)], [[0.2, 1.0], [0.5, 1.0], [1.0, 1.0]]);
        for word in ArchName::WORDS {
            assert!(Arch::from_str(word).is_ok(), "{word}");
        }
    }
}
