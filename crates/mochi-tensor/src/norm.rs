//! Batch normalization with the add and the ReLU that follow it: `y = relu(norm(x) + residual)`.
//!
//! Equals `torch.nn.functional.batch_norm` (training: biased variance to normalize, unbiased for the running statistics), then
//! `add`, then `relu`. On the CPU with channels innermost one fused kernel computes it (`shim/norm.cpp`); elsewhere libtorch's own
//! operations do, in the same order. `groups` splits the batch, in its order, into slices with their own statistics: MoCo's
//! `SplitBatchNorm` (moco/demo CIFAR), which replaces shuffle-BN on a single device. (MoCo's interleaves the samples; slices of
//! a batch in random order are equivalent.) Running statistics are then the mean over the groups.
//!
//! A batch may come as several tensors of different height and width. Their statistics are averaged with equal weight ([`together`]), and
//! statistics over many batches can be collected ([`NormMode::Collect`], [`collected`]).

mod collected;
mod synchronized;
mod together;

use crate::collectives::Operation;
use crate::compute::is_channels_last;
use crate::ffi;
use crate::{Device, Group, Kind, ParameterStore, Role, Tensor, TensorError, no_grad};
use collected::Collected;
use std::cell::RefCell;
use std::sync::Arc;

/// One batch normalization layer over C channels: scale, shift and running statistics, each (C,) float32.
#[derive(Debug)]
pub struct BatchNorm {
    /// Scale, 1 at the start.
    pub(crate) weight: Tensor,
    /// Shift, 0 at the start.
    pub(crate) bias: Tensor,
    /// Running mean, 0 at the start.
    pub(crate) running_mean: Tensor,
    /// Running unbiased variance, 1 at the start.
    pub(crate) running_var: Tensor,
    /// Forward passes in training mode, an int64 scalar on the CPU, whatever the device of the rest.
    batches: Tensor,
    training: NormTraining,
    collected: RefCell<Collected>,
    /// The ranks whose batches the statistics cover, if they are synchronized.
    group: Option<Arc<Group>>,
    /// Whether ranks count as the tensors of [`Self::forward_together`] do.
    ranks_as_tensors: bool,
}

/// Which of a layer's scale and shift are parameters. A tensor that is not a parameter keeps its initial value and is not saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affine {
    /// Scale and shift, `affine=True`.
    ScaleAndShift,
    /// The scale (google-research/simclr's `center=False`).
    Scale,
    /// Neither, `affine=False`.
    No,
}

/// What a layer does in a forward pass in training mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormTraining {
    /// Normalizes with the batch's statistics and updates the running ones; scale and shift are learned.
    Batch,
    /// Normalizes with the running statistics; nothing is updated or learned (detectron2's `FrozenBatchNorm2d`).
    Frozen,
}

/// Mode of a network's forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormMode {
    /// Training: each layer follows its [`NormTraining`].
    Train {
        /// Number of slices of the batch with statistics of their own; 1 for the whole batch together.
        groups: i64,
    },
    /// As `Train` with one group, but instead of moving the running statistics it adds the batch's to those of [`BatchNorm::finish_collection`].
    Collect,
    /// Evaluation: every layer uses its running statistics, and nothing moves.
    Eval,
}

/// torch's defaults for `BatchNorm2d`.
const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

