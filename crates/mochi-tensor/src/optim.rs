//! Optimizers whose state can be saved, gradient clipping, and the momentum encoder's update: all in place, without reallocating, and
//! without a value that the host waits for.
//!
//! * SGD (`torch.optim.SGD`, dampening 0): `m <- mu m + (g + wd p); p <- p - lr m`, weight decay on every parameter as MoCo has it.
//! * LARS (You et al. 2017, as in MoCo-v3's reference code): tensors of two or more dimensions take `g <- g + wd p` and are then scaled by
//!   `0.001 |p| / |g|`; vectors (biases, norms) take neither. Then `m <- mu m + g; p <- p - lr m`.
//! * AdamW (Loshchilov and Hutter 2019, as `torch.optim.AdamW` with betas (mu, 0.999) and eps 1e-8): tensors of two or more dimensions take
//!   `p <- p - lr wd p`, vectors do not. Then `m <- mu m + (1 - mu) g; v <- 0.999 v + 0.001 g^2;
//!   p <- p - lr m / (1 - mu^step) / (sqrt(v / (1 - 0.999^step)) + eps)`.

use crate::ffi;
use crate::{ParameterStore, Tensor, TensorError, no_grad};
use std::collections::BTreeMap;

/// Rule that an [`Optimizer`] follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Layer-wise adaptive rate scaling, for large batches.
    Lars,
    /// Adaptive moments with decoupled weight decay.
    AdamW,
}

/// LARS's trust coefficient.
const TRUST: f64 = 0.001;

/// AdamW's decay of the second moments and the constant in its denominator, torch's defaults.
const ADAMW: (f64, f64) = (0.999, 1e-8);

/// Suffix of a second moment's name in a saved state, torch's name for it.
const SQUARES: &str = ".exp_avg_sq";

/// Name of the number of steps in a saved state of AdamW.
const STEPS: &str = "step";

/// Parameters that share a learning rate factor and a weight decay (torch's `param_groups`).
#[derive(Debug)]
pub struct ParameterGroup {
    /// Learning rate of the group over the optimizer's.
    pub rate_factor: f64,
    /// Weight decay.
    pub weight_decay: f64,
    names: Vec<String>,
    parameters: Vec<Tensor>,
}

impl ParameterGroup {
    /// An empty group.
    pub fn new(rate_factor: f64, weight_decay: f64) -> Self {
        Self { rate_factor, weight_decay, names: Vec::new(), parameters: Vec::new() }
    }

    /// Adds the trainable parameters of `store` whose names `select` takes; `prefix` + name names their state.
    #[must_use]
    pub fn with(mut self, store: &ParameterStore, prefix: &str, select: impl Fn(&str) -> bool) -> Self {
        for (name, tensor) in store.trainable().filter(|(name, _)| select(name)) {
            self.names.push(format!("{prefix}{name}"));
            self.parameters.push(tensor.shallow_clone());
        }
        self
    }
}

/// A group and its state.
#[derive(Debug)]
struct Group {
    parameters: ParameterGroup,
    /// Momentum buffers; AdamW's first moments.
    buffers: Vec<Tensor>,
    /// AdamW's second moments; otherwise empty.
    squares: Vec<Tensor>,
}

/// Parameters with their momentum buffers or moments.
#[derive(Debug)]
pub struct Optimizer {
    update: Update,
    momentum: f64,
    groups: Vec<Group>,
    /// Steps taken; saved for AdamW, whose moments are corrected by it.
    steps: i64,
}

