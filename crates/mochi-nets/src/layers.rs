//! Convolution, norm and linear layers: handles into the parameter store, computing where and how [`Compute`] says.

use crate::{NormMode, init};
use mochi_tensor::{Affine, BatchNorm, Compute, ConvOptions, ParameterStore, Role, Tensor, TensorError, conv2d};

/// Makes layers and registers their tensors under torchvision's names.
pub(crate) struct Builder<'a> {
    pub store: &'a mut ParameterStore,
    pub compute: Compute,
    /// The CIFAR family draws its kernels by fan-in, torchvision's by fan-out.
    pub fan_in: bool,
}

impl Builder<'_> {
    fn parameter(&mut self, name: String, value: Tensor) -> Tensor {
        let value = value.to_device(self.compute.device);
        self.store.add(name, value, Role::Parameter)
    }

    /// `name.weight` (out, in, k, k), no bias, padded to keep the size at stride 1.
    pub fn conv(&mut self, name: &str, out: i64, input: i64, kernel: i64, stride: i64) -> Result<Conv, TensorError> {
        let value = if self.fan_in {
            init::kaiming_fan_in(out, input, kernel)
        } else {
            init::kaiming_fan_out(out, input, kernel)
        };
        let weight = self.parameter(format!("{name}.weight"), self.compute.kernel(value)?);
        Ok(Conv { weight, options: ConvOptions { stride, padding: kernel / 2, dilation: 1 } })
    }

    /// Convolution `conv` and norm `norm`.
    pub fn unit(&mut self, conv: &str, norm: &str, shape: UnitShape) -> Result<Unit, TensorError> {
        let UnitShape { out, input, kernel, stride } = shape;
        Ok(Unit {
            name: conv.to_owned(),
            conv: self.conv(conv, out, input, kernel, stride)?,
            norm: BatchNorm::new(self.store, norm, out, Affine::ScaleAndShift, self.compute.device)?,
        })
    }

    /// `name.weight` (out, in) and `name.bias` (out,), `nn.Linear`'s initial values.
    pub fn linear(&mut self, name: &str, out: i64, input: i64) -> Linear {
        let (weight, bias) = init::linear(out, input);
        Linear {
            weight: self.parameter(format!("{name}.weight"), weight),
            bias: Some(self.parameter(format!("{name}.bias"), bias)),
        }
    }

    /// `name.weight` (out, in) from N(0, 0.01^2), no bias: google-research/simclr's dense layer before a norm.
    pub fn linear_before_norm(&mut self, name: &str, out: i64, input: i64) -> Linear {
        Linear { weight: self.parameter(format!("{name}.weight"), init::small_normal(out, input)), bias: None }
    }
}

/// A square convolution without bias.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    options: ConvOptions,
}

/// Channels, kernel side and stride of a [`Unit`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnitShape {
    pub out: i64,
    pub input: i64,
    pub kernel: i64,
    pub stride: i64,
}

/// A convolution and its norm.
#[derive(Debug)]
pub(crate) struct Unit {
    name: String,
    conv: Conv,
    norm: BatchNorm,
}

impl Unit {
    /// The convolution's name, e.g. `layer2.0.conv1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `relu(norm(conv(x)) + residual)`, either part left out as asked: (B, in, H, W) -> (B, out, H/stride, W/stride), for each part of the
    /// batch, with norm statistics in common.
    pub fn forward(
        &self,
        xs: &[Tensor],
        cx: &Forward,
        relu: bool,
        residuals: Option<&[Tensor]>,
    ) -> Result<Vec<Tensor>, TensorError> {
        let conv = |x: &Tensor| conv2d(x, &self.conv.weight, None, &self.conv.options, &cx.compute);
        let ys = xs.iter().map(conv).collect::<Result<_, _>>()?;
        self.norm.forward_together(ys, cx.mode, relu, residuals)
    }

    /// The convolution's kernel (out, in, k, k).
    pub fn kernel(&self) -> &Tensor {
        &self.conv.weight
    }

    /// The norm.
    pub fn norm(&self) -> &BatchNorm {
        &self.norm
    }

    /// The norm, to change how it works.
    pub fn norm_mut(&mut self) -> &mut BatchNorm {
        &mut self.norm
    }

    /// Stops all learning: no gradient for kernel, scale and shift, and the norm uses its running statistics.
    pub fn freeze(&mut self) {
        let _ = self.conv.weight.set_requires_grad(false);
        self.norm.freeze();
    }

    /// Freezes the norm alone.
    pub fn freeze_norm(&mut self) {
        self.norm.freeze();
    }
}

/// What every layer needs to know of a forward pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forward {
    pub compute: Compute,
    pub mode: NormMode,
}

/// `x W^T + b` in float32: heads are small, and embeddings need the digits.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// (B, in) -> (B, out)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        Ok(x.f_linear(&self.weight, self.bias.as_ref())?)
    }
}
