//! `mochi augment DIR [--preset NAME | --config FILE] [--images N] [--size N] [--seed N] [--epoch N] [--out FILE] [KEY=VALUE ...]`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_data::preview::{Preview, PreviewOptions, View, png_of_view, preview, sheet};
use mochi_data::{Cancel, display_source, sampled};
use mochi_files::write_atomic;
use mochi_report::{Encoding, Image, ShownView, ViewsPage, ViewsRow};
use mochi_term::Progress;

use mochi_train::augmentation_of;
use mochi_views::DecodeError;
use mochi_views::plan::Op;

use crate::failure::{Failure, Outcome, print_line};
use crate::numbers::whole;
use crate::output_file;
use crate::settings::SettingArguments;
use crate::sources::Sources;

/// Arguments of the subcommand.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    settings: SettingArguments,
    /// Number of images, the first ones of the epoch
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=500))]
    images: u16,
    /// View size, instead of data.size
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=4096))]
    size: Option<u32>,
    /// Seed, instead of the settings' seed
    #[arg(long, value_parser = whole::<u64>)]
    seed: Option<u64>,
    /// Epoch, counted from 0
    #[arg(long, default_value_t = 0, value_parser = whole::<u64>)]
    epoch: u64,
    /// Output file: a page (.html), or an image without text (.png)
    #[arg(long, value_name = "FILE", default_value = "views.html")]
    out: PathBuf,
}

/// Runs the subcommand: the path of the output file goes to stdout.
pub fn run(arguments: Arguments) -> Outcome {
    let settings = arguments.settings.load()?;
    let Some(kind) = [output_file::PAGE, output_file::SHEET].into_iter().find(|kind| kind.names(&arguments.out)) else {
        let what = format!("--out expects a name ending in .html or .png, got {}", arguments.out.display());
        return Err(Failure::new(what, "for example --out views.html"));
    };
    kind.check(&arguments.out)?;
    let sheet_only = output_file::SHEET.names(&arguments.out);
    let progress = Progress::detect();
    let dataset = arguments.sources.begin(&settings, Cancel::default()).wait(&progress)?;
    let sample = sampled(&dataset, &Cancel::default());
    let augment = settings.augmentation(sample.grayscale);
    let augmentation = augmentation_of(augment, settings.data.crop_min_scale)?;
    let size = arguments.size.unwrap_or_else(|| settings.view_size(sample.short_side));
    let options = PreviewOptions {
        images: usize::from(arguments.images),
        seed: arguments.seed.unwrap_or(settings.seed),
        epoch: arguments.epoch,
        views: u16::try_from(settings.data.views).unwrap_or(u16::MAX),
        size,
        augmentation,
        fast_decode: settings.data.fast_decode,
        thumbnail: if sheet_only { size } else { 448 },
        within: None,
    };
    let (previews, bad) = preview(&dataset, &options)?;
    for image in &bad {
        progress.warning(&format!("bad image replaced: {}: {} ({})", image.name, image.reason, image.detail));
    }
    let drawing = |e: DecodeError| Failure::new(format!("cannot draw the views: {e}"), "lower --images");
    let bytes = if sheet_only {
        sheet(&previews, size).map_err(drawing)?
    } else {
        page(arguments.sources.data(), &options, augment.as_str(), &previews).map_err(drawing)?.render().into_bytes()
    };
    write_atomic(&arguments.out, &bytes)?;
    print_line(&arguments.out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn page(data: &Path, options: &PreviewOptions, augment: &str, previews: &[Preview]) -> Result<ViewsPage, DecodeError> {
    let name = std::path::absolute(display_source(data))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let fact = |term: &str, value: String| (term.to_owned(), value);
    Ok(ViewsPage {
        name: name.unwrap_or_else(|| display_source(data)),
        summary: format!("{}: augmented training views, {augment}", display_source(data)),
        facts: vec![
            fact("View", format!("{0} × {0} px", options.size)),
            fact("Seed", options.seed.to_string()),
            fact("Epoch", options.epoch.to_string()),
            fact("Images", previews.len().to_string()),
            fact("Views of each image", options.views.to_string()),
        ],
        rows: previews.iter().map(|preview| row(preview, options.size)).collect::<Result<_, _>>()?,
    })
}

fn row(preview: &Preview, size: u32) -> Result<ViewsRow, DecodeError> {
    let source = &preview.source;
    Ok(ViewsRow {
        source: Image {
            bytes: source.jpeg.clone(),
            encoding: Encoding::Jpeg,
            width: source.width,
            height: source.height,
            name: preview.name.clone(),
        },
        size: source.source,
        views: preview.views.iter().enumerate().map(|(n, view)| shown(view, n, size)).collect::<Result<_, _>>()?,
    })
}

fn shown(view: &View, number: usize, size: u32) -> Result<ShownView, DecodeError> {
    let crop = view.shown(size);
    let steps = view.plan.ops.iter().map(Op::describe);
    Ok(ShownView {
        image: Image {
            bytes: png_of_view(&view.rgb, size)?,
            encoding: Encoding::Png,
            width: size,
            height: size,
            name: format!("view {}", number + 1),
        },
        crop: [crop.left, crop.top, crop.width, crop.height],
        steps: steps.map(|op| (op.name.to_owned(), op.value)).collect(),
    })
}
