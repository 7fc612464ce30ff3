//! A network against torchvision's: pooled features in eval and train mode, gradients of `features.square().mean()`, and the running
//! statistics after the train-mode pass.
//!
//! The file is compared with the contiguous layout, in which it was computed. Train-mode gradients of a network of ReLUs jump where
//! an activation crosses 0, and rounding alone pushes some across: PyTorch's own channels_last gradients lie 0.04 (ResNet-18, 224 px) to
//! 0.3 (ResNet-50) from its contiguous ones, and as far from float64's. Of the layout that training uses, channels innermost with the
//! fused norm kernel, features and statistics are therefore compared under the same bound, its gradients only printed: with the file, and
//! with the contiguous layout's on the same network with the norms' shifts moved, so that no activation comes near 0 ([`settle`]).

use crate::Verdict;
use crate::compare::{Worst, relative_error};
use crate::error::ParityError;
use crate::file::Reference;
use mochi_nets::{Arch, Backbone, NormMode, Stem};
use mochi_tensor::{Compute, Kind, ParameterStore, Role, Tensor, dim, no_grad};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// float32 against float32 on other kernels, through up to 101 layers.
const BOUND: f64 = 1e-4;

/// How far [`settle`] moves the norms' shifts. Scales lie in 0.5 to 1.5: this is 4 deviations and more.
const SHIFT: f64 = 4.0;

const FIELDS: [&str; 4] = ["features", "features_eval", "grad", "after"];

/// Compares; the worst tensors' names go to stderr.
///
/// # Errors
/// Where the file cannot be used.
pub fn compare(path: &Path) -> Result<Verdict, ParityError> {
    let file = Reference::open(path, "resnet_reference.py")?;
    let name = file.entry("arch").ok_or_else(|| file.refuse("the metadata entry \"arch\" is missing".into()))?;
    let arch: Arch = name.parse().map_err(|error| file.refuse(format!("{error}")))?;
    let stem = match file.entry("stem") {
        None | Some("standard") => Stem::Standard,
        Some("cifar") => Stem::Cifar,
        Some(other) => return Err(file.refuse(format!("\"{other}\" is no stem; expected standard or cifar"))),
    };
    let theirs = from_file(&file)?;
    let input = file.tensor("input")?;
    let pass =
        |channels_last, settled| pass(&file, input, arch, stem, Compute { channels_last, ..Compute::CPU }, settled);
    let contiguous = errors("contiguous", &pass(false, false)?, &theirs)?;
    let channels_last = errors("channels_last", &pass(true, false)?, &theirs)?;
    let mut plain = pass(false, true)?;
    let mut fused = pass(true, true)?;
    join_shifts_and_scales(&mut fused[2], &mut plain[2])?;
    let settled = errors("channels_last against contiguous, settled", &fused, &plain)?;

    // Of the fused layout everything but the train-mode gradients must be within the bound here; the fixtures of mochi-nets compare those
    // with float64.
    let smooth = [&channels_last[0], &channels_last[1], &channels_last[3]];
    let good = contiguous.iter().chain(smooth).all(|worst| worst.within(BOUND));
    if !contiguous[2].within(BOUND) {
        // How far these gradients move when every pixel moves by its last bit: beyond the bound, another torch or machine cannot agree.
        let moved = input.f_mul_scalar(1.0 + f64::from(f32::EPSILON))?;
        let moved = self::pass(&file, &moved, arch, stem, Compute { channels_last: false, ..Compute::CPU }, false)?;
        errors("contiguous with the input moved by one rounding", &moved, &pass(false, false)?)?;
    }
    let mut numbers = object(&contiguous);
    numbers.insert("arch".to_owned(), json!(arch.to_string()));
    numbers.insert("channels_last".to_owned(), Value::Object(object(&channels_last)));
    numbers.insert("channels_last_settled".to_owned(), Value::Object(object(&settled)));
    Ok(Verdict { numbers: Value::Object(numbers), good })
}

/// Tensors by field and name.
type Pass = [BTreeMap<String, Tensor>; 4];

fn from_file(file: &Reference) -> Result<Pass, ParityError> {
    let [mut features, mut features_eval, mut grad, mut after] = Pass::default();
    features.insert("features".to_owned(), file.tensor("features")?.shallow_clone());
    features_eval.insert("features_eval".to_owned(), file.tensor("features_eval")?.shallow_clone());
    for (name, tensor) in file.tensors() {
        if let Some(name) = name.strip_prefix("grad.") {
            grad.insert(name.to_owned(), tensor.shallow_clone());
        }
        if let Some(name) = name.strip_prefix("after.") {
            after.insert(name.to_owned(), tensor.shallow_clone());
        }
    }
    Ok([features, features_eval, grad, after])
}

