//! Issues of a dataset: sentences with the next step, from errors to notes.

use mochi_text::{counted, counted_with, part_of};
use serde::Serialize;

use super::DatasetReport;
use crate::error::none_readable;

/// Severity of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A run fails.
    Error,
    /// A run may give worse results.
    Warning,
    /// Information.
    Note,
}

/// Issue of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Severity.
    pub severity: Severity,
    /// One sentence that states the issue.
    pub message: String,
    /// The next step.
    pub hint: String,
}

/// Fraction of exact duplicates above which they are a warning.
const MANY_DUPLICATES: f64 = 0.001;
/// Ratio of the largest class to the smallest above which the classes are imbalanced.
const IMBALANCE: u64 = 10;
/// Median number of pixels (two megapixels) above which decoding takes longer than augmentation.
const LARGE: u64 = 2_000_000;

/// All issues, the most severe first.
pub(super) fn find(report: &DatasetReport) -> Vec<Issue> {
    let mut all = Vec::new();
    let mut add = |severity, message: String, hint: &str| all.push(Issue { severity, message, hint: hint.to_owned() });
    let of = |part: usize, verbs| part_of(part, report.readable, "image", verbs);
    let bad = &report.bad;
    if report.readable == 0 {
        let message = none_readable(report.images);
        add(Severity::Error, message, "see the reasons in the list of bad images");
    } else if bad.count > bad.allowed {
        let message = format!(
            "{} ({:.1} %); a run fails above {:.1} %",
            part_of(bad.count, report.images, "image", ["is bad", "are bad"]),
            bad.fraction * 100.0,
            bad.limit * 100.0
        );
        add(Severity::Error, message, "repair or remove them, or raise data.max_bad_fraction to tolerate them");
    } else if bad.count > 0 {
        let message = part_of(bad.count, report.images, "image", ["is bad", "are bad"]);
        add(Severity::Note, message, "a run replaces each of them by another image; remove them to avoid failed reads");
    }
    let skipped = report.skipped.warning();
    if let Some(skipped) = &skipped {
        let hint = "convert them to JPEG, PNG or WebP if they belong to the dataset";
        add(Severity::Warning, skipped.clone(), hint);
    }
    for warning in report.warnings.iter().filter(|warning| Some(*warning) != skipped.as_ref()) {
        add(
            Severity::Warning,
            warning.clone(),
            "check permissions and links; the dataset does not contain these files",
        );
    }
    let duplicates = &report.duplicates;
    if duplicates.redundant_exact > 0 {
        let many = duplicates.redundant_exact as f64 > MANY_DUPLICATES * report.readable as f64;
        let severity = if many { Severity::Warning } else { Severity::Note };
        let message = {
            let verbs = ["is an exact duplicate", "are exact duplicates"];
            format!("{} of another image", of(duplicates.redundant_exact, verbs))
        };
        add(severity, message, "remove duplicates: a copy of the query's image in the queue acts as a false negative");
    }
    if duplicates.redundant_near > 0 {
        let message = format!(
            "{} of another image (re-encoded, resized, or taken in a burst)",
            of(duplicates.redundant_near, ["is a near duplicate", "are near duplicates"])
        );
        add(Severity::Note, message, "look at the groups on the page of --out; a small fraction is harmless");
    }
    let crossing = duplicates.exact.iter().chain(&duplicates.near).filter(|group| group.across_classes).count();
    if crossing > 0 {
        let groups = counted_with(crossing, "group", ["of duplicates has", "of duplicates have"]);
        let message = format!("{groups} images in different classes");
        add(
            Severity::Warning,
            message,
            "correct the labels before you evaluate an encoder: if the images are the same, one label is wrong",
        );
    }
    if let Some(sizes) = &report.sizes {
        if sizes.smaller_than_view > 0 {
            let message =
                format!("{} smaller than a view of {} px", of(sizes.smaller_than_view, ["is", "are"]), sizes.view);
            let most = sizes.smaller_than_view * 2 > report.readable;
            let severity = if most { Severity::Warning } else { Severity::Note };
            add(
                severity,
                message,
                "lower data.size for speed: views of small images are enlarged, which adds no detail",
            );
        }
        if sizes.pixels.median > LARGE {
            let message =
                format!("the images are large: half of them exceed {:.1} megapixels", sizes.pixels.median as f64 / 1e6);
            add(
                Severity::Note,
                message,
                "decode them once with data.cache=true, as the preset small does, or faster with data.fast_decode=true",
            );
        }
    }
    if report.grayscale_images == report.readable && report.readable > 0 {
        let hint = "set data.augment=gray, which has no color operations";
        add(Severity::Note, "all images are grayscale".to_owned(), hint);
    }
    if report.exif_rotated > 0 {
        let message =
            format!("{} an EXIF orientation, which training ignores", of(report.exif_rotated, ["has", "have"]));
        add(Severity::Note, message, "rotate the files if orientation matters");
    }
    let alpha = report.color_types.iter().filter(|(color_type, _)| color_type.has_alpha());
    let alpha: usize = alpha.map(|(_, count)| count).sum();
    if alpha > 0 {
        let message = format!("{} an alpha channel, which is dropped", of(alpha, ["has", "have"]));
        add(Severity::Note, message, "flatten them if the colors of transparent pixels are not meant to be visible");
    }
    if let Some(classes) = &report.classes
        && classes.images.max > IMBALANCE * classes.images.min
    {
        let message = format!(
            "the largest class has {}, the smallest has {}",
            counted(classes.images.max, "image"),
            classes.images.min
        );
        add(
            Severity::Note,
            message,
            "pre-training does not use classes; in an evaluation, large classes have more weight",
        );
    }
    all.sort_by_key(|issue| issue.severity);
    all
}
