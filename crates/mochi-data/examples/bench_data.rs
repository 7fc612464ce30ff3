//! `cargo run --release -p mochi-data --example bench_data -- DIR [--size 224] [--threads 1] [--augment moco-v2] [--limit 400]
//! [--repeat 3] [--fast-decode] [--loader | --read]`: prints one JSON line. With `--loader` an epoch of the loader is timed instead,
//! reading from disk included; with `--read` only opening, and reading every image once in random order.

use std::path::Path;

use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{Dataset, Loader, LoaderOptions, OpenOptions};
use mochi_views::Augmentation;
use mochi_views::random::{Purpose, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = BenchOptions::default();
    let (mut folder, mut loader, mut read) = (None, false, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--size" => options.size = value()?.parse()?,
            "--threads" => options.threads = value()?.parse()?,
            "--limit" => options.limit = value()?.parse()?,
            "--repeat" => options.repeat = value()?.parse()?,
            "--augment" => options.augmentation = Augmentation::preset(&value()?).ok_or("unknown augmentation")?,
            "--fast-decode" => options.fast_decode = true,
            "--loader" => loader = true,
            "--read" => read = true,
            _ => folder = Some(arg),
        }
    }
    let folder = folder.ok_or("which folder?")?;
    let started = std::time::Instant::now();
    let dataset = Dataset::open(Path::new(&folder), &OpenOptions::default())?;
    if read {
        return read_all(&dataset, started.elapsed().as_secs_f64());
    }
    if loader {
        return epoch(&dataset, &options);
    }
    println!("{}", serde_json::to_string(&bench(&dataset, &options)?)?);
    Ok(())
}

fn epoch(dataset: &Dataset, options: &BenchOptions) -> Result<(), Box<dyn std::error::Error>> {
    let started = std::time::Instant::now();
    let &BenchOptions { size, threads, views, fast_decode, .. } = options;
    let batch = 64.min(dataset.len());
    let augmentation = options.augmentation.clone();
    let mut loader = Loader::new(
        dataset,
        LoaderOptions { size, threads, views, fast_decode, augmentation, batch, ..LoaderOptions::default() },
    )?;
    let mut images = 0;
    while let Some(batch) = loader.next() {
        let batch = batch?;
        images += batch.images.len();
        loader.recycle(batch);
    }
    let rate = images as f64 / started.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({ "images_per_s": rate, "images": images, "bad_images": loader.bad_images().len() })
    );
    Ok(())
}

fn read_all(dataset: &Dataset, open_s: f64) -> Result<(), Box<dyn std::error::Error>> {
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    Stream::new(1, Purpose::Order, 0, 0, 0).shuffle(&mut order);
    let (started, mut bytes, mut total) = (std::time::Instant::now(), Vec::new(), 0);
    for &index in &order {
        dataset.read(index, &mut bytes)?;
        total += bytes.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (rate, mb) = (order.len() as f64 / seconds, total as f64 / 1e6 / seconds);
    println!(
        "{}",
        serde_json::json!({ "open_s": open_s, "images_per_s": rate, "mb_per_s": mb, "images": order.len() })
    );
    Ok(())
}
