//! What the evaluations during a run suggest, in one sentence. A rule of thumb, read from `metrics.jsonl`.
//!
//! The last evaluation is compared with the one before the last third of the run (the newest at or before 2/3 of the steps). The first rule that applies decides:
//!
//! | # | when | suggestion |
//! |---|---|---|
//! | 1 | spread of the embeddings below 0.1 | collapsed |
//! | 2 | labels: accuracy is two standard errors or more below that of an earlier evaluation | the earlier checkpoint was better |
//! | 3 | labels: accuracy has risen by a standard error or more | longer training |
//! | 4 | labels | longer training alone brings little |
//! | 5 | RankMe was more than 1.05 times as large | fewer dimensions: watch for collapse |
//! | 6 | RankMe is more than 1.05 times as large | longer training |
//! | 7 | neighbor stability of 0.8 or more | settled |
//! | 8 | otherwise | neighbors still change |
//!
//! Accuracy is that of the linear classifier, and its standard error sqrt(p (1 - p) / n) for n held-out images: 1.9 points for 50 % of 667 images, the default. The
//! thresholds are ours.

use crate::metric::online::{ONLINE_IMAGES, ONLINE_LINEAR, ONLINE_RANK_ME, ONLINE_SPREAD, ONLINE_STABILITY};
use crate::{Metric, Record};

/// Spread below which embeddings count as one point, as in `mochi analyze`.
pub const COLLAPSED: f64 = 0.1;
/// Fall and rise of an accuracy that count, in standard errors.
const FALL: f64 = 2.0;
const RISE: f64 = 1.0;
/// Ratio of RankMe that counts as a change.
const RANK_RATIO: f64 = 1.05;
/// Stability from which on the neighbors have settled.
const SETTLED: f64 = 0.8;

/// What the evaluations in the records of a run suggest; `None` for fewer than two.
pub fn suggestion(records: &[Record]) -> Option<String> {
    let of = |metric: &Metric| -> Vec<(u64, f64)> {
        let value = |record: &Record| Some((record.step, record.values.get(metric).filter(|value| value.is_finite())?));
        records.iter().filter_map(value).collect()
    };
    if let Some((_, spread)) = of(&ONLINE_SPREAD).last().filter(|(_, spread)| *spread < COLLAPSED) {
        return Some(format!(
            "the embeddings have collapsed (spread {spread:.2} of 1): train again with a lower learning rate or a longer warm-up"
        ));
    }
    let images = of(&ONLINE_IMAGES).last().map_or(0.0, |last| last.1);
    labeled(&of(&ONLINE_LINEAR), images)
        .or_else(|| label_free(&of(&ONLINE_RANK_ME), of(&ONLINE_STABILITY).last().map(|last| last.1)))
}

/// The last value and that before the last third of the steps.
fn ends(values: &[(u64, f64)]) -> Option<((u64, f64), f64)> {
    let &(step, last) = values.last()?;
    let before = values.iter().rev().find(|(at, _)| 3 * at <= 2 * step)?;
    Some((*before, last))
}

/// From accuracies on so many `images`.
fn labeled(accuracies: &[(u64, f64)], images: f64) -> Option<String> {
    let ((step, before), last) = ends(accuracies)?;
    let error = |p: f64| (p * (1.0 - p) / images.max(1.0)).sqrt();
    let percent = |value: f64| format!("{:.1} %", 100.0 * value);
    // Of equal ones the earlier.
    let (best_step, best) =
        accuracies.iter().rev().fold((0, 0.0), |best, &one| if one.1 >= best.1 { one } else { best });
    let (last_text, before_text) = (percent(last), percent(before));
    Some(if best - last >= FALL * error(best) && best > last {
        format!(
            "the linear classifier on held-out images was at its best at step {best_step} ({}) and is at {last_text} now: a shorter run, or a checkpoint of that time \
             (checkpoint.keep_every), is probably better",
            percent(best)
        )
    } else if last - before >= RISE * error(last) && last > before {
        format!(
            "the linear classifier on held-out images still rose, from {before_text} at step {step} to {last_text}: longer training will probably help"
        )
    } else {
        format!(
            "the linear classifier on held-out images hardly changed, from {before_text} at step {step} to {last_text}: longer training alone will probably bring little"
        )
    })
}

