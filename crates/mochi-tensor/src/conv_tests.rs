//! Our own weight gradients against float64, and against libtorch's own in what autograd hands on.

use super::*;
use crate::Precision;

const BF16: Compute = Compute { device: Device::Cpu, precision: Precision::Bf16, channels_last: true };

fn dense(stride: i64, padding: i64) -> ConvOptions {
    ConvOptions { stride, padding, dilation: 1 }
}

fn noise(shape: [i64; 4], k: f64) -> Tensor {
    let ramp = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
    ((ramp * (12.9898 * k) + k).sin() * 43758.5453).frac().view(shape)
}

/// Output, input gradient and weight gradient of the convolution in float64, from the same bfloat16 values.
fn in_float64(x: &Tensor, weight: &Tensor, stride: i64, g: &Tensor) -> [Tensor; 3] {
    let wide = |t: &Tensor| t.to_kind(Kind::Double).detach().set_requires_grad(true);
    let (x, weight) = (wide(x), wide(&weight.to_kind(Kind::BFloat16)));
    let y = x.conv2d(&weight, None::<&Tensor>, [stride; 2], [0; 2], [1, 1], 1);
    (&y * g.to_kind(Kind::Double)).sum(Kind::Double).backward();
    [y.detach(), x.grad(), weight.grad()]
}

