//! `cargo run --release -p mochi-views --example compare_jpeg -- DIR [--repeat 5]`: every JPEG below DIR by `mochi-jpeg` and by
//! libjpeg-turbo. Prints one JSON line: how many were supported, unsupported (by reason) and unequal, and, over the supported ones, the median of the
//! ratio of times (libjpeg-turbo's by ours, measured in turn, the least of all rounds each) and the seconds of both. Exit 1 if any is unequal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mochi_jpeg::{Decoder, Header};
use turbojpeg::{Decompressor, Image, PixelFormat};

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn ours(decoder: &mut Decoder, bytes: &[u8], rgb: &mut Vec<u8>) -> Result<(), mochi_jpeg::Unsupported> {
    let header = Header::read(bytes)?;
    rgb.resize(header.width() as usize * header.height() as usize * 3, 0);
    decoder.decode(&header, bytes, rgb)
}

fn theirs(decoder: &mut Decompressor, bytes: &[u8], rgb: &mut Vec<u8>) -> Result<(), turbojpeg::Error> {
    let header = decoder.read_header(bytes)?;
    let (width, height) = (header.width, header.height);
    rgb.resize(width * height * 3, 0);
    let output = Image { pixels: &mut rgb[..], width, pitch: width * 3, height, format: PixelFormat::RGB };
    decoder.decompress(bytes, output)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (mut folder, mut repeat) = (None, 0);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--repeat" => repeat = args.next().ok_or("--repeat needs a number")?.parse()?,
            _ => folder = Some(arg),
        }
    }
    let mut paths = Vec::new();
    walk(Path::new(&folder.ok_or("which folder?")?), &mut paths)?;
    paths.sort();
    let (mut fast, mut turbo) = (Decoder::new(), Decompressor::new()?);
    let (mut got, mut want) = (Vec::new(), Vec::new());
    let (mut taken, mut unequal, mut timed) = (0, 0, Vec::new());
    let mut unsupported = BTreeMap::<String, u32>::new();
    for path in &paths {
        let bytes = std::fs::read(path)?;
        if !bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            continue;
        }
        match ours(&mut fast, &bytes, &mut got) {
            Err(why) => *unsupported.entry(format!("{why:?}")).or_default() += 1,
            Ok(()) => {
                taken += 1;
                let decoded = theirs(&mut turbo, &bytes, &mut want);
                if decoded.is_err() || got != want {
                    unequal += 1;
                    eprintln!("{}: {decoded:?}", path.display());
                }
                if repeat > 0 {
                    timed.push((bytes, Duration::MAX, Duration::MAX));
                }
            }
        }
    }
    // All images in each round: an image decoded again and again would be learned by the processor's branch prediction.
    for _ in 0..repeat {
        for (bytes, a, b) in &mut timed {
            let started = Instant::now();
            let _ = std::hint::black_box(ours(&mut fast, bytes, &mut got));
            *a = started.elapsed().min(*a);
            let started = Instant::now();
            let _ = std::hint::black_box(theirs(&mut turbo, bytes, &mut want));
            *b = started.elapsed().min(*b);
        }
    }
    let ours_total: Duration = timed.iter().map(|t| t.1).sum();
    let theirs_total: Duration = timed.iter().map(|t| t.2).sum();
    let mut ratios: Vec<f64> = timed.iter().map(|(_, a, b)| b.as_secs_f64() / a.as_secs_f64().max(1e-9)).collect();
    ratios.sort_by(f64::total_cmp);
    let result = serde_json::json!({
        "taken": taken, "unsupported": unsupported, "unequal": unequal, "median_ratio": ratios.get(ratios.len() / 2),
        "ours_s": ours_total.as_secs_f64(), "libjpeg_turbo_s": theirs_total.as_secs_f64(),
    });
    println!("{result}");
    Ok(if unequal > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
