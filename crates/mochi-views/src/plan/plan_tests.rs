//! Drawn parameters compared with the distributions that torchvision draws from.

use proptest::prelude::*;

use super::*;
use crate::random::Purpose;

proptest! {
    #[test]
    fn crops_and_windows_lie_inside(width in 1u32..3000, height in 1u32..3000, size in 1u32..300, seed: u64, which in 0usize..8) {
        let augmentation = Augmentation::preset(Augmentation::PRESETS[which]).unwrap();
        let mut plan = ViewPlan::default();
        plan.draw(&augmentation, width, height, size, &mut Stream::new(seed, Purpose::View, 0, 0, 0));
        let c = plan.crop;
        prop_assert!(c.width >= 1 && c.height >= 1);
        prop_assert!(c.left + c.width <= width && c.top + c.height <= height);
        prop_assert!(plan.window.0 + size <= plan.resized.0 && plan.window.1 + size <= plan.resized.1);
    }
}

#[test]
fn crop_statistics_are_those_of_torchvision() {
    // Means over 100,000 draws of torchvision 0.26's RandomResizedCrop.get_params on 500 x 375, scale 0.2-1, ratio 3/4-4/3:
    // share of the area 0.4960, width 307.57, height 293.47, left 96.15, top 40.81.
    let n = 50_000;
    let mut sums = [0.0f64; 5];
    for image in 0..n {
        let mut stream = Stream::new(1, Purpose::View, 0, image, 0);
        let c = random_resized_crop(500, 375, [0.2, 1.0], [0.75, 4.0 / 3.0], &mut stream);
        let share = f64::from(c.width * c.height) / (500.0 * 375.0);
        for (sum, v) in sums.iter_mut().zip([share, c.width.into(), c.height.into(), c.left.into(), c.top.into()]) {
            *sum += v;
        }
    }
    let [share, width, height, left, top] = sums.map(|s| s / f64::from(n));
    // Five standard errors of the difference between the two samples.
    assert!((share - 0.4960).abs() < 0.005, "{share}");
    assert!((width - 307.57).abs() < 2.0 && (height - 293.47).abs() < 1.6, "{width} x {height}");
    assert!((left - 96.15).abs() < 2.0 && (top - 40.81).abs() < 1.0, "{left}, {top}");
}

#[test]
fn color_jitter_is_drawn_as_torchvisions() {
    // ColorJitter.get_params: a permutation of four, factors uniform in max(0, 1 - b)..1 + b, the hue uniform in -h..h. Analytic:
    // 24 orders alike, means and variances of uniform distributions; RandomApply with p = 0.8, RandomGrayscale 0.2, blur and flip 0.5.
    let augmentation = Augmentation::preset("moco-v2").unwrap();
    let n = 60_000u32;
    let mut plan = ViewPlan::default();
    let mut orders = std::collections::BTreeMap::<Vec<u8>, u32>::new();
    let mut factors = [const { Vec::<f64>::new() }; 4];
    let (mut gray, mut sigmas, mut flips) = (0, Vec::new(), 0);
    for image in 0..n {
        plan.draw(&augmentation, 500, 375, 224, &mut Stream::new(11, Purpose::View, 0, image, 0));
        let mut order = Vec::new();
        for op in &plan.ops {
            let (which, value) = match *op {
                Op::Brightness(f) => (0, f64::from(f)),
                Op::Contrast(f) => (1, f64::from(f)),
                Op::Saturation(f) => (2, f64::from(f)),
                Op::Hue(shift) => (3, f64::from(shift as i8)),
                Op::Grayscale => {
                    gray += 1;
                    continue;
                }
                Op::Blur(sigma) => {
                    sigmas.push(f64::from(sigma));
                    continue;
                }
                Op::Flip => {
                    flips += 1;
                    continue;
                }
                other => panic!("{other:?} is not of moco-v2"),
            };
            order.push(which);
            factors[usize::from(which)].push(value);
        }
        if !order.is_empty() {
            *orders.entry(order).or_default() += 1;
        }
    }
    let jittered: u32 = orders.values().sum();
    // Five standard deviations of a count.
    let about = |count: u32, p: f64, of: u32| {
        (f64::from(count) - p * f64::from(of)).abs() < 5.0 * (p * (1.0 - p) * f64::from(of)).sqrt()
    };
    assert!(
        about(jittered, 0.8, n) && about(gray, 0.2, n) && about(sigmas.len() as u32, 0.5, n) && about(flips, 0.5, n)
    );
    assert_eq!(orders.len(), 24);
    assert!(orders.iter().all(|(order, &count)| order.len() == 4 && about(count, 1.0 / 24.0, jittered)), "{orders:?}");
    let uniform = |name: &str, values: &[f64], low: f64, high: f64| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let wanted = (high - low).powi(2) / 12.0;
        assert!(values.iter().all(|v| (low..=high).contains(v)), "{name}");
        assert!((mean - (low + high) / 2.0).abs() < 5.0 * (wanted / n).sqrt(), "{name}: mean {mean}");
        assert!((variance / wanted - 1.0).abs() < 0.03, "{name}: variance {variance}, of the distribution {wanted}");
    };
    for (name, factors) in ["brightness", "contrast", "saturation"].into_iter().zip(&factors) {
        uniform(name, factors, 0.6, 1.4);
    }
    uniform("sigma", &sigmas, 0.1, 2.0);
    // numpy cuts turn * 255 towards zero: -25..=25, where 0 takes two bytes' share.
    let hue = &factors[3];
    assert!(hue.iter().all(|shift| shift.abs() <= 25.0));
    let zeros = hue.iter().filter(|shift| **shift == 0.0).count();
    assert!(about(zeros as u32, 2.0 / 51.0, jittered), "{zeros} of {jittered}");
}

#[test]
fn crop_shapes_are_uniform_in_the_logarithm() {
    // Crops of a fifth of the area always fit, so no attempt is discarded and the distributions are not distorted.
    let mut logarithms = Vec::new();
    for image in 0..20_000 {
        let mut stream = Stream::new(2, Purpose::View, 0, image, 0);
        let c = random_resized_crop(4000, 4000, [0.2, 0.21], [0.75, 4.0 / 3.0], &mut stream);
        logarithms.push((f64::from(c.width) / f64::from(c.height)).ln());
        let share = f64::from(c.width) * f64::from(c.height) / 16e6;
        assert!((0.1995..=0.2105).contains(&share), "{share}");
    }
    // Each quarter of a uniform distribution's range holds a quarter of the samples; uniform in the ratio itself would put 0.19 into the first.
    let step = (4.0f64 / 3.0).ln() / 2.0;
    for quarter in 0..4 {
        let low = -(4.0f64 / 3.0).ln() + step * f64::from(quarter);
        let inside = logarithms.iter().filter(|&&l| l >= low && l < low + step).count();
        assert!(inside.abs_diff(5000) < 310, "{inside} in quarter {quarter}");
    }
}

#[test]
fn thin_images_fall_back_to_the_central_crop() {
    let mut stream = Stream::new(1, Purpose::View, 0, 0, 0);
    let c = random_resized_crop(1000, 10, [0.9, 1.0], [0.75, 4.0 / 3.0], &mut stream);
    assert_eq!(c, Crop { left: 493, top: 0, width: 13, height: 10 });
}
