//! `cargo run --release -p mochi-data --example bench_data -- DIR [--size 224] [--threads 1] [--recipe moco-v2] [--limit 400]
//! [--repeat 3] [--fast-decode]`: prints one JSON line.

use std::path::Path;

use mochi_data::bench::{BenchOptions, bench};
use mochi_data::{Dataset, OpenOptions, Recipe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = BenchOptions::default();
    let mut folder = None;
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
            _ => folder = Some(arg),
        }
    }
    let folder = folder.ok_or("which folder?")?;
    let dataset = Dataset::open(Path::new(&folder), &OpenOptions::default())?;
    println!("{}", serde_json::to_string(&bench(&dataset, &options)?)?);
    Ok(())
}
