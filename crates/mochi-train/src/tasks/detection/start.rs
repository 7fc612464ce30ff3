//! Weights that a detector's backbone starts from: a run, or a safetensors file with torchvision's, MoCo's or detectron2's names.
//!
//! A file is used as a whole or not at all: every tensor of the backbone must be there with its shape, since a partly filled backbone trains without
//! complaint and gives worse results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mochi_detection::{Architecture, Detector, names};
use mochi_run::RunFolder;
use mochi_tensor::{Found, LoadReport, Role, Tensor, WeightsReader, no_grad};

use crate::TrainError;

/// What names in a weight file may begin with, before torchvision's names.
const PREFIXES: [&str; 6] = ["", "module.encoder_q.", "encoder_q.", "backbone.", "module.", "model."];

/// What a backbone started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartWeights {
    /// The weight file.
    pub file: PathBuf,
    /// How its names are written, for people.
    pub naming: String,
    /// Number of the backbone's tensors, all of which were found.
    pub tensors: usize,
}

/// The weight file of a run folder's newest checkpoint, or the file itself.
///
/// # Errors
/// A run without a checkpoint.
pub(super) fn weight_file(init: &Path) -> Result<PathBuf, TrainError> {
    if !init.is_dir() {
        return Ok(init.to_owned());
    }
    let folder = RunFolder::read(init)?;
    let newest = folder.checkpoints().latest()?.ok_or_else(|| TrainError::NoCheckpoint(init.to_owned()))?;
    Ok(newest.path.join("model.safetensors"))
}

/// Copies the weights of `file` into the detector's backbone.
///
/// # Errors
/// A file that cannot be read; [`TrainError::StartWeights`] if a tensor is missing or has another shape: then nothing was copied.
pub(super) fn load(detector: &Detector, file: &Path) -> Result<StartWeights, TrainError> {
    let mut reader = WeightsReader::open(file)?;
    let shapes: BTreeMap<String, Vec<i64>> = reader.shapes().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let detectron2 = [Scheme::Detectron2(Architecture::C4), Scheme::Detectron2(Architecture::Fpn), Scheme::Converted];
    let schemes = PREFIXES.map(|prefix| Scheme::Torchvision { prefix }).into_iter().chain(detectron2);
    let mut best: Option<(Scheme, LoadReport)> = None;
    for scheme in schemes {
        let report = compare(detector, &shapes, scheme);
        if best.as_ref().is_none_or(|(_, best)| report.matched > best.matched) {
            best = Some((scheme, report));
        }
    }
    let Some((scheme, report)) = best else { return Err(TrainError::Internal("no naming".to_owned())) };
    if !report.fits() {
        let (path, arch) = (file.to_owned(), detector.spec().arch.to_string());
        return Err(TrainError::StartWeights { path, arch, report: Box::new(report) });
    }
    let wanted: BTreeMap<String, &Tensor> =
        backbone(detector).map(|(name, tensor, _)| (scheme.name(name), tensor)).collect();
    let values = reader.read(|name| wanted.contains_key(name))?;
    let copy = || -> Result<(), mochi_tensor::TensorError> {
        for (name, value) in &values {
            if let Some(tensor) = wanted.get(name) {
                tensor.shallow_clone().f_copy_(value)?;
            }
        }
        Ok(())
    };
    no_grad(copy)?;
    Ok(StartWeights { file: file.to_owned(), naming: scheme.describe(), tensors: report.matched })
}

/// How a weight file names the tensors.
#[derive(Clone, Copy)]
enum Scheme {
    Torchvision {
        prefix: &'static str,
    },
    /// Of a detector.
    Detectron2(Architecture),
    /// Of a backbone alone, as MoCo's `convert-pretrain-to-detectron2.py` writes them.
    Converted,
}

impl Scheme {
    fn name(self, name: &str) -> String {
        match self {
            Self::Torchvision { prefix } => format!("{prefix}{name}"),
            Self::Detectron2(architecture) => names::detectron2(name, architecture),
            Self::Converted => {
                let whole = names::detectron2(name, Architecture::Fpn);
                whole.strip_prefix("backbone.bottom_up.").map_or(whole.clone(), str::to_owned)
            }
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Torchvision { prefix: "" } => "torchvision's names".to_owned(),
            Self::Torchvision { prefix } => format!("torchvision's names after \"{prefix}\""),
            Self::Detectron2(Architecture::C4) => "detectron2's names of a C4 detector".to_owned(),
            Self::Detectron2(Architecture::Fpn) => "detectron2's names of a feature pyramid".to_owned(),
            Self::Converted => "detectron2's names without \"backbone.\"".to_owned(),
        }
    }
}

/// The backbone's tensors without counters.
fn backbone(detector: &Detector) -> impl Iterator<Item = (&str, &Tensor, Role)> {
    detector.backbone_tensors().filter(|(.., role)| *role != Role::Counter)
}

fn compare(detector: &Detector, shapes: &BTreeMap<String, Vec<i64>>, scheme: Scheme) -> LoadReport {
    let mut report = LoadReport::default();
    for (name, tensor, _) in backbone(detector) {
        let name = scheme.name(name);
        match shapes.get(&name) {
            Some(shape) if *shape == tensor.size() => report.matched += 1,
            Some(shape) => report.mismatched.push(Found { name, shape: shape.clone(), expected: tensor.size() }),
            None => report.missing.push(name),
        }
    }
    report
}
