//! Conversion of settings into the types of the other crates.

use std::str::FromStr;

use mochi_config::{
    Alpha, Beta, Call, DeviceFacts, Facts, Head, Layout, Precision as WantedPrecision, Resolved, Stem as WantedStem,
};
use mochi_contrast::{Coefficient, Form, Guard, Objective, Synthesis, Term};
use mochi_data::dataset::path_from_text;
use mochi_data::{DataError, Dataset, OpenOptions, Recipe};
use mochi_nets::{Arch, EncoderSpec, HeadKind, Stem};
use mochi_tensor::{Compute, Engine, Precision, TensorError};

use crate::TrainError;

/// Machine and dataset properties used to resolve `"auto"` settings. Assumes that the dataset has labels.
pub fn facts(engine: &Engine, images: usize) -> Facts {
    Facts {
        images,
        labels: true,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: DeviceFacts { memory_bytes: mochi_system::memory_limit().unwrap_or(0), fast_bf16: engine.fast_bf16 },
        gpus: (0..engine.cuda_devices).map(|index| gpu(engine, index)).collect(),
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
    let compute = Compute {
        device: engine.device(&settings.compute.device.to_string())?,
        precision: match settings.compute.precision {
            WantedPrecision::Float32 => Precision::Float32,
            WantedPrecision::Tf32 => Precision::Tf32,
            WantedPrecision::Bf16 => Precision::Bf16,
        },
        channels_last: settings.compute.layout == Layout::ChannelsLast,
    };
    compute.activate()?;
    Ok(compute)
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

/// The loss as configured; nothing is synthesised where all counts are 0.
///
/// # Errors
/// A name that the loss does not have (a test compares the two lists).
pub fn objective(settings: &Resolved) -> Result<Objective, TrainError> {
    let unknown = |call: &Call| TrainError::from(TensorError::Mismatch(format!("\"{call}\" is no part of a loss")));
    let form = form(&settings.moco.loss).ok_or_else(|| unknown(&settings.moco.loss))?;
    let n = &settings.negatives;
    let also = n.extra.iter().map(|call| term(call).ok_or_else(|| unknown(call))).collect::<Result<_, _>>()?;
    let guards = n.filters.iter().map(|call| guard(call).ok_or_else(|| unknown(call))).collect::<Result<_, _>>()?;
    Ok(Objective { also, guards, form, ..Objective::mochi(settings.moco.temperature, synthesis(settings)) })
}

fn form(call: &Call) -> Option<Form> {
    Some(match call.name() {
        "info-nce" => Form::InfoNce,
        "decoupled" => Form::Decoupled,
        "debiased" => Form::Debiased { c: call.get("c")? },
        "hcl" => Form::Hcl { beta: call.get("beta")?, c: call.get("c")? },
        _ => return None,
    })
}

fn term(call: &Call) -> Option<Term> {
    // Whole and within bounds: the settings were checked.
    let s = || call.get("s").map(|s| s as usize);
    Some(match call.name() {
        "extrapolate" => Term::Extrapolate { s: s()?, max: call.get("max")? },
        "noise" => Term::Noise { s: s()?, sigma: call.get("sigma")? },
        "perturb" => Term::Perturb { s: s()?, delta: call.get("delta")? },
        "adversarial" => Term::Adversarial { s: s()?, eta: call.get("eta")? },
        "repeat" => Term::Repeat { s: s()? },
        "weight" => Term::Weight { w: call.get("w")? },
        _ => return None,
    })
}

fn guard(call: &Call) -> Option<Guard> {
    Some(match call.name() {
        "same-image" => Guard::SameImage,
        "class-oracle" => Guard::ClassOracle,
        "margin" => Guard::Margin(call.get("m")?),
        "percentage" => Guard::Percentage(call.get("p")?),
        "ring" => Guard::Ring { from: call.get("from")?, to: call.get("to")? },
        _ => return None,
    })
}

/// MoCHi (N, s, s') as configured.
fn synthesis(settings: &Resolved) -> Synthesis {
    let n = &settings.negatives;
    Synthesis {
        hardest: n.hardest,
        pairs: n.pairs,
        query_mixes: n.query_mixes,
        alpha: match n.alpha {
            Alpha::Uniform => Coefficient::Uniform { high: 1.0 },
            Alpha::Beta => Coefficient::Beta { p: n.alpha_value },
            Alpha::Fixed => Coefficient::Fixed(n.alpha_value),
        },
        beta: match n.beta {
            Beta::Uniform => Coefficient::Uniform { high: n.beta_max },
            Beta::Fixed => Coefficient::Fixed(n.beta_max),
        },
        distinct: n.distinct,
        query_gradient: n.query_gradient,
    }
}

/// The data set that the settings name: `data.source` and what `data.also` adds.
///
/// # Errors
/// As [`Dataset::open_all`].
pub fn open_data(settings: &Resolved, options: &OpenOptions) -> Result<Dataset, DataError> {
    let texts = std::iter::once(&settings.data.source).chain(&settings.data.also);
    let sources: Vec<_> = texts.map(|text| path_from_text(text)).collect();
    Dataset::open_all(&sources, options)
}

/// The training views' recipe.
///
/// # Errors
/// A name that `mochi-data` does not have (a test compares the two lists).
pub fn recipe(settings: &Resolved) -> Result<Recipe, TrainError> {
    let name = settings.data.augment.as_str();
    Recipe::preset(name).ok_or_else(|| TensorError::Mismatch(format!("\"{name}\" is no recipe for views")).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{Arch as ArchName, Augment, Settings};

    /// The objective of some words of the command line.
    fn objective_of(words: &[&str]) -> Objective {
        let facts = Facts { images: 10_000, labels: true, ..Facts::default() };
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        let (settings, _) = Settings::load(Some("moco-v2"), None, &words).unwrap().resolve(&facts).unwrap();
        objective(&settings).unwrap()
    }

    #[test]
    fn defaults_are_plain_and_names_become_parts_of_the_loss() {
        let plain = objective_of(&[]);
        assert_eq!(plain, Objective { synthesis: Synthesis::paper(1024, 0, 0), ..Objective::plain(0.2) });
        let all = objective_of(&[
            "negatives.extra=[{extrapolate={s=256, max=1.4}}, 'noise', {perturb={s=3}}, {adversarial={s=4, eta=0.02}}, {repeat={s=5}}, \
             {weight={w=2}}]",
            "negatives.filters=['same-image', 'class-oracle', {margin={m=0.1}}, 'percentage', {ring={from=0.02, to=0.2}}]",
            "moco.loss={hcl={beta=0.5, c=0.05}}",
        ]);
        let also = [
            Term::Extrapolate { s: 256, max: 1.4 },
            Term::Noise { s: 64, sigma: 0.01 },
            Term::Perturb { s: 3, delta: 0.01 },
            Term::Adversarial { s: 4, eta: 0.02 },
            Term::Repeat { s: 5 },
            Term::Weight { w: 2.0 },
        ];
        assert_eq!(all.also, also);
        let ring = Guard::Ring { from: 0.02, to: 0.2 };
        assert_eq!(
            all.guards,
            [Guard::SameImage, Guard::ClassOracle, Guard::Margin(0.1), Guard::Percentage(0.95), ring]
        );
        assert_eq!(all.form, Form::Hcl { beta: 0.5, c: 0.05 });
        assert_eq!(objective_of(&["moco.loss=debiased"]).form, Form::Debiased { c: 0.1 });
        assert_eq!(objective_of(&["moco.loss=decoupled"]).form, Form::Decoupled);
        all.check().unwrap();
    }

    #[test]
    fn every_word_of_the_settings_has_its_partner() {
        for word in Augment::WORDS {
            assert!(Recipe::preset(word).is_some(), "{word}");
        }
        for word in ArchName::WORDS {
            assert!(Arch::from_str(word).is_ok(), "{word}");
        }
    }
}
