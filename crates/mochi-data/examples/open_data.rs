//! How long a dataset takes to open: `cargo run --release -p mochi-data --example open_data -- DATA...`
//!
//! Prints seconds, images and the most memory that the process held. Run it twice: the second time it finds its index.

use std::error::Error;
use std::time::Instant;

use mochi_data::{Dataset, OpenOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let sources: Vec<String> = std::env::args().skip(1).collect();
    let begun = Instant::now();
    let dataset = Dataset::open_all(&sources, &OpenOptions::default())?;
    let opened = begun.elapsed();
    let fingerprint = dataset.fingerprint();
    for warning in dataset.warnings() {
        eprintln!("warning: {warning}");
    }
    let peak = mochi_system::peak_memory().map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    println!(
        "{} images in {:.3} s, fingerprint {fingerprint:016x} after {:.3} s, at most {peak}",
        dataset.len(),
        opened.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