impl BatchNorm {
    /// A new layer of `channels` channels whose tensors are registered in `store` as `name.weight`, `name.bias`, `name.running_mean`,
    /// `name.running_var` and `name.num_batches_tracked`, torchvision's names and order; weight and bias only as `affine` says.
    ///
    /// # Errors
    /// Where `channels` is not positive, or memory is short.
    pub fn new(
        store: &mut ParameterStore,
        name: &str,
        channels: i64,
        affine: Affine,
        device: Device,
    ) -> Result<Self, TensorError> {
        let plain = (Kind::Float, device);
        let mut layer = Self::from_parts(
            Tensor::f_ones([channels], plain)?,
            Tensor::f_zeros([channels], plain)?,
            Tensor::f_zeros([channels], plain)?,
            Tensor::f_ones([channels], plain)?,
        )?;
        let mut add = |part: &str, tensor: &mut Tensor, role: Role| {
            *tensor = store.add(format!("{name}.{part}"), tensor.shallow_clone(), role);
        };
        if affine != Affine::No {
            add("weight", &mut layer.weight, Role::Parameter);
        }
        if affine == Affine::ScaleAndShift {
            add("bias", &mut layer.bias, Role::Parameter);
        }
        add("running_mean", &mut layer.running_mean, Role::Buffer);
        add("running_var", &mut layer.running_var, Role::Buffer);
        add("num_batches_tracked", &mut layer.batches, Role::Counter);
        Ok(layer)
    }

    /// A layer of given scale, shift, running mean and running variance, each (C,) float32 on one device.
    ///
    /// # Errors
    /// [`TensorError::Torch`] where a tensor has another shape, type, layout or device than the scale should have.
    pub fn from_parts(
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
    ) -> Result<Self, TensorError> {
        let (channels, device) = (weight.numel(), weight.device());
        for (name, part) in
            [("weight", &weight), ("bias", &bias), ("running mean", &running_mean), ("running variance", &running_var)]
        {
            let fits = part.dim() == 1 && part.numel() == channels && part.kind() == Kind::Float && channels > 0;
            if !fits || part.device() != device || !part.is_contiguous() {
                return Err(TensorError::Torch(format!(
                    "a norm's {name} must be a contiguous float32 vector of {channels} > 0 channels on {device:?}, got shape {:?} of {:?} on {:?}",
                    part.size(),
                    part.kind(),
                    part.device()
                )));
            }
        }
        let batches = Tensor::f_zeros([0i64; 0], (Kind::Int64, Device::Cpu))?;
        Ok(Self {
            weight,
            bias,
            running_mean,
            running_var,
            batches,
            training: NormTraining::Batch,
            collected: RefCell::default(),
            group: None,
            ranks_as_tensors: false,
        })
    }

    /// Sets the scale to 0, so that the layer adds nothing to a sum until it learns (torchvision's `zero_init_residual`).
    pub fn zero_scale(&mut self) {
        let _ = no_grad(|| self.weight.zero_());
    }

    /// What the layer does in training mode.
    pub fn training(&self) -> NormTraining {
        self.training
    }

    /// Freezes the layer: running statistics from here on, and no gradient for scale and shift.
    pub fn freeze(&mut self) {
        self.training = NormTraining::Frozen;
        for parameter in [&self.weight, &self.bias] {
            let _ = parameter.set_requires_grad(false);
        }
    }

    /// Takes batch statistics over the batches of all ranks from here on, each of one size (`torch.nn.SyncBatchNorm`).
    pub fn synchronize(&mut self, group: &Arc<Group>) {
        self.group = Some(Arc::clone(group));
    }

    /// As [`Self::synchronize`] for [`Self::forward_together`]: the batch of a rank is one tensor more, of equal weight whatever its size
    /// (detectron2's `NaiveSyncBatchNorm`).
    pub fn synchronize_tensors(&mut self, group: &Arc<Group>) {
        self.synchronize(group);
        self.ranks_as_tensors = true;
    }

    /// Whether the running statistics are used, whatever the mode.
    fn mode(&self, mode: NormMode) -> NormMode {
        match self.training {
            NormTraining::Batch => mode,
            NormTraining::Frozen => NormMode::Eval,
        }
    }

