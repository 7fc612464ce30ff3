//! How long a run trains: `time` and `epochs`, of which one follows from the other, and the view size that the time allows.

use std::time::Duration;

use mochi_text::counted;

use super::pick::OF_WEIGHTS;
use super::rules::{self, Length};
use crate::auto::Auto;
use crate::choice::Augment;
use crate::error::{ConfigError, Problem};
use crate::facts::{Facts, Speed, StartNetwork};
use crate::origin::Origin;
use crate::pretraining::PRETRAINING;
use crate::settings::Settings;
use crate::time::TimeBudget;

/// View sizes that `data.size = "auto"` chooses from, in pixels.
const VIEW_SIZES: [u32; 8] = [32, 48, 64, 96, 128, 160, 192, 224];

/// Views (images x epochs x views of an image) per pixel of a view, below which a larger view size is not worth its time. At equal compute 90,000
/// views of 48 pixels (40 per pixel) had the better linear probe than 208,000 of 32, and the same k-NN (docs/results/recipes). That the number grows
/// with the area shares additional time between larger views and more of them.
const VIEWS_PER_PIXEL: f64 = 32.0;

/// Views that a view size is worth.
fn enough(size: u32) -> f64 {
    VIEWS_PER_PIXEL * f64::from(size) * f64::from(size)
}

impl Settings {
    /// Whether `time` and `epochs` contradict each other, which is known before any image is read.
    ///
    /// # Errors
    /// Both in the same layer of settings.
    pub fn check_length(&self) -> Result<(), ConfigError> {
        ConfigError::unless_empty(&PRETRAINING, written(self).err().into_iter().collect())
    }

    /// View sizes whose speed the automatic values need to know, rising; none if `time` and `epochs` leave nothing to compute.
    pub fn sizes_to_measure(&self, short_side: Option<u32>) -> Vec<u32> {
        match (written(self), self.data.size) {
            (Ok((Auto::Set(TimeBudget::None), _) | (_, Auto::Set(_))) | Err(_), _) => Vec::new(),
            (_, Auto::Set(size)) => vec![size],
            (_, Auto::Auto) => view_sizes(short_side),
        }
    }

    /// The same settings with a written view size.
    #[must_use]
    pub fn at_size(&self, size: u32) -> Settings {
        let mut settings = self.clone();
        settings.data.size = Auto::Set(size);
        settings
    }

    /// Replaces an automatic view size by that of the weights that the run starts from, if it is known.
    pub fn take_size_of(&mut self, start: &StartNetwork) {
        if let (Auto::Auto, Some(size)) = (self.data.size, start.size) {
            self.data.size = Auto::Set(size);
            self.origins.insert("data.size", Origin::Auto(OF_WEIGHTS.to_owned()));
        }
    }

    /// The same settings with so many seconds of training.
    #[must_use]
    pub fn with_time(&self, seconds: f64) -> Settings {
        let mut settings = self.clone();
        settings.time = Auto::Set(TimeBudget::of_seconds(seconds));
        settings.origins.insert("time", Origin::CommandLine);
        settings
    }

    /// Whether a size is small enough to be chosen after the speeds of `facts` were measured, by its area.
    pub fn worth_measuring(&self, size: u32, facts: &Facts) -> bool {
        let most = |last: &Speed| views(self.time, self.data.views, &last.scaled(size), facts);
        facts.speeds.last().is_none_or(|last| most(last) >= 0.8 * enough(size))
    }

    /// The augmentation pipeline: the written one, or that of `"auto"`.
    pub fn augmentation(&self, grayscale: bool) -> Augment {
        self.data.augment.written().unwrap_or_else(|| rules::augment(grayscale).0)
    }

    /// The view size: the written one, or that of `"auto"` where no speed was measured.
    pub fn view_size(&self, short_side: Option<u32>) -> u32 {
        let facts = Facts { short_side, ..Facts::default() };
        self.data.size.written().unwrap_or_else(|| size(self.time, self.data.views, &facts).0)
    }
}

