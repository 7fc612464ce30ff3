//! The layers that detection adds to a backbone: convolutions and linear layers with bias, drawn from normal distributions.

use mochi_tensor::{Compute, ConvOptions, Kind, ParameterStore, Role, Tensor, TensorError, conv2d, with_generator};

/// Registers layers under their names.
pub(crate) struct Builder<'a> {
    pub store: &'a mut ParameterStore,
    pub compute: Compute,
}

impl Builder<'_> {
    fn normal(&mut self, name: &str, shape: &[i64], deviation: f64) -> Result<Tensor, TensorError> {
        let plain = (Kind::Float, mochi_tensor::Device::Cpu);
        let value = with_generator(|| Tensor::f_randn(shape, plain))?.f_mul_scalar(deviation)?;
        let value = if shape.len() == 4 { self.compute.kernel(value)? } else { value };
        let value = value.f_to_device(self.compute.device)?;
        Ok(self.store.add(format!("{name}.weight"), value, Role::Parameter))
    }

    fn zeros(&mut self, name: &str, count: i64) -> Result<Tensor, TensorError> {
        let value = Tensor::f_zeros([count], (Kind::Float, self.compute.device))?;
        Ok(self.store.add(format!("{name}.bias"), value, Role::Parameter))
    }

    /// `name.weight` (out, in, k, k) from N(0, deviation^2) and `name.bias` of zeros.
    pub fn conv(&mut self, name: &str, [out, input, kernel]: [i64; 3], deviation: f64) -> Result<Conv, TensorError> {
        let weight = self.normal(name, &[out, input, kernel, kernel], deviation)?;
        let options = ConvOptions { stride: 1, padding: kernel / 2, dilation: 1 };
        Ok(Conv { weight, bias: self.zeros(name, out)?, options, compute: self.compute })
    }

    /// A transposed convolution of kernel 2 and stride 2: `name.weight` (in, out, 2, 2) from N(0, deviation^2) and `name.bias` of zeros.
    pub fn upsampling(
        &mut self,
        name: &str,
        [out, input]: [i64; 2],
        deviation: f64,
    ) -> Result<Upsampling, TensorError> {
        let weight = self.normal(name, &[input, out, 2, 2], deviation)?;
        Ok(Upsampling { weight, bias: self.zeros(name, out)?, compute: self.compute })
    }

    /// `name.weight` (out, in) from N(0, deviation^2) and `name.bias` of zeros.
    pub fn linear(&mut self, name: &str, [out, input]: [i64; 2], deviation: f64) -> Result<Linear, TensorError> {
        let weight = self.normal(name, &[out, input], deviation)?;
        Ok(Linear { weight, bias: self.zeros(name, out)? })
    }
}

/// A convolution with bias that keeps height and width.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    bias: Tensor,
    options: ConvOptions,
    compute: Compute,
}

impl Conv {
    /// (B, in, H, W) -> (B, out, H, W)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        conv2d(x, &self.weight, Some(&self.bias), &self.options, &self.compute)
    }
}

/// A transposed convolution with bias that doubles height and width.
#[derive(Debug)]
pub(crate) struct Upsampling {
    weight: Tensor,
    bias: Tensor,
    compute: Compute,
}

impl Upsampling {
    /// (B, in, H, W) -> (B, out, 2H, 2W)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        let (weight, bias) = (self.compute.weight(&self.weight), self.compute.weight(&self.bias));
        Ok(x.f_conv_transpose2d(&weight, Some(&bias), [2, 2], [0, 0], [0, 0], 1, [1, 1])?)
    }
}

/// `x W^T + b`, in the type of the parameters.
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
