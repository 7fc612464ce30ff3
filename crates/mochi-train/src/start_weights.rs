//! Weights that a backbone starts from (`model.init`): a run, or a file of safetensors or PyTorch with torchvision's, MoCo's or detectron2's names.
//!
//! A file is used as a whole or not at all: every tensor of the backbone must be there with its shape, since a partly filled backbone trains without
//! complaint and gives worse results.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mochi_config::{Arch, Resolved, StartNetwork, Stem, Task, detection};
use mochi_detection::{Architecture, names};
use mochi_nets::Stem as NetworkStem;
use mochi_run::RunFolder;
use mochi_tensor::{Found, LoadReport, Role, Tensor, WeightsReader, no_grad};

use crate::TrainError;

/// Key of a weight file's metadata that says which pixels its network takes.
pub(crate) const PIXELS: &str = "pixels";

/// The weights of a checkpoint.
const MODEL: &str = "model.safetensors";
/// Its files without weights; the optimizer's has names of them.
const OTHER_PARTS: [&str; 2] = ["optimizer.safetensors", "queue.safetensors"];

/// Dictionaries of a checkpoint that hold the weights, as the beginning of their names.
const DICTIONARIES: [&str; 4] = ["", "state_dict.", "model.", "model_state_dict."];

/// What names in a weight file may begin with, before torchvision's names.
const PREFIXES: [&str; 5] = ["", "module.encoder_q.", "encoder_q.", "backbone.", "module."];

/// What a backbone started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartWeights {
    /// The weight file.
    pub file: PathBuf,
    /// How its names are written, for people.
    pub naming: String,
    /// Number of the backbone's tensors, all of which were found.
    pub tensors: usize,
    /// What the file does not say of the pixels and the network that its weights were trained with, where that is in doubt.
    pub doubt: Option<&'static str>,
}

/// The weight file of a run folder's newest checkpoint or of a checkpoint's folder, or the file itself.
///
/// # Errors
/// A run without a checkpoint.
pub(crate) fn weight_file(init: &Path) -> Result<PathBuf, TrainError> {
    if let Some(file) = plain_file(init)? {
        return Ok(file);
    }
    let folder = RunFolder::read(init)?;
    let newest = folder.checkpoints().latest()?.ok_or_else(|| TrainError::NoCheckpoint(init.to_owned()))?;
    Ok(newest.path.join(MODEL))
}

/// What is no run folder: a weight file, or that of a checkpoint's folder.
fn plain_file(init: &Path) -> Result<Option<PathBuf>, TrainError> {
    let of_checkpoint = init.join(MODEL);
    if init.is_dir() {
        return Ok(of_checkpoint.is_file().then_some(of_checkpoint));
    }
    let weights = init.with_file_name(MODEL);
    match OTHER_PARTS.iter().any(|part| init.file_name() == Some(part.as_ref())) && weights.is_file() {
        true => Err(TrainError::NotTheWeights { path: init.to_owned(), weights }),
        false => Ok(Some(init.to_owned())),
    }
}

/// The network of the weights at `init`: as the run says, or as the names and shapes of a file with torchvision's or MoCo's names show. `None` if they do not.
///
/// # Errors
/// A run or a file that cannot be read.
pub fn start_network(init: &Path) -> Result<Option<StartNetwork>, TrainError> {
    let Some(file) = plain_file(init)? else {
        let config = RunFolder::read(init)?.config_path();
        let (arch, stem, size) = match Task::read(&config)? {
            Task::Pretraining => {
                let settings = Resolved::read(&config)?;
                (settings.model.arch, settings.model.stem, Some(settings.data.size))
            }
            Task::Detection => {
                let settings = detection::Resolved::read(&config)?;
                (settings.model.arch, settings.model.stem, None)
            }
        };
        return Ok(Some(StartNetwork { arch, stem: Some(stem), size }));
    };
    let reader = WeightsReader::open(&file)?;
    let shapes: BTreeMap<String, Vec<i64>> = reader.shapes().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let Some((network, stem)) = mochi_nets::network_of(&shapes) else { return Ok(None) };
    let arch = Arch::ALL.iter().copied().find(|arch| arch.as_str() == network.to_string());
    let stem = stem.map(|stem| match stem {
        NetworkStem::Standard => Stem::Standard,
        NetworkStem::Cifar => Stem::Cifar,
    });
    Ok(arch.map(|arch| StartNetwork { arch, stem, size: None }))
}

