//! Dataset report as a page: which numbers and images it shows.

use std::path::Path;

use mochi_data::survey::{self, Bin, Survey, sample};
use mochi_data::{Dataset, Thumbnail, Thumbnailer, display_source};
use mochi_report::{BadFile, Bars, DataPage, Duplicates, Encoding, Group, Image, Issue, Section, Severity};
use mochi_run::Progress;

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
pub fn page(data: &Path, dataset: &Dataset, survey: &Survey, progress: &Progress) -> DataPage {
    let sections =
        sample(dataset, &|image| survey.bad.list.binary_search_by_key(&image, |bad| bad.index).is_err(), IMAGES);
    let wanted: usize = sections.iter().map(|section| section.images.len()).sum();
    let copies = &survey.duplicates;
    let shown =
        |groups: &[survey::Group]| groups.iter().take(GROUPS).map(|g| g.images.len().min(MEMBERS)).sum::<usize>();
    let total = wanted + shown(&copies.exact) + shown(&copies.near);
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
    let mut section = |title: &str, meaning: String, groups: &[survey::Group]| Duplicates {
        title: format!("{title}: {}", groups.len()),
        meaning,
        groups: groups.iter().take(GROUPS).map(|group| drawn(group, &mut load)).collect(),
        more: groups.len().saturating_sub(GROUPS),
    };
    let exact = "Identical pixels; the files may differ.".to_owned();
    let near = format!(
        "Perceptual hashes that differ in at most {} of {} bits from that of the group's first image: re-encoded, resized, or nearly the same scene.",
        copies.near_bits, copies.of_bits
    );
    let duplicates =
        vec![section("Exact duplicates", exact, &copies.exact), section("Near duplicates", near, &copies.near)];
    task.finish();

    let name = std::path::absolute(display_source(data))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let bad = &survey.bad.list;
    DataPage {
        name: name.unwrap_or_else(|| display_source(data)),
        summary: format!("{}: {}, {} images", display_source(data), survey.kind, survey.images),
        issues: survey.findings.iter().map(issue).collect(),
        facts: rows(survey).into_iter().map(|(term, value)| (capital(term), value)).collect(),
        bars: bars(survey),
        more_sections: survey.classes.as_ref().map_or(0, |classes| classes.count.saturating_sub(sheet.len())),
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

fn drawn(group: &survey::Group, load: &mut impl FnMut(usize) -> Option<Image>) -> Group {
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

fn issue(finding: &survey::Finding) -> Issue {
    let severity = match finding.weight {
        survey::Weight::Breaks => Severity::Error,
        survey::Weight::Doubtful => Severity::Warning,
        survey::Weight::Note => Severity::Note,
    };
    Issue { severity, message: finding.what.clone(), hint: finding.hint.clone() }
}

fn bars(survey: &Survey) -> Vec<Bars> {
    let histogram = |title: &str, bins: &[Bin]| Bars {
        title: title.to_owned(),
        bars: bins.iter().map(|bin| (bin.label.clone(), bin.count)).collect(),
    };
    let mut all = Vec::new();
    if let Some(sizes) = &survey.sizes {
        all.push(histogram("Shorter side, pixels", &sizes.short_sides));
        all.push(histogram("Aspect ratio, width : height", &sizes.shapes));
    }
    if let Some(classes) = &survey.classes {
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
    if !survey.bad.by_reason.is_empty() {
        let reasons = survey.bad.by_reason.iter().map(|(reason, count)| (reason.to_string(), *count));
        all.push(Bars { title: "Bad images by reason".into(), bars: reasons.collect() });
    }
    all
}

fn capital(term: &str) -> String {
    let mut letters = term.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
