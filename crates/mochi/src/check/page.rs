//! Dataset report as a page: which numbers and images it shows.

use std::path::Path;

use mochi_data::dataset_report::{self, Bin, DatasetReport, sample};
use mochi_data::{Dataset, Thumbnail, Thumbnailer, display_source};
use mochi_report::{BadFile, Bars, DataPage, Duplicates, Encoding, Group, Image, Issue, Section, Severity};
use mochi_term::Progress;
use mochi_text::counted;

use super::table::rows;

/// Longest side of a thumbnail in pixels: twice its size on the page, for high-density screens.
const SIDE: u32 = 192;
/// Images on the contact sheet, at most.
const IMAGES: usize = 240;
/// Groups of duplicates, and of near duplicates, at most.
const GROUPS: usize = 60;
/// Images per group, at most.
const MEMBERS: usize = 8;
/// Bad files, at most.
const BAD: usize = 500;
/// Number of classes up to which all are shown; of more, the smallest and the largest.
const CLASSES: usize = 60;

/// The page of a dataset report, with thumbnails.
pub fn page(data: &Path, dataset: &Dataset, report: &DatasetReport, progress: &Progress) -> DataPage {
    let sections =
        sample(dataset, &|image| report.bad.list.binary_search_by_key(&image, |bad| bad.index).is_err(), IMAGES);
    let wanted: usize = sections.iter().map(|section| section.images.len()).sum();
    let duplicates = &report.duplicates;
    let shown = |groups: &[dataset_report::Group]| {
        groups.iter().take(GROUPS).map(|g| g.images.len().min(MEMBERS)).sum::<usize>()
    };
    let total = wanted + shown(&duplicates.exact) + shown(&duplicates.near);
    let mut maker = Thumbnailer::default();
    let mut task = progress.task("thumbnails", total as u64);
    let mut load = |image: usize| {
        task.advance(1);
        // A file that has become unreadable since has no thumbnail.
        let Thumbnail { jpeg, width, height, .. } = maker.make(dataset, image, SIDE).ok()?;
        Some(Image { bytes: jpeg, encoding: Encoding::Jpeg, width, height, name: dataset.name_of(image) })
    };
    let sheet: Vec<Section> = sections
        .iter()
        .map(|section| Section {
            title: section.class.clone().unwrap_or_default(),
            of: section.of,
            images: section.images.iter().filter_map(|&image| load(image)).collect(),
        })
        .collect();
    let mut section = |title: &str, meaning: String, groups: &[dataset_report::Group]| Duplicates {
        title: format!("{title}: {}", groups.len()),
        meaning,
        groups: groups.iter().take(GROUPS).map(|group| drawn(group, &mut load)).collect(),
        more: groups.len().saturating_sub(GROUPS),
    };
    let exact = "Identical pixels; the files may differ.".to_owned();
    let near = format!(
        "Perceptual hashes that differ in at most {} of {} bits from that of the group's first image: re-encoded, resized, or nearly the same scene.",
        duplicates.near_bits, duplicates.hash_bits
    );
    let duplicates =
        vec![section("Exact duplicates", exact, &duplicates.exact), section("Near duplicates", near, &duplicates.near)];
    task.finish();

    let name = std::path::absolute(display_source(data))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let bad = &report.bad.list;
    DataPage {
        name: name.unwrap_or_else(|| display_source(data)),
        summary: format!("{}: {}, {}", display_source(data), report.kind, counted(report.images, "image")),
        issues: report.issues.iter().map(issue).collect(),
        facts: rows(report).into_iter().map(|(term, value)| (capital(term), value)).collect(),
        bars: bars(report),
        more_sections: report.classes.as_ref().map_or(0, |classes| classes.count.saturating_sub(sheet.len())),
        sheet,
        duplicates,
        bad: bad
            .iter()
            .take(BAD)
            .map(|image| BadFile {
                name: image.name.clone(),
                reason: image.reason.to_string(),
                detail: image.detail.clone(),
            })
            .collect(),
        more_bad: bad.len().saturating_sub(BAD),
    }
}

fn drawn(group: &dataset_report::Group, load: &mut impl FnMut(usize) -> Option<Image>) -> Group {
    let mut notes = Vec::new();
    if group.same_bytes {
        notes.push("identical files");
    }
    if group.across_classes {
        notes.push("in different classes");
    }
    Group {
        note: notes.join(", "),
        images: group.images.iter().take(MEMBERS).filter_map(|&image| load(image)).collect(),
        more: group.images.len().saturating_sub(MEMBERS),
    }
}

fn issue(issue: &dataset_report::Issue) -> Issue {
    let severity = match issue.severity {
        dataset_report::Severity::Error => Severity::Error,
        dataset_report::Severity::Warning => Severity::Warning,
        dataset_report::Severity::Note => Severity::Note,
    };
    Issue { severity, message: issue.message.clone(), hint: issue.hint.clone() }
}

fn bars(report: &DatasetReport) -> Vec<Bars> {
    let histogram = |title: &str, bins: &[Bin]| Bars {
        title: title.to_owned(),
        bars: bins.iter().map(|bin| (bin.label.clone(), bin.count)).collect(),
    };
    let mut all = Vec::new();
    if let Some(sizes) = &report.sizes {
        all.push(histogram("Shorter side, pixels", &sizes.short_sides));
        all.push(histogram("Aspect ratio, width : height", &sizes.aspect_ratios));
    }
    if let Some(classes) = &report.classes {
        let mut list: Vec<(String, usize)> =
            classes.list.iter().map(|class| (class.name.clone(), class.images - class.bad)).collect();
        if list.len() <= CLASSES {
            all.push(Bars { title: "Images per class".into(), bars: list });
        } else {
            list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            let smallest = list.split_off(list.len() - CLASSES / 2);
            list.truncate(CLASSES / 2);
            all.push(Bars { title: "Images of the largest classes".into(), bars: list });
            all.push(Bars { title: "Images of the smallest classes".into(), bars: smallest });
        }
    }
    if !report.bad.by_reason.is_empty() {
        let reasons = report.bad.by_reason.iter().map(|(reason, count)| (reason.to_string(), *count));
        all.push(Bars { title: "Bad images by reason".into(), bars: reasons.collect() });
    }
    all
}

fn capital(term: &str) -> String {
    let mut letters = term.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