/// `time` and `epochs` as they count. A time limit leaves the epochs open, and epochs leave the time open: the later layer wins, and within a layer
/// of the user both together contradict each other. A run's `config.toml` has both: the limit, and the epochs that it was expected to allow.
pub(super) fn written(settings: &Settings) -> Result<(Auto<TimeBudget>, Auto<f64>), Problem> {
    let (time, epochs) = (settings.time, settings.epochs);
    let layer = |key| match settings.origins.get(key) {
        Some(Origin::CommandLine | Origin::Plan(..)) => 2,
        Some(Origin::File(_)) => 1,
        _ => 0,
    };
    let (of_time, of_epochs) = (layer("time"), layer("epochs"));
    Ok(match (time, epochs) {
        (Auto::Auto, Auto::Set(epochs)) => (Auto::Set(TimeBudget::None), Auto::Set(epochs)),
        (Auto::Set(TimeBudget::Limit(limit)), Auto::Set(epochs)) => {
            let limit = Auto::Set(TimeBudget::Limit(limit));
            match of_time.cmp(&of_epochs) {
                std::cmp::Ordering::Greater => (limit, Auto::Auto),
                std::cmp::Ordering::Less => (Auto::Set(TimeBudget::None), Auto::Set(epochs)),
                std::cmp::Ordering::Equal if settings.of_run || of_time == 0 => (limit, Auto::Set(epochs)),
                std::cmp::Ordering::Equal => {
                    return Err(Problem::Conflict {
                        message: format!(
                            "`time` and `epochs` are both given, and each decides how long the run trains (`epochs` is {epochs})"
                        ),
                        hint: "leave one of them out".to_owned(),
                    });
                }
            }
        }
        both => both,
    })
}

/// View size where no speed was measured and the images are not smaller, in pixels.
const UNMEASURED: u32 = 128;

/// Sizes whose speed is worth measuring: those of [`VIEW_SIZES`] up to the short side of the images, and smaller images at their own size.
fn view_sizes(short_side: Option<u32>) -> Vec<u32> {
    let side = short_side.unwrap_or(u32::MAX);
    let mut sizes: Vec<u32> = VIEW_SIZES.into_iter().filter(|&size| size <= side).collect();
    if sizes.is_empty() {
        sizes.push(side.max(8));
    }
    sizes
}

/// The largest measured size at which the time allows enough views, otherwise the smallest. If nothing was measured, the images' shorter side, at most 128.
pub(super) fn size(time: Auto<TimeBudget>, views_per_image: usize, facts: &Facts) -> (u32, String) {
    let Some(smallest) = facts.speeds.first() else {
        let side = facts.short_side.unwrap_or(UNMEASURED).clamp(8, UNMEASURED);
        return (side, format!("the images' shorter side, at most {UNMEASURED}; no speed was measured"));
    };
    if time == Auto::Set(TimeBudget::None) {
        return (smallest.size, "no time limit".to_owned());
    }
    let largest =
        facts.speeds.iter().rev().find(|speed| views(time, views_per_image, speed, facts) >= enough(speed.size));
    match largest {
        Some(speed) if speed.size == facts.short_side.unwrap_or(0) => (speed.size, "the size of the images".to_owned()),
        Some(speed) => {
            let needed = counted(rules::three_digits(enough(speed.size)), "view");
            (speed.size, format!("the largest size at which the time allows {needed}"))
        }
        None => (
            smallest.size,
            format!(
                "the smallest size: the time allows {}",
                counted(rules::three_digits(views(time, views_per_image, smallest, facts)), "view")
            ),
        ),
    }
}

/// How long a run of so many images will train.
pub(super) fn length(time: Auto<TimeBudget>, epochs: Auto<f64>, views_per_epoch: usize, facts: &Facts) -> Length {
    match (time, epochs) {
        (Auto::Set(TimeBudget::Limit(limit)), _) => Length::Time(limit),
        (_, Auto::Set(epochs)) => Length::Views(epochs * views_per_epoch as f64),
        (Auto::Set(TimeBudget::None), Auto::Auto) => Length::Open,
        (Auto::Auto, Auto::Auto) => Length::Time(longest(facts)),
    }
}

/// Views that the time allows at this speed.
fn views(time: Auto<TimeBudget>, per_image: usize, speed: &Speed, facts: &Facts) -> f64 {
    let limit = match time {
        Auto::Set(time) => time.limit(),
        Auto::Auto => Some(longest(facts)),
    };
    limit.map_or(f64::INFINITY, |limit| speed.images_in(limit.as_secs_f64(), facts.images) * per_image as f64)
}

/// Shortest time that a run gets if neither `time` nor `epochs` is given.
const SHORTEST_AUTO: Duration = Duration::from_secs(1200);
/// Longest such time.
const LONGEST_AUTO: Duration = Duration::from_secs(3600);