impl Optimizer {
    /// An optimizer over groups of parameters; its state starts at zero.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where a parameter is in two groups or two parameters have one name.
    pub fn new(update: Update, momentum: f64, groups: Vec<ParameterGroup>) -> Result<Self, TensorError> {
        let mut names: Vec<&String> = groups.iter().flat_map(|group| &group.names).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TensorError::Mismatch(format!(
                "the parameter \"{}\" was given twice to the optimizer",
                pair[0]
            )));
        }
        let groups = groups
            .into_iter()
            .map(|parameters| {
                let zeros = || {
                    no_grad(|| parameters.parameters.iter().map(Tensor::f_zeros_like).collect::<Result<Vec<_>, _>>())
                };
                let squares = if update == Update::AdamW { zeros()? } else { Vec::new() };
                Ok(Group { buffers: zeros()?, squares, parameters })
            })
            .collect::<Result<_, TensorError>>()?;
        Ok(Self { update, momentum, groups, steps: 0 })
    }

    /// Drops all gradients; the next backward pass writes fresh ones.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn clear_gradients(&mut self) -> Result<(), TensorError> {
        let mut parameters = ffi::pointers(self.groups.iter().flat_map(|group| &group.parameters.parameters));
        // SAFETY: live tensors, as many as told.
        ffi::check(unsafe { ffi::mochi_clear_gradients(parameters.as_mut_ptr(), parameters.len()) })
    }

    /// Scales all gradients together so that their global Euclidean norm is at most `max_norm`; gives the norm before, a scalar on their
    /// device. Equals `torch.nn.utils.clip_grad_norm_`.
    ///
    /// # Errors
    /// [`TensorError::Torch`] naming a parameter that received no gradient.
    pub fn clip_gradients(&mut self, max_norm: f64) -> Result<Tensor, TensorError> {
        let gradients: Vec<Tensor> =
            self.groups.iter().map(Group::gradients).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let mut g = ffi::pointers(&gradients);
        // SAFETY: live tensors, as many as told; one new tensor goes to the place given.
        ffi::new_tensor(|out| unsafe { ffi::mochi_clip_gradients(g.as_mut_ptr(), g.len(), max_norm, out) })
    }

    /// One step at `learning_rate` from the gradients that the last backward pass left.
    ///
    /// # Errors
    /// [`TensorError::Torch`] naming a parameter that received no gradient; no parameter has moved then.
    pub fn step(&mut self, learning_rate: f64) -> Result<(), TensorError> {
        let gradients = self.groups.iter().map(Group::gradients).collect::<Result<Vec<_>, _>>()?;
        self.steps += 1;
        for (group, gradients) in self.groups.iter().zip(&gradients) {
            let rate = learning_rate * group.parameters.rate_factor;
            match self.update {
                Update::Sgd => group.sgd(gradients, self.momentum, rate, group.parameters.weight_decay)?,
                Update::Lars => {
                    group.lars_scale(gradients)?;
                    group.sgd(gradients, self.momentum, rate, 0.0)?;
                }
                Update::AdamW => group.adamw(gradients, self.steps, self.momentum, rate)?,
            }
        }
        Ok(())
    }

    /// A copy of the momentum buffers or first moments under their parameters' names, on the CPU, which later steps do not change. AdamW's second moments have `.exp_avg_sq` after the name,
    /// and `step` is the number of steps.
    pub fn export(&self) -> BTreeMap<String, Tensor> {
        let plain = |t: &Tensor| match t.device() {
            crate::Device::Cpu => no_grad(|| t.copy()),
            _ => t.to_device(crate::Device::Cpu),
        };
        let mut state: BTreeMap<_, _> = self.named_buffers().map(|(name, buffer)| (name, plain(buffer))).collect();
        if self.update == Update::AdamW {
            state.insert(STEPS.to_owned(), Tensor::from(self.steps));
        }
        state
    }

    /// Restores what [`Self::export`] gave, whatever the groups were.
    ///
    /// # Errors
    /// [`TensorError::Mismatch`] where a buffer is missing or of another shape; nothing is restored then.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), TensorError> {
        for (name, buffer) in self.named_buffers() {
            let text = match state.get(&name) {
                Some(value) if value.size() == buffer.size() => continue,
                Some(value) => {
                    format!("the optimizer's \"{name}\" has shape {:?}, not {:?}", value.size(), buffer.size())
                }
                None => format!("the optimizer's \"{name}\" is missing"),
            };
            return Err(TensorError::Mismatch(text));
        }
        if self.update == Update::AdamW {
            let missing = || TensorError::Mismatch(format!("the optimizer's \"{STEPS}\" is missing"));
            self.steps = i64::try_from(state.get(STEPS).ok_or_else(missing)?)?;
        }
        for (name, buffer) in self.named_buffers() {
            buffer.shallow_clone().f_copy_(&state[&name])?;
        }
        Ok(())
    }

    fn named_buffers(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.groups.iter().flat_map(|group| {
            let names = &group.parameters.names;
            let squares = names.iter().map(|name| format!("{name}{SQUARES}")).zip(&group.squares);
            names.iter().cloned().zip(&group.buffers).chain(squares)
        })
    }
}

