//! A small drawn dataset in the format of PASCAL VOC, and a detector trained on it.

use std::path::Path;
use std::process::Command;

use crate::common::{mochi, said};

/// Images of one red and one blue rectangle, with boxes; 6 to train on, 3 to evaluate on.
pub fn voc(folder: &Path) {
    for part in ["Annotations", "JPEGImages", "ImageSets/Main"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    let (width, height) = (64u32, 48u32);
    for i in 0..9u32 {
        let boxes = [("red", [4 + i, 5 + i, 24 + i, 25 + i]), ("blue", [34, 4 + 2 * i, 60, 20 + 2 * i])];
        let mut rgb = vec![120u8; (width * height * 3) as usize];
        let mut objects = String::new();
        for (name, [x0, y0, x1, y1]) in boxes {
            let color = if name == "red" { [220, 40, 40] } else { [40, 60, 220] };
            for (y, x) in (y0..y1.min(height)).flat_map(|y| (x0..x1).map(move |x| (y, x))) {
                let at = ((y * width + x) * 3) as usize;
                rgb[at..at + 3].copy_from_slice(&color);
            }
            objects += &format!(
                "<object><name>{name}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{x1}</xmax><ymax>{}</ymax></bndbox></object>",
                x0 + 1,
                y0 + 1,
                y1.min(height)
            );
        }
        let size = format!("<size><width>{width}</width><height>{height}</height><depth>3</depth></size>");
        let text = format!("<annotation>{size}{objects}</annotation>");
        std::fs::write(folder.join(format!("Annotations/{i}.xml")), text).unwrap();
        let file = std::fs::File::create(folder.join(format!("JPEGImages/{i}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
    }
    let list = |ids: std::ops::Range<u32>| ids.map(|i| format!("{i}\n")).collect::<String>();
    std::fs::write(folder.join("ImageSets/Main/train.txt"), list(0..6)).unwrap();
    std::fs::write(folder.join("ImageSets/Main/test.txt"), list(6..9)).unwrap();
}

/// Settings of a detector that takes a second.
pub const TINY: [&str; 12] = [
    "iterations=3",
    "model.arch=resnet20",
    "model.stem=cifar",
    "model.anchor_sizes=[16, 32]",
    "data.batch=2",
    "data.short_sides=[48]",
    "data.test_short_side=48",
    "regions.count=16",
    "proposals.train_before_nms=100",
    "proposals.train_after_nms=20",
    "optimizer.warmup_iterations=1",
    "evaluation.precise_bn_iterations=1",
];

/// `mochi detect train` on a dataset with [`TINY`] and more words, without the comparison.
pub fn train(data: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = mochi(&["detect", "train", "--no-comparison", "--data"]);
    command.arg(data).arg("--out").arg(out).args(TINY).args(more);
    command
}

/// Draws the dataset `place/data` and trains the detector `place/run`.
pub fn trained(place: &Path) {
    voc(&place.join("data"));
    let output = train(&place.join("data"), &place.join("run"), &[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