    /// `relu(norm(x) + residual)`, either part left out as asked. `x`: (B, C, H, W) or (B, C), float32 or bfloat16, taken by value: where
    /// no gradient is recorded the result may reuse its memory.
    ///
    /// # Errors
    /// Where libtorch refuses the shapes, or a group would hold a single value per channel.
    pub fn forward(
        &self,
        x: Tensor,
        mode: NormMode,
        relu: bool,
        residual: Option<&Tensor>,
    ) -> Result<Tensor, TensorError> {
        let mode = self.mode(mode);
        if mode == NormMode::Collect {
            self.collect(std::slice::from_ref(&x), self.group.as_deref())?;
        }
        let fused = x.device() == Device::Cpu
            && matches!(x.kind(), Kind::Float | Kind::BFloat16)
            && (x.dim() == 2 || is_channels_last(&x));
        let y = match (mode, &self.group) {
            (NormMode::Train { groups }, _) if fused => self.fused_train(&x, groups, relu, residual)?,
            (NormMode::Train { groups: 1 }, Some(group)) => {
                return self.over_ranks(&x, group, relu, residual);
            }
            (NormMode::Train { groups }, Some(_)) => {
                return Err(TensorError::Mismatch(format!("statistics of {groups} groups cannot be synchronized")));
            }
            (NormMode::Eval, _) if fused && !needs_gradient(&x, self, residual) => {
                self.fused_eval(&x, relu, residual)?
            }
            _ => composed(&x, self, mode, relu, residual)?,
        };
        if matches!(mode, NormMode::Train { .. }) {
            let _ = no_grad(|| self.batches.shallow_clone().f_add_scalar_(1))?;
        }
        Ok(y)
    }

    fn fused_train(
        &self,
        x: &Tensor,
        groups: i64,
        relu: bool,
        residual: Option<&Tensor>,
    ) -> Result<Tensor, TensorError> {
        let rest = residual.map_or(std::ptr::null_mut(), ffi::raw);
        // SAFETY: every tensor outlives the call, `rest` is null or a live tensor; the shim checks device, type, layout and shape of all.
        ffi::new_tensor(|out| unsafe {
            ffi::mochi_norm_act(
                ffi::raw(x),
                ffi::raw(&self.weight),
                ffi::raw(&self.bias),
                ffi::raw(&self.running_mean),
                ffi::raw(&self.running_var),
                MOMENTUM,
                EPS,
                groups,
                relu.into(),
                rest,
                self.group.as_ref().map_or(std::ptr::null_mut(), |group| group.raw()),
                out,
            )
        })
    }

    fn fused_eval(&self, x: &Tensor, relu: bool, residual: Option<&Tensor>) -> Result<Tensor, TensorError> {
        let scale = self.weight.f_div(&self.running_var.f_add_scalar(EPS)?.f_sqrt()?)?;
        let shift = self.bias.f_sub(&self.running_mean.f_mul(&scale)?)?;
        let rest = residual.map_or(std::ptr::null_mut(), ffi::raw);
        // SAFETY: as above.
        ffi::new_tensor(|out| unsafe {
            ffi::mochi_scale_shift_act(ffi::raw(x), ffi::raw(&scale), ffi::raw(&shift), relu.into(), rest, out)
        })
    }
}

/// A batch in several tensors, and statistics of many batches.
impl BatchNorm {
    /// [`Self::forward`] of several tensors with statistics in common; a single tensor is the same as there (PyTorch's batch norm). `residuals`:
    /// one for each tensor.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`TensorError::Mismatch`] where the residuals are not as many, or tensors are to be split into groups as well.
    pub fn forward_together(
        &self,
        xs: Vec<Tensor>,
        mode: NormMode,
        relu: bool,
        residuals: Option<&[Tensor]>,
    ) -> Result<Vec<Tensor>, TensorError> {
        let (count, mode) = (xs.len(), self.mode(mode));
        if residuals.is_some_and(|residuals| residuals.len() != count) {
            return Err(TensorError::Mismatch(format!("expected one residual for each of {count} tensors")));
        }
        let residual = |at: usize| residuals.map(|residuals| &residuals[at]);
        if (count <= 1 && !self.ranks_as_tensors) || mode == NormMode::Eval {
            return xs.into_iter().enumerate().map(|(at, x)| self.forward(x, mode, relu, residual(at))).collect();
        }
        if !matches!(mode, NormMode::Train { groups: 1 } | NormMode::Collect) {
            return Err(TensorError::Mismatch(format!(
                "{count} tensors with common statistics cannot be split into groups"
            )));
        }
        let (mean, square_mean) = together::moments(&xs, self.group.as_deref())?;
        let variance = square_mean.f_sub(&mean.f_square()?)?;
        if mode == NormMode::Collect {
            self.collect(&xs, self.group.as_deref())?;
        } else {
            self.update_running(&mean, &variance)?;
        }
        let normalized = |(at, x): (usize, &Tensor)| self.normalized(x, &mean, &variance, relu, residual(at));
        xs.iter().enumerate().map(normalized).collect()
    }