fn label_free(ranks: &[(u64, f64)], stability: Option<f64>) -> Option<String> {
    let ((step, before), last) = ends(ranks)?;
    let change = format!("from {before:.1} at step {step} to {last:.1}");
    let kept = |stability: f64| {
        format!("{:.0} % of the nearest neighbors are those of the evaluation before", 100.0 * stability)
    };
    Some(if last * RANK_RATIO < before {
        format!(
            "the effective rank of the features fell, {change}, which can be the beginning of a collapse: compare checkpoints on labeled images"
        )
    } else if last > before * RANK_RATIO {
        format!("the effective rank of the features still rose, {change}: longer training will probably help")
    } else {
        let stability = stability?;
        let meaning = match stability >= SETTLED {
            true => "the features have settled, as they do when training has converged or the learning rate is near 0",
            false => "the features still change, so longer training may help",
        };
        format!("the effective rank of the features hardly changed, {change}, and {}: {meaning}", kept(stability))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    /// Records at steps 10, 20, ...: one value of the metric each.
    fn records(metric: &'static Metric, values: &[f64]) -> Vec<Record> {
        let record = |(step, &value): (u64, &f64)| Record { step, values: Metrics::new().with(metric, value) };
        (1..).map(|at| 10 * at).zip(values).map(record).collect()
    }

    fn suggests(metric: &'static Metric, values: &[f64], part: &str) {
        let text = suggestion(&records(metric, values)).unwrap_or_default();
        assert!(text.contains(part), "{values:?}: {text}");
    }

    #[test]
    fn accuracies_are_compared_with_the_last_third_and_with_the_best() {
        // Of 2500 images the standard error of 50 % is 1 point.
        let suggests = |values: &[f64], part: &str| {
            let mut all = records(&ONLINE_LINEAR, values);
            all.iter_mut().for_each(|record| record.values.set(&ONLINE_IMAGES, 2500.0));
            let text = suggestion(&all).unwrap_or_default();
            assert!(text.contains(part), "{values:?}: {text}");
        };
        suggests(&[0.2, 0.5, 0.511], "from 50.0 % at step 20 to 51.1 %: longer training will");
        suggests(&[0.2, 0.3, 0.5, 0.5, 0.508, 0.509], "from 50.0 % at step 40 to 50.9 %: longer training alone");
        suggests(&[0.2, 0.52, 0.51, 0.49], "best at step 20 (52.0 %) and is at 49.0 % now");
        suggests(&[0.2, 0.508, 0.508, 0.49], "hardly changed");
        // The same fall on fewer images may be chance.
        let mut few = records(&ONLINE_LINEAR, &[0.2, 0.52, 0.51, 0.49]);
        few[0].values.set(&ONLINE_IMAGES, 200.0);
        assert!(suggestion(&few).unwrap().contains("hardly changed"));
        assert_eq!(suggestion(&records(&ONLINE_LINEAR, &[0.5])), None);
        assert_eq!(suggestion(&[]), None);
    }

    #[test]
    fn without_labels_the_rank_decides_then_the_neighbors() {
        suggests(&ONLINE_RANK_ME, &[5.0, 20.0, 21.1], "still rose, from 20.0 at step 20 to 21.1");
        suggests(&ONLINE_RANK_ME, &[5.0, 20.0, 18.9], "fell, from 20.0 at step 20 to 18.9");
        assert_eq!(suggestion(&records(&ONLINE_RANK_ME, &[5.0, 20.0, 20.5])), None, "neither, and no neighbors");
        for (stability, part) in [(0.8, "have settled"), (0.79, "still change")] {
            let mut all = records(&ONLINE_RANK_ME, &[5.0, 20.0, 20.5]);
            all[2].values.set(&ONLINE_STABILITY, stability);
            assert!(suggestion(&all).unwrap().contains(part));
        }
    }

    #[test]
    fn a_collapse_comes_before_everything_else_and_nan_is_no_value() {
        let mut all = records(&ONLINE_LINEAR, &[0.2, 0.5, 0.6]);
        all[0].values.set(&ONLINE_IMAGES, 667.0);
        for (spread, part) in
            [(0.099, "collapsed (spread 0.10 of 1)"), (0.1, "longer training will"), (f64::NAN, "longer training will")]
        {
            all[2].values.set(&ONLINE_SPREAD, spread);
            assert!(suggestion(&all).unwrap().contains(part), "{spread}");
        }
    }
}
