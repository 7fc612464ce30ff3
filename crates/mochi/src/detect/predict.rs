//! `mochi detect predict RUN IMAGES... --out DIR [--min-score S] [--json]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use mochi_annotations::{AnnotatedImage, Annotations};
use mochi_term::Progress;
use mochi_text::counted;
use mochi_train::{detect_all, load_detector};
use serde_json::{Value, json};

use crate::drive::listen;
use crate::failure::{Failure, Outcome, print_json, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Run folder of a detector
    run: PathBuf,
    /// Images, or folders of images
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<PathBuf>,
    /// Folder for the pictures with boxes and masks and for predictions.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Smallest score of an object
    #[arg(long, default_value_t = 0.5)]
    min_score: f32,
    /// Print the predictions as one JSON object
    #[arg(long)]
    json: bool,
}