    /// Training mode with statistics over the batches of all ranks.
    fn over_ranks(
        &self,
        x: &Tensor,
        group: &Group,
        relu: bool,
        residual: Option<&Tensor>,
    ) -> Result<Tensor, TensorError> {
        let (mean, variance, values) = synchronized::moments(x, group)?;
        self.update_running(&mean, &variance.f_mul_scalar(values / (values - 1.0).max(1.0))?)?;
        self.normalized(x, &mean, &variance, relu, residual)
    }

    /// `relu((x - mean) / sqrt(variance + eps) * weight + bias + residual)`.
    fn normalized(
        &self,
        x: &Tensor,
        mean: &Tensor,
        variance: &Tensor,
        relu: bool,
        residual: Option<&Tensor>,
    ) -> Result<Tensor, TensorError> {
        let mut shape = vec![1; x.dim()];
        shape[1] = mean.numel() as i64;
        let scale = self.weight.f_mul(&variance.f_add_scalar(EPS)?.f_rsqrt()?)?;
        let shift = self.bias.f_sub(&mean.f_mul(&scale)?)?;
        let (scale, shift) = (scale.f_view(shape.as_slice())?, shift.f_view(shape.as_slice())?);
        let mut y = x.f_mul(&scale)?.f_add(&shift)?.f_to_kind(x.kind())?;
        if let Some(residual) = residual {
            y = y.f_add(residual)?;
        }
        Ok(if relu { y.f_relu()? } else { y })
    }

    fn update_running(&self, mean: &Tensor, variance: &Tensor) -> Result<(), TensorError> {
        no_grad(|| {
            for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
                let mut running = running.shallow_clone();
                let moved = running.f_lerp(&batch.f_to_kind(running.kind())?, MOMENTUM)?;
                running.f_copy_(&moved)?;
            }
            let _ = self.batches.shallow_clone().f_add_scalar_(1)?;
            Ok(())
        })
    }

    /// Adds a batch (B, C) or (B, C, H, W) of this process alone, even if batch statistics are synchronized, to the statistics of
    /// [`Self::finish_collection`], without normalizing it.
    ///
    /// # Errors
    /// libtorch's error for other shapes.
    pub fn collect_own(&self, x: &Tensor) -> Result<(), TensorError> {
        self.collect(std::slice::from_ref(x), None)
    }

    /// Adds a batch, one tensor or several, to the statistics of [`Self::finish_collection`]; with a `group` the batches of all ranks.
    fn collect(&self, xs: &[Tensor], group: Option<&Group>) -> Result<(), TensorError> {
        no_grad(|| {
            let (mean, square_mean) = together::moments(xs, group)?;
            let values: i64 = xs.iter().map(|x| x.numel() as i64).sum();
            let mut per_channel = (values / mean.numel().max(1) as i64) as f64;
            if let Some(group) = group {
                // Ranks can have batches of different size.
                let mut all = Tensor::f_from_slice(&[per_channel])?;
                group.all_reduce(&mut all, Operation::Sum, "counting the values of a batch")?;
                per_channel = f64::try_from(&all.f_sum(Kind::Double)?)?;
            }
            self.collected.borrow_mut().add(&mean, &square_mean, per_channel)
        })
    }

    /// Makes the statistics of all batches since the last time the running ones, and forgets them. Without a batch nothing changes.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn finish_collection(&self) -> Result<(), TensorError> {
        no_grad(|| {
            let Some([mean, variance]) = self.collected.take().finish()? else { return Ok(()) };
            self.running_mean.shallow_clone().f_copy_(&mean)?;
            self.running_var.shallow_clone().f_copy_(&variance)?;
            Ok(())
        })
    }

    /// Running mean and variance, (C,) each.
    pub fn statistics(&self) -> [&Tensor; 2] {
        [&self.running_mean, &self.running_var]
    }

    /// Raises running variances to at least `fraction` of their mean.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn limit_variance(&self, fraction: f64) -> Result<(), TensorError> {
        no_grad(|| {
            let least = fraction * self.running_var.f_mean(Kind::Double)?.f_double_value(&[])?;
            let _ = self.running_var.shallow_clone().f_clamp_min_(least)?;
            Ok(())
        })
    }
}

