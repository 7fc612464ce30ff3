//! Integration tests of the settings: one binary.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not see as tests

mod budget;
mod detection;
mod errors;
mod presets;
mod reference;
mod resolve;

use mochi_config::{DeviceFacts, Facts, Settings};

const LAPTOP_CPU: DeviceFacts = DeviceFacts { memory_bytes: 16 << 30, fast_bf16: false };

/// 4000 labeled images on a machine without a GPU.
const LAPTOP: Facts = Facts {
    start: None,
    images: 4000,
    labels: true,
    cores: 8,
    cpu: LAPTOP_CPU,
    gpus: Vec::new(),
    short_side: None,
    grayscale: false,
    speeds: Vec::new(),
    processes: 1,
};

/// The laptop with one GPU of this much memory that is fast at bf16.
fn with_gpu(images: usize, memory_bytes: u64) -> Facts {
    Facts { images, gpus: vec![DeviceFacts { memory_bytes, fast_bf16: true }], ..LAPTOP }
}

/// A preset with arguments of the command line.
fn load(preset: &str, arguments: &[&str]) -> Settings {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Settings::load(Some(preset), None, &arguments).unwrap()
}
