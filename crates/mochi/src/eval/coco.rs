//! `mochi eval coco GT.json RESULTS.json --type box|mask`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mochi_detection_metrics::{CocoNumbers, CocoResult, Geometry, evaluate_coco_files};
use mochi_term::Progress;
use mochi_text::{aligned, counted, counted_with};

use crate::failure::{Outcome, print_json, print_line};

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    /// Annotations in COCO's format, such as instances_val2017.json
    #[arg(value_name = "GT.json")]
    truth: PathBuf,
    /// Detections in COCO's result format
    #[arg(value_name = "RESULTS.json")]
    results: PathBuf,
    /// What is compared
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    geometry: Type,
    /// Print one JSON object with the twelve numbers of pycocotools; -1 where a number is undefined
    #[arg(long)]
    json: bool,
}

/// Boxes or masks, also by the names of pycocotools.
#[derive(Clone, Copy, ValueEnum)]
enum Type {
    #[value(alias = "bbox")]
    Box,
    #[value(alias = "segm")]
    Mask,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> Outcome {
    let geometry = match arguments.geometry {
        Type::Box => Geometry::Box,
        Type::Mask => Geometry::Mask,
    };
    let result = evaluate_coco_files(&arguments.truth, &arguments.results, geometry)?;
    let progress = Progress::detect();
    for note in &result.notes {
        progress.warning(note);
    }
    if arguments.json {
        print_json(&Numbers(&result.numbers))?;
    } else {
        print_line(&table(&result))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers as pycocotools has them, in its order.
struct Numbers<'a>(&'a CocoNumbers);

impl serde::Serialize for Numbers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.named().map(|(name, value)| (name, value.unwrap_or(-1.0))))
    }
}

/// Of each number, in the order of [`CocoNumbers::named`]: IoU, size of the objects, most detections per image and class.
const ABOUT: [[&str; 3]; 12] = [
    ["0.50:0.95", "all", "100"],
    ["0.50", "all", "100"],
    ["0.75", "all", "100"],
    ["0.50:0.95", "small", "100"],
    ["0.50:0.95", "medium", "100"],
    ["0.50:0.95", "large", "100"],
    ["0.50:0.95", "all", "1"],
    ["0.50:0.95", "all", "10"],
    ["0.50:0.95", "all", "100"],
    ["0.50:0.95", "small", "100"],
    ["0.50:0.95", "medium", "100"],
    ["0.50:0.95", "large", "100"],
];

/// The numbers in percent, and the number of classes that they are means of.
fn table(result: &CocoResult) -> String {
    let mut rows = vec![["", "%", "IoU", "objects", "detections"].map(str::to_owned).to_vec()];
    for ((name, value), about) in result.numbers.named().into_iter().zip(ABOUT) {
        let percent = value.map_or_else(|| "-".to_owned(), |value| format!("{:.2}", 100.0 * value));
        rows.push([vec![name.to_owned(), format!("{percent:>6}")], about.map(str::to_owned).to_vec()].concat());
    }
    let without = result.classes.iter().filter(|class| class.ap.is_none()).count();
    let means = format!("means over {}", counted(result.classes.len() - without, "class"));
    let missing = match without {
        0 => String::new(),
        _ => format!("; {}", counted_with(without, "class", ["has no objects", "have no objects"])),
    };
    format!("{}\n\n{means}{missing}", aligned(&rows).join("\n"))
}