fn pass(
    file: &Reference,
    input: &Tensor,
    arch: Arch,
    stem: Stem,
    compute: Compute,
    settled: bool,
) -> Result<Pass, ParityError> {
    let mut store = ParameterStore::new();
    let net = Backbone::new(arch, stem, compute, &mut store)?;
    store.load(file.tensors(), "weights.")?;
    if settled {
        settle(&store)?;
    }
    let input = compute.input(input)?;
    let [mut features, mut features_eval, mut grad, mut after] = Pass::default();
    features_eval.insert("features_eval".to_owned(), no_grad(|| net.pooled(&input, NormMode::Eval))?);
    let ours = net.pooled(&input, NormMode::Train { groups: 1 })?;
    features.insert("features".to_owned(), ours.f_detach()?);
    let loss = if settled {
        // Squares of features that all lie near the same large value have gradients that nearly cancel.
        let ramp = Tensor::f_arange(dim(ours.numel()), (Kind::Float, ours.device()))?;
        ours.f_mul(&ramp.f_mul_scalar(2.4)?.f_cos()?.f_view_as(&ours)?)?
    } else {
        ours.f_square()?
    };
    loss.f_mean(Kind::Float)?.f_backward()?;
    for (name, tensor, role) in store.iter() {
        match role {
            Role::Parameter => grad.insert(name.to_owned(), tensor.f_grad()?),
            // Counts of passes, which the script's network makes another number of.
            Role::Counter => None,
            Role::Buffer => after.insert(name.to_owned(), tensor.shallow_clone()),
        };
    }
    Ok([features, features_eval, grad, after])
}

/// Moves every norm's shift so that each ReLU is far on one side: open where a block ends, and inside of blocks alternately open and shut from
/// channel to channel. The network is smooth there, and what it computes depends on every kernel as before.
fn settle(store: &ParameterStore) -> Result<(), ParityError> {
    let bottleneck = store.iter().any(|(name, _, _)| name.ends_with(".bn3.bias"));
    no_grad(|| {
        for (name, tensor, _) in store.iter().filter(|(name, _, _)| name.ends_with(".bias")) {
            let within = name.starts_with("layer")
                && (name.ends_with(".bn1.bias") || (bottleneck && name.ends_with(".bn2.bias")));
            let turn = |channel: i64| if within && channel % 2 == 1 { -SHIFT } else { SHIFT };
            let shifts: Vec<f64> = (0..tensor.size().iter().product()).map(turn).collect();
            tensor.shallow_clone().f_copy_(&Tensor::f_from_slice(&shifts)?.f_view(tensor.size().as_slice())?)?;
        }
        Ok(())
    })
}

/// Joins each shift's gradient and its norm's scale's into one tensor. Behind an open ReLU a convolution and another norm take a constant
/// shift out again: its gradient is 0 up to rounding and has no digits of its own. Both are sums over the same pixels.
fn join_shifts_and_scales(
    fused: &mut BTreeMap<String, Tensor>,
    plain: &mut BTreeMap<String, Tensor>,
) -> Result<(), ParityError> {
    for gradients in [fused, plain] {
        let shifts: Vec<String> = gradients.keys().filter(|name| name.ends_with(".bias")).cloned().collect();
        for shift in shifts {
            let scale = shift.replace(".bias", ".weight");
            if let (Some(a), Some(b)) = (gradients.get(&shift), gradients.get(&scale)) {
                let both = Tensor::f_cat(&[a, b], 0)?;
                gradients.insert(shift, both);
            }
        }
    }
    Ok(())
}

/// The largest error of each field, over the tensors that ours has.
fn errors(what: &str, ours: &Pass, theirs: &Pass) -> Result<[Worst; 4], ParityError> {
    let mut found: [Worst; 4] = Default::default();
    for (((worst, field), ours), theirs) in found.iter_mut().zip(FIELDS).zip(ours).zip(theirs) {
        for (name, tensor) in ours {
            let other = theirs.get(name).ok_or_else(|| missing(field, name))?;
            worst.take(name, relative_error(tensor, other)?);
        }
        eprintln!(
            "{what}: {field} off by {:.1e}{}",
            worst.error,
            if worst.name.is_empty() { String::new() } else { format!(" in {}", worst.name) }
        );
    }
    Ok(found)
}

fn missing(field: &str, name: &str) -> ParityError {
    mochi_tensor::TensorError::Mismatch(format!("\"{field}\" lacks \"{name}\"")).into()
}

fn object(errors: &[Worst; 4]) -> Map<String, Value> {
    FIELDS.iter().zip(errors).map(|(field, worst)| ((*field).to_owned(), json!(worst.error))).collect()
}
