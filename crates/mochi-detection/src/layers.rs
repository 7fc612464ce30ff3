//! The layers that detection adds to a backbone: convolutions and linear layers with bias, which is 0 at first.

use mochi_tensor::{
    Affine, BatchNorm, Compute, ConvOptions, Kind, NormMode, ParameterStore, Role, Tensor, TensorError, conv2d,
    with_generator,
};

/// The distribution of a new layer's weights.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Initial {
    /// N(0, deviation^2)
    Normal(f64),
    /// U(-b, b) with b = sqrt(3 / inputs of a value): fvcore's `c2_xavier_fill`, which is Caffe2's `XavierFill`.
    Xavier,
    /// N(0, 2 / f) with f = outputs times cells of the kernel: fvcore's `c2_msra_fill`. PyTorch counts the first side of any kernel as its outputs,
    /// also that of a transposed one, which has its inputs there.
    Msra,
}

/// Registers layers under their names.
pub(crate) struct Builder<'a> {
    pub store: &'a mut ParameterStore,
    pub compute: Compute,
}

impl Builder<'_> {
    fn weight(&mut self, name: &str, shape: &[i64], initial: Initial) -> Result<Tensor, TensorError> {
        let plain = (Kind::Float, mochi_tensor::Device::Cpu);
        let normal = |deviation: f64| with_generator(|| Tensor::f_randn(shape, plain))?.f_mul_scalar(deviation);
        let cells: i64 = shape[2..].iter().product();
        let value = match initial {
            Initial::Normal(deviation) => normal(deviation)?,
            Initial::Msra => normal((2.0 / (shape[0] * cells) as f64).sqrt())?,
            Initial::Xavier => {
                let bound = (3.0 / (shape[1] * cells) as f64).sqrt();
                with_generator(|| Tensor::f_empty(shape, plain)?.f_uniform_(-bound, bound))?
            }
        };
        let value = if shape.len() == 4 { self.compute.kernel(value)? } else { value };
        let value = value.f_to_device(self.compute.device)?;
        Ok(self.store.add(format!("{name}.weight"), value, Role::Parameter))
    }

    fn zeros(&mut self, name: &str, count: i64) -> Result<Tensor, TensorError> {
        let value = Tensor::f_zeros([count], (Kind::Float, self.compute.device))?;
        Ok(self.store.add(format!("{name}.bias"), value, Role::Parameter))
    }

    /// `name.weight` (out, in, k, k) and `name.bias`.
    pub fn conv(&mut self, name: &str, [out, input, kernel]: [i64; 3], initial: Initial) -> Result<Conv, TensorError> {
        let weight = self.weight(name, &[out, input, kernel, kernel], initial)?;
        let options = ConvOptions { stride: 1, padding: kernel / 2, dilation: 1 };
        Ok(Conv { weight, bias: Some(self.zeros(name, out)?), options, compute: self.compute })
    }

    /// A convolution followed by a norm and without bias: `name.weight` and `name.norm.*`. Without `norm` it is [`Self::conv`].
    pub fn normed(
        &mut self,
        name: &str,
        sizes @ [out, input, kernel]: [i64; 3],
        initial: Initial,
        norm: bool,
    ) -> Result<NormedConv, TensorError> {
        if !norm {
            return Ok(NormedConv { conv: self.conv(name, sizes, initial)?, norm: None });
        }
        let weight = self.weight(name, &[out, input, kernel, kernel], initial)?;
        let options = ConvOptions { stride: 1, padding: kernel / 2, dilation: 1 };
        let conv = Conv { weight, bias: None, options, compute: self.compute };
        let norm =
            BatchNorm::new(self.store, &format!("{name}.norm"), out, Affine::ScaleAndShift, self.compute.device)?;
        Ok(NormedConv { conv, norm: Some(norm) })
    }

    /// A transposed convolution of kernel 2 and stride 2: `name.weight` (in, out, 2, 2) and `name.bias`.
    pub fn upsampling(
        &mut self,
        name: &str,
        [out, input]: [i64; 2],
        initial: Initial,
    ) -> Result<Upsampling, TensorError> {
        let weight = self.weight(name, &[input, out, 2, 2], initial)?;
        Ok(Upsampling { weight, bias: self.zeros(name, out)?, compute: self.compute })
    }

    /// `name.weight` (out, in) and `name.bias`.
    pub fn linear(&mut self, name: &str, [out, input]: [i64; 2], initial: Initial) -> Result<Linear, TensorError> {
        let weight = self.weight(name, &[out, input], initial)?;
        Ok(Linear { weight, bias: self.zeros(name, out)? })
    }
}

/// A convolution that keeps height and width.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    options: ConvOptions,
    compute: Compute,
}

impl Conv {
    /// (B, in, H, W) -> (B, out, H, W)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        conv2d(x, &self.weight, self.bias.as_ref(), &self.options, &self.compute)
    }
}

/// A convolution and the norm after it, if it has one.
#[derive(Debug)]
pub(crate) struct NormedConv {
    conv: Conv,
    norm: Option<BatchNorm>,
}

impl NormedConv {
    /// (B, in, H, W) -> (B, out, H, W) for each part of the batch; the norm's statistics are those of all parts.
    pub fn forward(&self, xs: &[&Tensor], mode: NormMode) -> Result<Vec<Tensor>, TensorError> {
        let xs = xs.iter().map(|x| self.conv.forward(x)).collect::<Result<Vec<_>, _>>()?;
        match &self.norm {
            Some(norm) => norm.forward_together(xs, mode, false, None),
            None => Ok(xs),
        }
    }

    /// The norm.
    pub fn norm(&self) -> Option<&BatchNorm> {
        self.norm.as_ref()
    }

    /// The norm, to change how it works.
    pub fn norm_mut(&mut self) -> Option<&mut BatchNorm> {
        self.norm.as_mut()
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

/// `x W^T + b`, in the type of x.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// (B, in) -> (B, out)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        let [weight, bias] = [&self.weight, &self.bias].map(|own| own.f_to_kind(x.kind()));
        Ok(x.f_linear(&weight?, Some(&bias?))?)
    }
}
