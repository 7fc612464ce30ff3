//! `cargo run --release -p mochi-data --example bench_data -- DIR [--size 224] [--threads 1] [--recipe moco-v2] [--limit 400]
//! [--repeat 3] [--fast-decode] [--loader]`: prints one JSON line. With `--loader` an epoch of the loader is timed instead, reading
//! from disk included.

use std::path::Path;

use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{Dataset, Loader, LoaderOptions, OpenOptions, Recipe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = BenchOptions::default();
    let (mut folder, mut loader) = (None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--size" => options.size = value()?.parse()?,
            "--threads" => options.threads = value()?.parse()?,
            "--limit" => options.limit = value()?.parse()?,
            "--repeat" => options.repeat = value()?.parse()?,
            "--recipe" => options.recipe = Recipe::preset(&value()?).ok_or("no such recipe")?,
            "--fast-decode" => options.fast_decode = true,
            "--loader" => loader = true,
            _ => folder = Some(arg),
        }
    }
    let folder = folder.ok_or("which folder?")?;
    let dataset = Dataset::open(Path::new(&folder), &OpenOptions::default())?;
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
    let recipe = options.recipe.clone();
    let mut loader = Loader::new(
        dataset,
        LoaderOptions { size, threads, views, fast_decode, recipe, batch, ..LoaderOptions::default() },
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
