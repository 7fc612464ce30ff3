//! What the measures suggest, in plain sentences: comparisons of the first and the last checkpoint.

use super::checkpoint::CheckpointAnalysis;
use super::measure::{
    NEGATIVE_SIMILARITY, POSITIVE_SIMILARITY, PROXY_ACCURACY, PROXY_ACCURACY_ORACLE, PURITY, PURITY_CHANCE,
    RANK_ME_FEATURES, STABILITY, UNIFORMITY,
};

/// Change of uniformity, and ratio of RankMe, that count as a change.
const UNIFORMITY_CHANGE: f64 = 0.05;
const RANK_RATIO: f64 = 1.1;
/// Rise of the mean cosine of negative pairs that counts as one.
const SIMILARITY_CHANGE: f64 = 0.1;
/// Difference of the mean cosines of positive and negative pairs below which views are hardly told apart.
const TOLD_APART: f64 = 0.1;
/// Fraction of the steps at which an earlier checkpoint must have been written to show how training went.
const APART: f64 = 0.8;
/// The same for the last checkpoint and the one before, whose neighbors are compared: those of a few steps are nearly the same in any training.
const APART_FROM_LAST: f64 = 0.9;
/// Stability above which the neighbors have settled.
const SETTLED: f64 = 0.8;

/// Sentences about the measures of a run's checkpoints, in the order of their steps; `k` neighbors.
pub(crate) fn sentences(checkpoints: &[CheckpointAnalysis], k: usize) -> Vec<String> {
    let Some(last) = checkpoints.last() else { return Vec::new() };
    let mut all = Vec::new();
    if let (Some(purity), Some(chance)) = (last.values.get(&PURITY), last.values.get(&PURITY_CHANCE)) {
        let ratio =
            if chance > 0.0 { format!(", {:.1} times as many as by chance", purity / chance) } else { String::new() };
        all.push(format!("{:.0} % of an image's {k} nearest neighbors have its class{ratio}.", 100.0 * purity));
    }
    if let (Some(accuracy), Some(oracle)) = (last.values.get(&PROXY_ACCURACY), last.values.get(&PROXY_ACCURACY_ORACLE))
        && accuracy < 1.0
    {
        all.push(format!(
            "The key of {:.0} % of the queries is not nearest; for {:.0} % of these, only images of the query's class are nearer.",
            100.0 * (1.0 - accuracy),
            100.0 * (oracle - accuracy) / (1.0 - accuracy)
        ));
    }
    if let (Some(same), Some(other)) = (last.values.get(&POSITIVE_SIMILARITY), last.values.get(&NEGATIVE_SIMILARITY))
        && same - other < TOLD_APART
    {
        all.push(format!(
            "Views of different images are almost as similar as views of one image (mean cosines {other:.2} and {same:.2}): training is at its \
             beginning, or the augmentation is too weak."
        ));
    }
    let Some(first) = checkpoints.first().filter(|first| first.step != last.step) else { return all };
    let of = |measure| Some((first.values.get(measure)?, last.values.get(measure)?));
    if let (Some(uniformity), Some(rank)) = (of(&UNIFORMITY), of(&RANK_ME_FEATURES))
        && first.step as f64 <= APART * last.step as f64
    {
        all.push(spread(uniformity, rank));
    }
    let before = checkpoints.iter().rev().nth(1).map_or(0, |checkpoint| checkpoint.step);
    if let Some(kept) = last.values.get(&STABILITY)
        && before as f64 <= APART_FROM_LAST * last.step as f64
    {
        let kept = format!("{:.0} % of the {k} nearest neighbors are those of step {before}", 100.0 * kept);
        let suggestion = if last.values.get(&STABILITY) > Some(SETTLED) {
            "the features have settled, as they do when training has converged, or when the learning rate is near 0"
        } else {
            "the features still change, so longer training may change which images are near"
        };
        all.push(format!("At the last checkpoint {kept}: {suggestion}."));
    }
    if let Some((before, after)) = of(&NEGATIVE_SIMILARITY).filter(|(before, after)| after - before > SIMILARITY_CHANGE)
    {
        all.push(format!(
            "Different images have become more similar, from a mean cosine of {before:.2} to {after:.2}: watch for collapse."
        ));
    }
    all
}