impl Group {
    /// The gradient of each parameter.
    fn gradients(&self) -> Result<Vec<Tensor>, TensorError> {
        let ParameterGroup { names, parameters, .. } = &self.parameters;
        let gradients: Vec<Tensor> = parameters.iter().map(Tensor::grad).collect();
        match gradients.iter().position(|gradient| !gradient.defined()) {
            Some(i) => Err(TensorError::Torch(format!("the parameter \"{}\" received no gradient", names[i]))),
            None => Ok(gradients),
        }
    }

    /// SGD's step.
    fn sgd(&self, gradients: &[Tensor], momentum: f64, rate: f64, weight_decay: f64) -> Result<(), TensorError> {
        let parameters = &self.parameters.parameters;
        let (mut p, mut g, mut m) = (ffi::pointers(parameters), ffi::pointers(gradients), ffi::pointers(&self.buffers));
        // SAFETY: three lists of equal length of live tensors, each gradient of its parameter's shape; the shim checks buffers and layouts.
        ffi::check(unsafe {
            ffi::mochi_fused_sgd(p.as_mut_ptr(), g.as_mut_ptr(), m.as_mut_ptr(), p.len(), rate, momentum, weight_decay)
        })
    }

    /// Adds LARS's weight decay to the gradients in place and scales them.
    fn lars_scale(&self, gradients: &[Tensor]) -> Result<(), TensorError> {
        let ParameterGroup { parameters, weight_decay, .. } = &self.parameters;
        let scaled = || parameters.iter().zip(gradients).filter(|(p, _)| p.dim() > 1);
        let (mut p, mut g) = (ffi::pointers(scaled().map(|(p, _)| p)), ffi::pointers(scaled().map(|(_, g)| g)));
        // SAFETY: two lists of equal length of live tensors.
        ffi::check(unsafe { ffi::mochi_lars_scale(p.as_mut_ptr(), g.as_mut_ptr(), p.len(), *weight_decay, TRUST) })
    }

    /// AdamW's step number `step`, from 1.
    fn adamw(&self, gradients: &[Tensor], step: i64, momentum: f64, rate: f64) -> Result<(), TensorError> {
        let parameters = &self.parameters.parameters;
        for (vectors, weight_decay) in [(false, self.parameters.weight_decay), (true, 0.0)] {
            let of = |list: &[Tensor]| {
                let chosen = list.iter().zip(parameters).filter(|(_, p)| (p.dim() < 2) == vectors);
                ffi::pointers(chosen.map(|(tensor, _)| tensor))
            };
            let (mut p, mut g, mut m, mut v) = (of(parameters), of(gradients), of(&self.buffers), of(&self.squares));
            let (decay, eps) = ADAMW;
            // SAFETY: four lists of equal length of live tensors, each gradient of its parameter's shape; the shim checks the state's layout.
            ffi::check(unsafe {
                ffi::mochi_fused_adamw(
                    p.as_mut_ptr(),
                    g.as_mut_ptr(),
                    m.as_mut_ptr(),
                    v.as_mut_ptr(),
                    p.len(),
                    step,
                    rate,
                    momentum,
                    decay,
                    eps,
                    weight_decay,
                )
            })?;
        }
        Ok(())
    }
}

/// `key <- momentum * key + (1 - momentum) * query` over two networks' parameters (MoCo, eq. 2); buffers stay each one's own.
///
/// # Errors
/// [`TensorError::Mismatch`] where the two networks differ.
pub fn momentum_update(key: &ParameterStore, query: &ParameterStore, momentum: f64) -> Result<(), TensorError> {
    let (keys, queries): (Vec<_>, Vec<_>) = (key.named_parameters().collect(), query.named_parameters().collect());
    let same = |((a, x), (b, y)): (&(&str, &Tensor), &(&str, &Tensor))| a == b && x.size() == y.size();
    if keys.len() != queries.len() || !keys.iter().zip(&queries).all(same) {
        let text = format!(
            "expected two networks of equal names and shapes, got {} and {} parameters",
            keys.len(),
            queries.len()
        );
        return Err(TensorError::Mismatch(text));
    }
    let (mut k, mut q) = (ffi::pointers(keys.iter().map(|(_, t)| *t)), ffi::pointers(queries.iter().map(|(_, t)| *t)));
    // SAFETY: two lists of equal length of live tensors of equal shapes.
    ffi::check(unsafe { ffi::mochi_momentum_update(k.as_mut_ptr(), q.as_mut_ptr(), k.len(), momentum) })
}

#[cfg(test)]
#[path = "optim_tests.rs"]
mod tests;