fn needs_gradient(x: &Tensor, norm: &BatchNorm, residual: Option<&Tensor>) -> bool {
    // Inside `no_grad` an operation's result never asks for a gradient, whatever its inputs say: a view is the cheapest way to tell.
    let learns = |t: &Tensor| t.requires_grad() && t.narrow(0, 0, t.size()[0].min(1)).requires_grad();
    learns(x) || learns(&norm.weight) || learns(&norm.bias) || residual.is_some_and(learns)
}

/// The same as a sequence of libtorch's own operations: CUDA, contiguous layout, float64, and the fused kernel's test.
fn composed(
    x: &Tensor,
    norm: &BatchNorm,
    mode: NormMode,
    relu: bool,
    residual: Option<&Tensor>,
) -> Result<Tensor, TensorError> {
    let one = |x: &Tensor, mean: &Tensor, var: &Tensor, train: bool| {
        x.f_batch_norm(Some(&norm.weight), Some(&norm.bias), Some(mean), Some(var), train, MOMENTUM, EPS, true)
    };
    let mut y = match mode {
        NormMode::Collect => one(x, &norm.running_mean.copy(), &norm.running_var.copy(), true)?,
        NormMode::Eval => one(x, &norm.running_mean, &norm.running_var, false)?,
        NormMode::Train { groups: 1 } => one(x, &norm.running_mean, &norm.running_var, true)?,
        NormMode::Train { groups } => {
            let batch = x.size()[0];
            if groups < 1 || groups > batch {
                return Err(TensorError::Torch(format!(
                    "expected 1 to {batch} groups for a batch of {batch}, got {groups}"
                )));
            }
            let (mut parts, mut means, mut vars) = (Vec::new(), Vec::new(), Vec::new());
            for g in 0..groups {
                let (start, end) = (batch * g / groups, batch * (g + 1) / groups);
                let (mean, var) = (norm.running_mean.copy(), norm.running_var.copy());
                parts.push(one(&x.f_narrow(0, start, end - start)?, &mean, &var, true)?);
                means.push(mean);
                vars.push(var);
            }
            no_grad(|| -> Result<(), TensorError> {
                norm.running_mean.shallow_clone().f_copy_(&Tensor::f_stack(&means, 0)?.f_mean_dim(
                    0,
                    false,
                    None::<Kind>,
                )?)?;
                norm.running_var.shallow_clone().f_copy_(&Tensor::f_stack(&vars, 0)?.f_mean_dim(
                    0,
                    false,
                    None::<Kind>,
                )?)?;
                Ok(())
            })?;
            Tensor::f_cat(&parts, 0)?
        }
    };
    if let Some(residual) = residual {
        y = y.f_add(residual)?;
    }
    Ok(if relu { y.f_relu()? } else { y })
}

#[cfg(test)]
#[path = "norm_tests.rs"]
mod tests;