/// Longest time that a run of these settings gets if neither `time` nor `epochs` is given: on a CPU at most the core-hours for which the backbone of short runs is
/// the better one, so that many cores end sooner.
fn longest(facts: &Facts) -> Duration {
    if !facts.gpus.is_empty() {
        return LONGEST_AUTO;
    }
    let short = Duration::from_secs_f64(rules::SHORT_HOURS * 3600.0 / facts.cores.max(1) as f64);
    short.clamp(SHORTEST_AUTO, LONGEST_AUTO)
}

/// The time in which this machine makes as many views of this size as it is worth, in whole minutes; if no speed was measured, the epochs decide.
pub(super) fn time(facts: &Facts, size: u32, views_per_image: usize) -> (TimeBudget, String) {
    let Some(speed) = facts.speeds.iter().find(|speed| speed.size == size) else {
        return (TimeBudget::None, "no speed was measured".to_owned());
    };
    let (shortest, longest) = (SHORTEST_AUTO, longest(facts));
    let minutes = (enough(size) / views_per_image as f64 / speed.images_per_s / 60.0).ceil();
    let time = Duration::try_from_secs_f64(60.0 * minutes).unwrap_or(longest).clamp(shortest, longest);
    let range = match shortest == longest {
        true => format!("{} on {}", TimeBudget::Limit(longest), counted(facts.cores, "core")),
        false => format!("from {} to {}", TimeBudget::Limit(shortest), TimeBudget::Limit(longest)),
    };
    let needed = counted(rules::three_digits(enough(size)), "view");
    (TimeBudget::Limit(time), format!("no time is given: {needed} of {size} px, {range}"))
}

/// Most epochs that settings can hold.
const MOST_EPOCHS: f64 = 1e6;

/// Epochs that a time limit allows at the measured speed.
pub(super) fn epochs(time: TimeBudget, size: u32, facts: &Facts) -> Option<(f64, String)> {
    let seconds = time.limit()?.as_secs_f64();
    let speed = facts.speeds.iter().find(|speed| speed.size == size)?;
    let epochs = speed.images_in(seconds, facts.images) / facts.images.max(1) as f64;
    let decoding = match speed.first_s * facts.images as f64 {
        first if first >= 0.05 * seconds => format!(" after {first:.0} s of decoding"),
        _ => String::new(),
    };
    let reason = format!("{time} at {:.0} images/s{decoding}, {} images", speed.images_per_s, facts.images);
    // More digits are not known.
    Some((rules::three_digits(epochs).clamp(1e-3, MOST_EPOCHS), reason))
}

/// Longest time between checkpoints: with several views of each image an epoch can be most of a run.
const BETWEEN_CHECKPOINTS: f64 = 300.0;
/// Shortest time between them: an epoch of few images is a step or two.
const LEAST_BETWEEN_CHECKPOINTS: f64 = 30.0;
/// Fewest steps between them if no speed was measured.
const LEAST_STEPS: u64 = 20;

/// Fewest steps between them, however short the run is.
const FEWEST_STEPS: u64 = 10;

/// The steps of an epoch, if they take from half a minute to 5 minutes at the measured speed; at most what leaves the checkpoints that are kept over the
/// `planned` steps, [`rules::KEPT`].
pub(super) fn checkpoint_steps(planned: u64, epoch: u64, batch: usize, size: u32, facts: &Facts) -> (u64, String) {
    let (steps, reason) = checkpoint_steps_of_long_runs(epoch, batch, size, facts);
    let part = (planned / rules::KEPT).max(FEWEST_STEPS);
    match steps > part {
        true => (part, format!("{} checkpoints over {}", rules::KEPT, counted(planned, "step"))),
        false => (steps, reason),
    }
}

fn checkpoint_steps_of_long_runs(epoch: u64, batch: usize, size: u32, facts: &Facts) -> (u64, String) {
    let Some(speed) = facts.speeds.iter().find(|speed| speed.size == size) else {
        return match epoch < LEAST_STEPS {
            true => (LEAST_STEPS, format!("at least {LEAST_STEPS}")),
            false => (epoch, "steps of one epoch".to_owned()),
        };
    };
    let steps = |seconds: f64| (seconds * speed.images_per_s / batch.max(1) as f64).max(1.0) as u64;
    let (least, most) = (steps(LEAST_BETWEEN_CHECKPOINTS), steps(BETWEEN_CHECKPOINTS));
    match epoch {
        _ if epoch < least => (least, "steps of half a minute".to_owned()),
        _ if epoch > most => (most, "steps of 5 minutes".to_owned()),
        _ => (epoch, "steps of one epoch".to_owned()),
    }
}