fn relative(a: &Tensor, b: &Tensor) -> f64 {
    let difference = (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max();
    difference.double_value(&[]) / b.abs().max().double_value(&[]).max(1e-30)
}

#[test]
fn pointwise_gradients_are_those_of_float64() {
    // SAFETY: plain numbers.
    if unsafe { ffi::mochi_pointwise_fits(64, 64) } == 0 {
        println!("skipped: pointwise_gradients_are_those_of_float64: this processor keeps libtorch's kernel");
        return;
    }
    // Odd counts of pixels, a single one, strides, more than one range of outputs.
    for (batch, side, outs, ins, stride) in [
        (2, 5, 64, 64, 1),
        (1, 1, 64, 64, 1),
        (3, 7, 320, 128, 1),
        (2, 9, 64, 192, 2),
        (4, 8, 320, 64, 2),
        (16, 14, 128, 1024, 1),
    ] {
        let low = |t: Tensor| crate::compute::channels_last(&t.to_kind(Kind::BFloat16)).unwrap();
        let x = low(noise([batch, ins, side, side], 1.0)).set_requires_grad(true);
        let weight = (noise([outs, ins, 1, 1], 2.0).to_kind(Kind::Float) * 0.1).set_requires_grad(true);
        let y = conv2d(&x, &weight, None, &dense(stride, 0), &BF16).unwrap();
        let g = low(noise([batch, outs, y.size()[2], y.size()[3]], 3.0));
        (y.to_kind(Kind::Float) * g.to_kind(Kind::Float)).sum(Kind::Float).backward();
        let wanted = in_float64(&x, &weight, stride, &g);
        let name = format!("{batch} x {side} x {side}, {ins} to {outs}, stride {stride}");
        assert!(relative(&y, &wanted[0]) < 1e-2, "{name}: output");
        assert!(relative(&x.grad(), &wanted[1]) < 1e-2, "{name}: input gradient");
        let worst = relative(&weight.grad(), &wanted[2]);
        assert_eq!(weight.grad().kind(), Kind::Float);
        // Sums of exact products in float32: far below a rounding to bfloat16 (4e-3).
        assert!(worst < 1e-5, "{name}: weight gradient off by {worst:e}");
    }
}

#[test]
fn the_weight_gradient_does_not_depend_on_threads() {
    let run = || {
        let x = crate::compute::channels_last(&noise([8, 64, 13, 13], 1.0).to_kind(Kind::BFloat16)).unwrap();
        let weight = noise([128, 64, 1, 1], 2.0).to_kind(Kind::Float).set_requires_grad(true);
        let y = conv2d(&x, &weight, None, &dense(1, 0), &BF16).unwrap();
        (y.to_kind(Kind::Float) * noise([8, 128, 13, 13], 3.0).to_kind(Kind::Float)).sum(Kind::Float).backward();
        weight.grad()
    };
    let before = tch::get_num_threads();
    tch::set_num_threads(1);
    let one = run();
    tch::set_num_threads(3);
    let three = run();
    tch::set_num_threads(before);
    assert!(one.equal(&three));
}

#[test]
fn gradients_over_small_maps_are_those_of_float64() {
    // Straight into the shim: `conv2d` asks for it only where it gains something, and it is right everywhere. Kernels larger than the map, strides, no padding, maps that are not square.
    for (batch, [high, wide], outs, ins, side, stride, padding) in [
        (3, [1, 1], 8, 5, 3, 1, 1),
        (2, [2, 2], 4, 6, 3, 2, 1),
        (4, [2, 3], 7, 4, 3, 1, 1),
        (2, [4, 4], 8, 8, 3, 1, 1),
        (3, [7, 5], 4, 3, 3, 2, 1),
        (1, [4, 3], 5, 2, 3, 1, 0),
        (2, [2, 2], 3, 4, 7, 2, 3),
        (2, [6, 6], 3, 4, 5, 3, 2),
    ] {
        let last = |t: Tensor| crate::compute::channels_last(&t.to_kind(Kind::Float)).unwrap();
        let x = last(noise([batch, ins, high, wide], 1.0)).set_requires_grad(true);
        let weight = last(noise([outs, ins, side, side], 2.0)).set_requires_grad(true);
        // SAFETY: both tensors live for the length of the call.
        let y = ffi::new_tensor(|out| unsafe {
            ffi::mochi_small_map(ffi::raw(&x), ffi::raw(&weight), stride, padding, out)
        })
        .unwrap();
        let shape = y.size();
        let name =
            format!("{batch} x {high} x {wide}, {ins} to {outs}, kernel {side}, stride {stride}, padding {padding}");
        assert!(shape[2] * shape[3] <= 16, "{name}: not a small map");
        let g = last(noise([batch, outs, shape[2], shape[3]], 3.0));
        (&y * &g).sum(Kind::Float).backward();
        let wide = |t: &Tensor| t.to_kind(Kind::Double).detach().set_requires_grad(true);
        let (x64, weight64) = (wide(&x), wide(&weight));
        let wanted = x64.conv2d(&weight64, None::<&Tensor>, [stride; 2], [padding; 2], [1, 1], 1);
        (&wanted * g.to_kind(Kind::Double)).sum(Kind::Double).backward();
        assert!(relative(&y, &wanted) < 1e-5, "{name}: output");
        assert!(relative(&x.grad(), &x64.grad()) < 1e-5, "{name}: input gradient");
        assert!(relative(&weight.grad(), &weight64.grad()) < 1e-5, "{name}: weight gradient");
        assert!(is_channels_last(&weight.grad()), "{name}: the optimizer takes gradients in the parameter's layout");
    }
}

#[test]
fn bias_and_dilation_are_those_of_float64() {
    // 1 x 1 maps and 1 x 1 kernels, which the kernels of our own would otherwise take.
    for (side, kernel, stride, padding, dilation, biased) in [
        (9, 3, 1, 2, 2, false),
        (9, 3, 2, 1, 1, true),
        (3, 3, 1, 1, 1, true),
        (5, 1, 1, 0, 1, true),
        (8, 3, 2, 4, 4, true),
    ] {
        for precision in [Precision::Float32, Precision::Bf16] {
            let compute = Compute { precision, ..Compute::CPU };
            let x = compute.input(&noise([2, 64, side, side], 1.0).to_kind(Kind::Float)).unwrap();
            let weight = noise([64, 64, kernel, kernel], 2.0).to_kind(Kind::Float).set_requires_grad(true);
            let bias = noise([1, 64, 1, 1], 3.0).view([64]).to_kind(Kind::Float).set_requires_grad(true);
            let options = ConvOptions { stride, padding, dilation };
            let y = conv2d(&x, &weight, biased.then_some(&bias), &options, &compute).unwrap();
            let wide = |t: &Tensor| t.detach().to_kind(compute.kind()).to_kind(Kind::Double);
            let wanted = wide(&x).conv2d(
                &wide(&weight),
                biased.then(|| wide(&bias)),
                [stride; 2],
                [padding; 2],
                [dilation; 2],
                1,
            );
            let bound = if precision == Precision::Bf16 { 5e-3 } else { 1e-5 };
            let error = relative(&y, &wanted);
            assert!(error < bound, "{options:?} kernel {kernel} bias {biased} {precision:?}: {error:e}");
            y.sum(Kind::Float).backward();
            assert!(weight.grad().defined() && bias.grad().defined() == biased);
        }
    }
}
