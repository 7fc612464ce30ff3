//! A survey as the report's page: which numbers stand where, and which pictures are shown.

use std::path::Path;

use mochi_data::survey::{self, Bin, Survey, sample};
use mochi_data::{Dataset, Thumbnail, Thumbnailer, display_source};
use mochi_report::{BadFile, Bars, Copies, DataPage, Encoding, Group, Picture, Remark, Section, Weight};
use mochi_run::Progress;

use super::table::rows;

/// Longest side of a thumbnail: twice what the page shows, for sharp screens.
const SIDE: u32 = 192;
/// Pictures on the contact sheet, at most.
const PICTURES: usize = 240;
/// Groups of each kind of copies.
const GROUPS: usize = 60;
/// Pictures of a group.
const MEMBERS: usize = 8;
/// Bad files.
const BAD: usize = 500;
/// Classes that are all shown; of more, the smallest and the largest.
const CLASSES: usize = 60;

/// The page of a survey; its thumbnails are made here.
pub fn page(data: &Path, dataset: &Dataset, survey: &Survey, progress: &Progress) -> DataPage {
    let sections =
        sample(dataset, &|image| survey.bad.list.binary_search_by_key(&image, |bad| bad.index).is_err(), PICTURES);
    let wanted: usize = sections.iter().map(|section| section.images.len()).sum();
    let copies = &survey.duplicates;
    let shown =
        |groups: &[survey::Group]| groups.iter().take(GROUPS).map(|g| g.images.len().min(MEMBERS)).sum::<usize>();
    let total = wanted + shown(&copies.exact) + shown(&copies.near);
    let mut maker = Thumbnailer::default();
    let mut task = progress.task("thumbnails", total as u64);
    let mut picture = |image: usize| {
        task.advance(1);
        // A file that has gone bad since: its place stays empty.
        let Thumbnail { jpeg, width, height, .. } = maker.make(dataset, image, SIDE).ok()?;
        Some(Picture { bytes: jpeg, encoding: Encoding::Jpeg, width, height, name: dataset.name_of(image) })
    };
    let sheet: Vec<Section> = sections
        .iter()
        .map(|section| Section {
            title: section.class.clone().unwrap_or_default(),
            of: section.of,
            pictures: section.images.iter().filter_map(|&image| picture(image)).collect(),
        })
        .collect();
    let mut kind = |title: &str, meaning: String, groups: &[survey::Group]| Copies {
        title: format!("{title}: {}", groups.len()),
        meaning,
        groups: groups.iter().take(GROUPS).map(|group| drawn(group, &mut picture)).collect(),
        more: groups.len().saturating_sub(GROUPS),
    };
    let exact = "The same pixels; the files need not be the same.".to_owned();
    let near = format!(
        "Fingerprints at most {} of {} bits from that of the group's first picture: re-encoded, resized, or nearly the same scene.",
        copies.near_bits, copies.of_bits
    );
    let copies =
        vec![kind("Groups of equal pictures", exact, &copies.exact), kind("Groups of look-alikes", near, &copies.near)];
    task.finish();

    let name = std::path::absolute(display_source(data))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let bad = &survey.bad.list;
    DataPage {
        name: name.unwrap_or_else(|| display_source(data)),
        summary: format!("{}: {}, {} images", display_source(data), survey.kind, survey.images),
        remarks: survey.findings.iter().map(remark).collect(),
        facts: rows(survey).into_iter().map(|(term, value)| (capital(term), value)).collect(),
        bars: bars(survey),
        more_sections: survey.classes.as_ref().map_or(0, |classes| classes.count.saturating_sub(sheet.len())),
        sheet,
        copies,
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

fn drawn(group: &survey::Group, picture: &mut impl FnMut(usize) -> Option<Picture>) -> Group {
    let mut notes = Vec::new();
    if group.same_bytes {
        notes.push("the same bytes");
    }
    if group.across_classes {
        notes.push("in different classes");
    }
    Group {
        note: notes.join(", "),
        pictures: group.images.iter().take(MEMBERS).filter_map(|&image| picture(image)).collect(),
        more: group.images.len().saturating_sub(MEMBERS),
    }
}

fn remark(finding: &survey::Finding) -> Remark {
    let weight = match finding.weight {
        survey::Weight::Breaks => Weight::Breaks,
        survey::Weight::Doubtful => Weight::Doubtful,
        survey::Weight::Note => Weight::Note,
    };
    Remark { weight, what: finding.what.clone(), hint: finding.hint.clone() }
}

fn bars(survey: &Survey) -> Vec<Bars> {
    let histogram = |title: &str, bins: &[Bin]| Bars {
        title: title.to_owned(),
        bars: bins.iter().map(|bin| (bin.label.clone(), bin.count)).collect(),
    };
    let mut all = Vec::new();
    if let Some(sizes) = &survey.sizes {
        all.push(histogram("Shorter side, pixels", &sizes.short_sides));
        all.push(histogram("Shape, width : height", &sizes.shapes));
    }
    if let Some(classes) = &survey.classes {
        let mut list: Vec<(String, usize)> =
            classes.list.iter().map(|class| (class.name.clone(), class.images - class.bad)).collect();
        if list.len() <= CLASSES {
            all.push(Bars { title: "Images of each class".into(), bars: list });
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
