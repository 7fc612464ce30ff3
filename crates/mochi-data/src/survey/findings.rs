//! What the numbers mean for a run: sentences with the next step, from those that would stop it to those that are good to know.

use serde::Serialize;

use super::Survey;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A run would stop.
    Breaks,
    /// A run would go on and be the worse for it.
    Doubtful,
    /// Good to know.
    Note,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// One sentence.
    pub what: String,
    /// The next step.
    pub hint: String,
}

/// Share of exact copies above which they are more than a curiosity.
const MANY_COPIES: f64 = 0.001;
/// Times that the largest class may hold the smallest.
const UNEVEN: u64 = 10;
/// Pixels of an image above which decoding, not augmenting, sets the pace: two megapixels.
const LARGE: u64 = 2_000_000;

/// All that is to be said, the heaviest first.
pub(super) fn judge(survey: &Survey) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut say = |weight, what: String, hint: &str| all.push(Finding { weight, what, hint: hint.to_owned() });
    let of = |part: usize| format!("{part} of {}", survey.readable);
    let bad = &survey.bad;
    if survey.readable == 0 {
        let what = format!("none of the {} images can be read", survey.images);
        say(Weight::Breaks, what, "see the reasons in the list of bad images");
    } else if bad.count > bad.allowed {
        let what = format!(
            "{} of {} images are bad ({:.1} %); a run stops above {:.1} %",
            bad.count,
            survey.images,
            bad.share * 100.0,
            bad.limit * 100.0
        );
        say(Weight::Breaks, what, "mend or remove them, or raise data.max_bad_fraction if so many may be left out");
    } else if bad.count > 0 {
        let what = format!("{} of {} images are bad and are left out", bad.count, survey.images);
        say(Weight::Note, what, "another image takes the place of each; remove them to save the tries");
    }
    let skipped = survey.skipped.warning();
    if let Some(skipped) = &skipped {
        let hint = "convert them to JPEG, PNG or WebP if they belong to the dataset";
        say(Weight::Doubtful, skipped.clone(), hint);
    }
    for warning in survey.warnings.iter().filter(|warning| Some(*warning) != skipped.as_ref()) {
        say(Weight::Doubtful, warning.clone(), "what lies there is not in the data set; check permissions and links");
    }
    let twice = &survey.duplicates;
    if twice.redundant_exact > 0 {
        let much = twice.redundant_exact as f64 > MANY_COPIES * survey.readable as f64;
        let weight = if much { Weight::Doubtful } else { Weight::Note };
        let what = format!("{} images are copies of another, pixel for pixel", of(twice.redundant_exact));
        say(weight, what, "keep one of each: a picture's copy in the queue is pushed away as its negative");
    }
    if twice.redundant_near > 0 {
        let what =
            format!("{} images look like copies of another (re-encoded, resized, bursts)", of(twice.redundant_near));
        say(Weight::Note, what, "look through the groups; a few among many images do no harm");
    }
    let crossing = twice.exact.iter().chain(&twice.near).filter(|group| group.across_classes).count();
    if crossing > 0 {
        let what = match crossing {
            1 => "a group of copies lies across classes".to_owned(),
            n => format!("{n} groups of copies lie across classes"),
        };
        say(
            Weight::Doubtful,
            what,
            "if it is the same picture, one of its labels is wrong: mend it before judging an encoder on them",
        );
    }
    if let Some(sizes) = &survey.sizes {
        if sizes.smaller_than_view > 0 {
            let what = format!("{} images are smaller than a view of {} px", of(sizes.smaller_than_view), sizes.view);
            let most = sizes.smaller_than_view * 2 > survey.readable;
            let weight = if most { Weight::Doubtful } else { Weight::Note };
            say(weight, what, "their views are enlarged and cost as much as sharp ones; a smaller data.size is faster");
        }
        if sizes.pixels.median > LARGE {
            let what =
                format!("the images are large (half of them above {:.1} megapixels)", sizes.pixels.median as f64 / 1e6);
            say(Weight::Note, what, "decoding sets the pace: shrink copies for training, or set data.fast_decode=true");
        }
    }
    if survey.grey_pictures == survey.readable && survey.readable > 0 {
        let hint = "data.augment=gray leaves out the colour changes that mean nothing here";
        say(Weight::Note, "all images are grey".to_owned(), hint);
    }
    if survey.turned > 0 {
        let what = format!("{} images ask in EXIF to be turned, and training does not turn them", of(survey.turned));
        say(Weight::Note, what, "turn the files themselves if upright matters");
    }
    let alpha: usize = survey.colours.iter().filter(|(colour, _)| colour.has_alpha()).map(|(_, count)| count).sum();
    if alpha > 0 {
        let what = format!("{} images have an alpha channel, which is dropped", of(alpha));
        say(
            Weight::Note,
            what,
            "what lies under transparent pixels becomes visible: flatten them if that is not wanted",
        );
    }
    if let Some(classes) = &survey.classes
        && classes.images.max > UNEVEN * classes.images.min
    {
        let what = format!("the largest class has {} images, the smallest {}", classes.images.max, classes.images.min);
        say(Weight::Note, what, "pre-training does not mind; a judgement by classes counts the large ones more");
    }
    all.sort_by_key(|finding| finding.weight);
    all
}