/// Copies the weights of `file` into a backbone, whose tensors have torchvision's names. `arch` is its name, for errors.
///
/// # Errors
/// A file that cannot be read, values that are not finite; [`TrainError::StartWeights`] if a tensor is missing or has another shape, or the
/// file is of a deeper network: then nothing was copied.
pub(crate) fn load(arch: &str, backbone: &[(&str, &Tensor)], file: &Path) -> Result<StartWeights, TrainError> {
    let mut reader = WeightsReader::open(file)?;
    let shapes: BTreeMap<String, Vec<i64>> = reader.shapes().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let detectron2 = [Names::Detectron2(Architecture::C4), Names::Detectron2(Architecture::Fpn), Names::Converted];
    let all = PREFIXES.map(|prefix| Names::Torchvision { prefix }).into_iter().chain(detectron2);
    let mut best: Option<(Scheme, LoadReport)> = None;
    for names in all {
        for dictionary in DICTIONARIES {
            let scheme = Scheme { dictionary, names };
            let report = compare(backbone, &shapes, scheme);
            if best.as_ref().is_none_or(|(_, best)| report.matched > best.matched) {
                best = Some((scheme, report));
            }
        }
    }
    let Some((scheme, mut report)) = best else { return Err(TrainError::Internal("no naming".to_owned())) };
    report.unexpected = more_blocks(backbone, &shapes, scheme);
    if !report.fits() {
        let (path, arch) = (file.to_owned(), arch.to_owned());
        return Err(TrainError::StartWeights { path, arch, report: Box::new(report) });
    }
    let wanted: BTreeMap<String, &Tensor> =
        backbone.iter().map(|&(name, tensor)| (scheme.name(name), tensor)).collect();
    let values = reader.read_finite(|name| wanted.contains_key(name))?;
    let copy = || -> Result<(), mochi_tensor::TensorError> {
        for (name, value) in &values {
            if let Some(tensor) = wanted.get(name) {
                tensor.shallow_clone().f_copy_(value)?;
            }
        }
        Ok(())
    };
    no_grad(copy)?;
    let doubt = scheme.names.doubt().filter(|_| !reader.metadata().contains_key(PIXELS));
    Ok(StartWeights { file: file.to_owned(), naming: scheme.describe(), tensors: report.matched, doubt })
}

/// Where in a weight file the tensors are.
#[derive(Clone, Copy)]
struct Scheme {
    dictionary: &'static str,
    names: Names,
}

/// How a weight file names the tensors.
#[derive(Clone, Copy)]
enum Names {
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
        let name = match self.names {
            Names::Torchvision { prefix } => format!("{prefix}{name}"),
            Names::Detectron2(architecture) => names::detectron2(name, architecture),
            Names::Converted => {
                let whole = names::detectron2(name, Architecture::Fpn);
                whole.strip_prefix("backbone.bottom_up.").map_or(whole.clone(), str::to_owned)
            }
        };
        format!("{}{name}", self.dictionary)
    }

    fn describe(self) -> String {
        let (whose, prefix) = match self.names {
            Names::Torchvision { prefix } => ("torchvision's names", prefix),
            Names::Detectron2(Architecture::C4) => ("detectron2's names of a C4 detector", ""),
            Names::Detectron2(Architecture::Fpn) => ("detectron2's names of a feature pyramid", ""),
            Names::Converted => ("detectron2's names without \"backbone.\"", ""),
        };
        match format!("{}{prefix}", self.dictionary).as_str() {
            "" => whose.to_owned(),
            before => format!("{whose} after \"{before}\""),
        }
    }
}

impl Names {
    fn doubt(self) -> Option<&'static str> {
        match self {
            Self::Torchvision { .. } => None,
            Self::Detectron2(_) | Self::Converted => Some(
                "models of detectron2's zoo were trained on BGR pixels that were not divided by a deviation, those of MSRA with the stride in the \
                 1x1 convolutions; weights of such a model do not suit this network",
            ),
        }
    }
}

/// A backbone's tensors that a weight file must have: all but counters.
pub(crate) fn needed<'a>(tensors: impl Iterator<Item = (&'a str, &'a Tensor, Role)>) -> Vec<(&'a str, &'a Tensor)> {
    tensors.filter(|(.., role)| *role != Role::Counter).map(|(name, tensor, _)| (name, tensor)).collect()
}

fn compare(backbone: &[(&str, &Tensor)], shapes: &BTreeMap<String, Vec<i64>>, scheme: Scheme) -> LoadReport {
    let mut report = LoadReport::default();
    for (name, tensor) in backbone {
        let name = scheme.name(name);
        match shapes.get(&name) {
            Some(shape) if *shape == tensor.size() => report.matched += 1,
            Some(shape) => report.mismatched.push(Found { name, shape: shape.clone(), expected: tensor.size() }),
            None => report.missing.push(name),
        }
    }
    report
}

/// Names in the file of blocks beyond those of the backbone's stages: the weights are of a deeper network.
fn more_blocks(backbone: &[(&str, &Tensor)], shapes: &BTreeMap<String, Vec<i64>>, scheme: Scheme) -> Vec<String> {
    /// "layer1." of "layer1.0.conv1.weight", "backbone.res2." of "backbone.res2.0.conv1.norm.weight".
    fn stage(name: &str) -> Option<&str> {
        let ends = name.match_indices('.').map(|(at, _)| at + 1);
        let number = |start: &usize| name[*start..].split('.').next().is_some_and(|part| part.parse::<u32>().is_ok());
        ends.into_iter().find(number).map(|end| &name[..end])
    }
    let wanted: BTreeSet<String> = backbone.iter().map(|(name, _)| scheme.name(name)).collect();
    let stages: BTreeSet<&str> = wanted.iter().filter_map(|name| stage(name)).collect();
    let counter = |name: &str| name.ends_with("num_batches_tracked");
    let more = shapes.keys().filter(|name| !wanted.contains(*name) && !counter(name));
    more.filter(|name| stage(name).is_some_and(|stage| stages.contains(stage))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Report: the optimizer of a checkpoint was compared with the network as if it were its weights.
    #[test]
    fn the_other_files_of_a_checkpoint_are_told_from_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("optimizer.safetensors");
        std::fs::write(&file, "").unwrap();
        assert_eq!(weight_file(&file).unwrap(), file, "a file of that name alone may hold anything");
        std::fs::write(folder.path().join(MODEL), "").unwrap();
        for refused in [weight_file(&file).unwrap_err(), start_network(&file).unwrap_err()] {
            assert!(refused.hint().unwrap().ends_with("model.safetensors"), "{refused}");
        }
    }
}