/// What uniformity and RankMe of the first and the last checkpoint suggest together.
fn spread((uniformity, now): (f64, f64), (rank, rank_now): (f64, f64)) -> String {
    let change = format!(
        "uniformity went from {uniformity:.2} to {now:.2}, the effective rank of the features from {rank:.1} to {rank_now:.1}"
    );
    let uniform = if now < uniformity - UNIFORMITY_CHANGE {
        1
    } else if now > uniformity + UNIFORMITY_CHANGE {
        -1
    } else {
        0
    };
    let ranks = if rank_now > rank * RANK_RATIO {
        1
    } else if rank_now * RANK_RATIO < rank {
        -1
    } else {
        0
    };
    let meaning = match (uniform, ranks) {
        (1, 1) => "embeddings spread out and features use more dimensions, as they should",
        (1, 0) => "embeddings spread out, while features use as many dimensions as before",
        (1, _) => "embeddings spread out, while features use fewer dimensions",
        (0, 1) => "features use more dimensions, while embeddings are spread as before",
        (0, 0) => "neither changed much between these checkpoints",
        (-1, 1) => "features use more dimensions, while embeddings move together",
        (_, 0) => "embeddings move together, which can be the beginning of a collapse",
        _ => "features use fewer dimensions, which can be the beginning of a collapse",
    };
    format!("Over training, {change}: {meaning}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_both_directions_are_told_apart() {
        assert!(spread((-2.0, -3.0), (10.0, 20.0)).ends_with("as they should."));
        assert!(spread((-2.0, -2.01), (10.0, 10.5)).contains("neither changed much"));
        assert!(spread((-3.0, -1.0), (20.0, 20.0)).contains("embeddings move together"));
        assert!(spread((-3.0, -3.0), (20.0, 5.0)).contains("fewer dimensions, which can"));
        assert!(spread((-3.0, -3.5), (20.0, 5.0)).contains("spread out, while features use fewer"));
    }

    fn checkpoint(step: u64, values: &[(&'static super::super::measure::Measure, f64)]) -> CheckpointAnalysis {
        let mut analysis = CheckpointAnalysis { step, ..CheckpointAnalysis::default() };
        values.iter().for_each(|&(measure, value)| analysis.values.set(measure, Some(value)));
        analysis
    }

    /// A run keeps its last two checkpoints, which can be one step apart.
    #[test]
    fn checkpoints_of_the_end_say_nothing_of_the_course() {
        let of = |step, value| checkpoint(step, &[(&UNIFORMITY, value), (&RANK_ME_FEATURES, 10.0)]);
        for (first, said) in [(80, true), (81, false)] {
            let all = sentences(&[of(first, -2.0), of(100, -3.0)], 10);
            assert_eq!(all.iter().any(|text| text.starts_with("Over training")), said, "{all:?}");
        }
    }

    #[test]
    fn images_that_become_more_similar_are_a_warning() {
        for (after, warned) in [(0.45, false), (0.55, true)] {
            let of = |step, value| checkpoint(step, &[(&NEGATIVE_SIMILARITY, value)]);
            let all = sentences(&[of(1, 0.4), of(2, after)], 10);
            assert_eq!(all.iter().any(|text| text.contains("from a mean cosine of 0.40 to 0.55")), warned, "{all:?}");
        }
    }

    #[test]
    fn false_negatives_explain_a_part_of_the_proxy_errors() {
        let of = |accuracy, oracle| {
            sentences(&[checkpoint(9, &[(&PROXY_ACCURACY, accuracy), (&PROXY_ACCURACY_ORACLE, oracle)])], 10)
        };
        let text = "The key of 40 % of the queries is not nearest; for 25 % of these, only images of the query's class are nearer.";
        assert_eq!((of(0.6, 0.7), of(1.0, 1.0).len()), (vec![text.to_owned()], 0));
    }

    #[test]
    fn sentences_need_their_measures() {
        let labeled = checkpoint(9, &[(&PURITY, 0.5), (&PURITY_CHANCE, 0.1)]);
        let all = sentences(std::slice::from_ref(&labeled), 10);
        assert_eq!(all, ["50 % of an image's 10 nearest neighbors have its class, 5.0 times as many as by chance."]);
        assert!(sentences(&[], 10).is_empty() && sentences(&[checkpoint(9, &[])], 10).is_empty());
        // Report: of two checkpoints that were one step apart, the page said that the features have settled.
        assert!(sentences(&[checkpoint(91, &[]), checkpoint(100, &[(&STABILITY, 0.99)])], 10).is_empty());
        for (kept, wanted) in [(0.81, "have settled"), (0.79, "still change")] {
            let all = sentences(&[checkpoint(3, &[]), checkpoint(9, &[(&STABILITY, kept)])], 10);
            assert!(all.len() == 1 && all[0].contains("those of step 3") && all[0].contains(wanted), "{all:?}");
        }
    }
}
