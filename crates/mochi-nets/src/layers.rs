//! Convolution, norm and linear layers: handles into the parameter store, computing where and how [`Compute`] says.

use crate::{NormMode, init};
use mochi_tensor::{BatchNorm, Compute, Kind, ParameterStore, Role, Tensor, TensorError, conv2d, norm_act};

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

    /// `name.weight` (out, in, k, k), no bias.
    pub fn conv(&mut self, name: &str, out: i64, input: i64, kernel: i64, stride: i64) -> Result<Conv, TensorError> {
        let value = if self.fan_in {
            init::kaiming_fan_in(out, input, kernel)
        } else {
            init::kaiming_fan_out(out, input, kernel)
        };
        let weight = self.parameter(format!("{name}.weight"), self.compute.kernel(value)?);
        Ok(Conv { weight, stride, padding: kernel / 2 })
    }

    /// `name.{weight,bias,running_mean,running_var}` (channels,).
    pub fn norm(&mut self, name: &str, channels: i64) -> BatchNorm {
        let plain = (Kind::Float, self.compute.device);
        BatchNorm {
            weight: self.store.add(format!("{name}.weight"), Tensor::ones([channels], plain), Role::Parameter),
            bias: self.store.add(format!("{name}.bias"), Tensor::zeros([channels], plain), Role::Parameter),
            running_mean: self.store.add(
                format!("{name}.running_mean"),
                Tensor::zeros([channels], plain),
                Role::Buffer,
            ),
            running_var: self.store.add(format!("{name}.running_var"), Tensor::ones([channels], plain), Role::Buffer),
        }
    }

    /// `name.weight` (out, in) and `name.bias` (out,).
    pub fn linear(&mut self, name: &str, out: i64, input: i64) -> Linear {
        let (weight, bias) = init::linear(out, input);
        Linear {
            weight: self.parameter(format!("{name}.weight"), weight),
            bias: self.parameter(format!("{name}.bias"), bias),
        }
    }
}

/// A square convolution without bias, padded to keep the size at stride 1.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// (B, in, H, W) -> (B, out, H/stride, W/stride)
    pub fn forward(&self, x: &Tensor, compute: &Compute) -> Result<Tensor, TensorError> {
        conv2d(x, &self.weight, self.stride, self.padding, compute)
    }

    /// Convolution, norm, and what follows it: `relu(norm(conv(x)) + residual)`.
    pub fn norm_act(
        &self,
        x: &Tensor,
        norm: &BatchNorm,
        cx: &Forward,
        relu: bool,
        residual: Option<&Tensor>,
    ) -> Result<Tensor, TensorError> {
        norm_act(self.forward(x, &cx.compute)?, norm, cx.mode, relu, residual)
    }
}

/// What every layer needs to know of a forward pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forward {
    pub compute: Compute,
    pub mode: NormMode,
}

/// `x W^T + b`, float32: heads are small, and embeddings deserve the digits.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// (B, in) -> (B, out)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
