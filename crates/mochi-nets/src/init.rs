//! Initial values as PyTorch gives them, drawn on the CPU from libtorch's generator (so a seed gives the same network on any device).

use mochi_tensor::{Device, Kind, Tensor};

const PLAIN: (Kind, Device) = (Kind::Float, Device::Cpu);

/// `nn.init.kaiming_normal_(mode="fan_out", nonlinearity="relu")`: N(0, 2 / (out k k)); torchvision's ResNets.
pub(crate) fn kaiming_fan_out(out: i64, input: i64, kernel: i64) -> Tensor {
    normal([out, input, kernel, kernel], (2.0 / (out * kernel * kernel) as f64).sqrt())
}

/// `nn.init.kaiming_normal_()` with its defaults: N(0, 2 / (in k k)); the CIFAR family.
pub(crate) fn kaiming_fan_in(out: i64, input: i64, kernel: i64) -> Tensor {
    normal([out, input, kernel, kernel], (2.0 / (input * kernel * kernel) as f64).sqrt())
}

fn normal(shape: [i64; 4], deviation: f64) -> Tensor {
    Tensor::randn(shape, PLAIN) * deviation
}

/// `nn.Linear`'s own: weight (out, in) and bias (out,) from U(-1/sqrt(in), 1/sqrt(in)).
pub(crate) fn linear(out: i64, input: i64) -> (Tensor, Tensor) {
    let bound = 1.0 / (input as f64).sqrt();
    let uniform = |shape: &[i64]| (Tensor::rand(shape, PLAIN) * 2.0 - 1.0) * bound;
    (uniform(&[out, input]), uniform(&[out]))
}

/// N(0, 0.01^2), (out, in): google-research/simclr's dense layers.
pub(crate) fn small_normal(out: i64, input: i64) -> Tensor {
    Tensor::randn([out, input], PLAIN) * 0.01
}
