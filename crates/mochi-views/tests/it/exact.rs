//! Pixels against torchvision on Pillow: fixtures by `fixtures/make_views.py`.

use std::path::{Path, PathBuf};

use mochi_views::decode::{DecodeOptions, Decoder, Pixels};
use mochi_views::plan::{Crop, Op, ViewPlan};
use mochi_views::random::{Purpose, Stream};
use mochi_views::views::{Normalize, ViewMaker};
use mochi_views::{Augmentation, Geometry};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn decode_with(name: &str, options: &DecodeOptions) -> Pixels {
    let mut pixels = Pixels::default();
    let bytes = std::fs::read(fixture(name)).unwrap();
    Decoder::new().decode(&bytes, options, &mut pixels).unwrap_or_else(|e| panic!("{name}: {e}"));
    pixels
}

fn decode(name: &str) -> Pixels {
    decode_with(name, &DecodeOptions::default())
}

/// Share of pixels that differ in some channel, and the largest difference.
fn differences(got: &[u8], want: &[u8]) -> (f64, u8) {
    assert_eq!(got.len(), want.len());
    let worst: Vec<u8> = got
        .chunks_exact(3)
        .zip(want.chunks_exact(3))
        .map(|(g, w)| g.iter().zip(w).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0))
        .collect();
    let off = worst.iter().filter(|&&d| d > 0).count();
    (off as f64 / worst.len() as f64, worst.into_iter().max().unwrap_or(0))
}

/// The bound that the project asks for is 1 level in 99.9 % of pixels; what holds is equality, so that is what is tested.
fn assert_equal(name: &str, got: &[u8], want: &[u8]) {
    let (share, most) = differences(got, want);
    assert!(most == 0, "{name}: {:.2} % of pixels differ, by {most} levels at most", share * 100.0);
}

fn op_of(op: &Value) -> Op {
    let value = &op[1];
    let number = value.as_f64().unwrap_or(0.0);
    match op[0].as_str().unwrap() {
        "brightness" => Op::Brightness(number as f32),
        "contrast" => Op::Contrast(number as f32),
        "saturation" => Op::Saturation(number as f32),
        "hue" => Op::Hue((number * 255.0) as i32 as u8),
        "grayscale" => Op::Grayscale,
        "blur" => Op::Blur(number as f32),
        "solarize" => Op::Solarize(number as u16),
        "flip" => Op::Flip,
        "autocontrast" => Op::AutoContrast,
        "equalize" => Op::Equalize,
        "invert" => Op::Invert,
        "posterize" => Op::Posterize(number as u8),
        "sharpness" => Op::Sharpness(number as f32),
        "affine" => Op::Affine(std::array::from_fn(|i| value[i].as_f64().unwrap())),
        other => panic!("no such operation: {other}"),
    }
}

#[test]
fn operations_and_chains_match_torchvision_on_pillow() {
    let listed: Value = serde_json::from_slice(&std::fs::read(fixture("views.json")).unwrap()).unwrap();
    let size = listed["size"].as_u64().unwrap() as u32;
    let source = decode("views/source.png");
    let mut maker = ViewMaker::new();
    let cases = listed["cases"].as_array().unwrap();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let [left, top, width, height] = std::array::from_fn(|i| case["crop"][i].as_u64().unwrap() as u32);
        let ops = case["ops"].as_array().unwrap().iter().map(op_of).collect();
        let plan = ViewPlan { crop: Crop { left, top, width, height }, resized: (size, size), window: (0, 0), ops };
        let got = maker.render_rgb(&source, &plan, size).unwrap();
        let want = decode(&format!("views/{name}.png"));
        assert_equal(name, &got, &want.rgb);
    }
    assert!(cases.len() > 40);
}

#[test]
fn evaluation_is_torchvisions_resize_and_center_crop() {
    let augmentation = Augmentation {
        geometry: Geometry::ResizeCenterCrop { enlarge: 32.0 / 28.0 },
        ..Augmentation::preset("eval").unwrap()
    };
    for name in ["eval-wide", "eval-tall", "eval-small"] {
        let source = decode(&format!("views/{name}-source.png"));
        let mut plan = ViewPlan::default();
        plan.draw(&augmentation, source.width, source.height, 28, &mut Stream::new(0, Purpose::View, 0, 0, 0));
        let got = ViewMaker::new().render_rgb(&source, &plan, 28).unwrap();
        assert_equal(name, &got, &decode(&format!("views/{name}.png")).rgb);
    }
}

#[test]
fn floats_are_the_bytes_normalized_in_planes() {
    let source = decode("views/source.png");
    let augmentation = Augmentation::preset("moco-v2").unwrap();
    let normalize = Normalize::new(augmentation.mean, augmentation.std);
    let (mut plan, mut maker) = (ViewPlan::default(), ViewMaker::new());
    for image in 0..20 {
        plan.draw(&augmentation, source.width, source.height, 31, &mut Stream::new(5, Purpose::View, 0, image, 0));
        let mut floats = vec![0.0; 3 * 31 * 31];
        maker.render(&source, &plan, 31, &normalize, &mut floats).unwrap();
        let bytes = maker.render_rgb(&source, &plan, 31).unwrap();
        for (i, &float) in floats.iter().enumerate() {
            let (channel, pixel) = (i / (31 * 31), i % (31 * 31));
            let want = (f32::from(bytes[pixel * 3 + channel]) / 255.0 - augmentation.mean[channel])
                / augmentation.std[channel];
            assert!((float - want).abs() < 2e-6, "{float} {want}");
        }
    }
}

#[test]
fn one_plane_for_gray_gives_what_three_give() {
    // A saturation of 0 is the same luma on three channels, and nothing knows that they are equal.
    let source = decode("views/source.png");
    let crop = Crop { left: 13, top: 7, width: 61, height: 50 };
    let after = [
        vec![Op::Blur(1.1), Op::Flip],
        vec![Op::Blur(1.8), Op::Contrast(1.3), Op::Hue(20), Op::Blur(0.4), Op::Brightness(0.7)],
        vec![Op::Equalize, Op::Affine([1.0, 0.3, 0.0, 0.0, 1.0, 0.0]), Op::Sharpness(1.9), Op::AutoContrast],
    ];
    for ops in after {
        let render = |first: Op| {
            let ops = [&[Op::Hue(9), first], &ops[..]].concat();
            ViewMaker::new()
                .render_rgb(&source, &ViewPlan { crop, resized: (28, 28), window: (0, 0), ops }, 28)
                .unwrap()
        };
        assert_equal(&format!("gray, then {ops:?}"), &render(Op::Grayscale), &render(Op::Saturation(0.0)));
    }
}

#[test]
fn decoding_is_pillows_convert_to_rgb() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixture("images")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".expected.png") || name.ends_with(".upright.png") {
            continue;
        }
        seen += 1;
        let got = decode(&format!("images/{name}"));
        let want = decode(&format!("images/{name}.expected.png"));
        assert_eq!((got.width, got.height), (want.width, want.height), "{name}");
        let (share, most) = differences(&got.rgb, &want.rgb);
        assert!(most == 0, "{name}: {:.2} % of pixels differ, by {most} levels at most", share * 100.0);
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn exif_orientation_is_an_option() {
    let upright =
        decode_with("images/turned.jpg", &DecodeOptions { exif_orientation: true, ..DecodeOptions::default() });
    assert_eq!(upright, decode("images/turned.jpg.upright.png"));
    assert_eq!((decode("images/turned.jpg").width, upright.width), (33, 21));
}
