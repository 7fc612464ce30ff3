//! `cargo run --release -p mochi-views --example bench_views -- [--size 224] [--rounds 7] [--augment moco-v2]`: what each operation of a view costs, in
//! microseconds of one thread, on a drawn 465 x 388 image. Each operation is timed with the resize and with the last write, and what those two
//! take alone is subtracted; `augmentation mean` is the mean over 400 views drawn from the augmentation, resize and write included.

use std::time::Instant;

use mochi_views::Augmentation;
use mochi_views::decode::Pixels;
use mochi_views::plan::{Crop, Op, ViewPlan};
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::{Normalize, ViewMaker};

/// Waves and noise of all colors.
fn picture(width: u32, height: u32) -> Pixels {
    let mut stream = Stream::new(7, Purpose::View, 0, 0, 0);
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            for slope in [0.031, 0.017, 0.023] {
                let wave = (f64::from(x) * slope + f64::from(y) * (0.05 - slope)).sin();
                rgb.push((128.0 + 110.0 * wave + stream.uniform(-17.0, 17.0)) as u8);
            }
        }
    }
    Pixels { width, height, rgb }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut size, mut rounds, mut preset) = (224u32, 7usize, "moco-v2".to_owned());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or(format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--size" => size = value.parse()?,
            "--rounds" => rounds = value.parse()?,
            "--augment" => preset = value,
            _ => return Err(format!("no such option: {arg}").into()),
        }
    }
    let augmentation = Augmentation::preset(&preset).ok_or("unknown augmentation")?;
    let pixels = picture(465, 388);
    let crop = Crop { left: 60, top: 40, width: 345, height: 300 };
    let of = |ops: &[Op]| ViewPlan { crop, resized: (size, size), window: (0, 0), ops: ops.to_vec() };
    let rows: Vec<(&str, Vec<Op>)> = vec![
        ("flip", vec![Op::Flip]),
        ("brightness", vec![Op::Brightness(1.23)]),
        ("contrast", vec![Op::Contrast(1.23)]),
        ("saturation", vec![Op::Saturation(1.23)]),
        ("hue", vec![Op::Hue(20)]),
        ("grayscale", vec![Op::Grayscale]),
        ("blur 0.9", vec![Op::Blur(0.9)]),
        ("blur 1.8", vec![Op::Blur(1.8)]),
        ("jitter b c s h", vec![Op::Brightness(1.23), Op::Contrast(0.8), Op::Saturation(1.23), Op::Hue(20)]),
        ("jitter h s c b", vec![Op::Hue(20), Op::Saturation(1.23), Op::Contrast(0.8), Op::Brightness(1.23)]),
        ("solarize", vec![Op::Solarize(128)]),
    ];
    let drawn: Vec<ViewPlan> = (0..400)
        .map(|image| {
            let mut plan = ViewPlan::default();
            plan.draw(
                &augmentation,
                pixels.width,
                pixels.height,
                size,
                &mut Stream::new(3, Purpose::View, 0, image, 0),
            );
            plan
        })
        .collect();
    let normalize = Normalize::new(augmentation.mean, augmentation.std);
    let mut maker = ViewMaker::new();
    let mut out = vec![0f32; (size * size * 3) as usize];
    let mut time = |plans: &[ViewPlan], times: usize| -> Result<f64, mochi_views::DecodeError> {
        let mut best = f64::INFINITY;
        for _ in 0..rounds {
            let started = Instant::now();
            for plan in plans.iter().cycle().take(times) {
                maker.render(&pixels, plan, size, &normalize, &mut out)?;
            }
            best = best.min(started.elapsed().as_secs_f64() * 1e6 / times as f64);
        }
        Ok(best)
    };
    let base = time(&[of(&[])], 200)?;
    println!("{:<16}{base:>8.1}", "resize and write");
    for (name, ops) in rows {
        println!("{name:<16}{:>8.1}", time(&[of(&ops)], 200)? - base);
    }
    println!("{:<16}{:>8.1}", "augmentation mean", time(&drawn, drawn.len())?);
    Ok(())
}
