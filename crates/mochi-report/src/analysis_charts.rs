//! Charts of an analysis that are not lines over the steps: similarities of pairs, false negatives by rank, a map of the features.

use crate::matching::{LEGEND_GAP, rank_scale, shade, spread, step_name};
use mochi_figures::{Axis, Figure, Plot, Scale, TOP};

/// Histograms of the similarities of pairs in equal bins from -1 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimilarityChart {
    /// Heading.
    pub title: String,
    /// Fractions of the pairs of views of one image.
    pub positive: Vec<f64>,
    /// Fractions of the pairs of different images.
    pub negative: Vec<f64>,
}

/// Values by rank at one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RankCurve {
    /// The step.
    pub step: u64,
    /// Ranks from 1, rising.
    pub ranks: Vec<u32>,
    /// At each rank.
    pub values: Vec<f64>,
}

/// A map of the features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointMap {
    /// Heading.
    pub title: &'static str,
    /// What there is to know of the axes.
    pub unit: String,
    /// Below the horizontal axis.
    pub caption: &'static str,
    /// The images.
    pub points: Vec<Point>,
}

/// An image on a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Horizontal position.
    pub x: f64,
    /// Vertical position.
    pub y: f64,
    /// Its class, counted from 0, if it is known.
    pub class: Option<usize>,
}

/// Histograms of the similarities of positive and negative pairs from -1 to 1; `None` if there is nothing to draw.
pub(crate) fn similarities(chart: &SimilarityChart) -> Option<Figure> {
    let bins = chart.positive.len();
    let drawn = |values: &[f64]| values.len() == bins && values.iter().all(|value| value.is_finite());
    if bins == 0 || !drawn(&chart.positive) || !drawn(&chart.negative) {
        return None;
    }
    let edge = |bin: usize| 2.0 * bin as f64 / bins as f64 - 1.0;
    let filled = |bin: &usize| chart.positive[*bin] > 0.0 || chart.negative[*bin] > 0.0;
    let (first, last) = ((0..bins).find(filled)?, (0..bins).rev().find(filled)?);
    let high = chart.positive.iter().chain(&chart.negative).copied().fold(0.0, f64::max);
    let x = Scale::linear(&Axis::rounded(edge(first), edge(last + 1), 5));
    let y = Scale::linear(&Axis::rounded(0.0, 100.0 * high, 4));
    let mut plot = Plot::new(&chart.title, "% of the pairs", "cosine", x, y);
    for (i, (style, name, values)) in
        [("l1", "negative pairs", &chart.negative), ("l0", "positive pairs", &chart.positive)].into_iter().enumerate()
    {
        let steps = (first..=last).flat_map(|bin| [(edge(bin), values[bin]), (edge(bin + 1), values[bin])]);
        let outline: Vec<(f64, f64)> = [(edge(first), 0.0)]
            .into_iter()
            .chain(steps.map(|(x, fraction)| (x, 100.0 * fraction)))
            .chain([(edge(last + 1), 0.0)])
            .collect();
        plot.band(style, outline.iter().copied());
        plot.line(style, outline.into_iter());
        plot.legend(style, TOP + 8.0 + LEGEND_GAP * i as f64, name);
    }
    Some(plot.finish())
}

/// Fraction of false negatives among the hardest negatives up to each rank, for at most six checkpoints, with the chance level; `None` without a curve.
pub(crate) fn false_negatives(curves: &[RankCurve], chance: Option<f64>) -> Option<Figure> {
    let chosen = spread(curves);
    let values = || chosen.iter().flat_map(|curve| curve.values.iter().copied()).chain(chance);
    let high = values().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let last = chosen.iter().filter_map(|curve| curve.ranks.last()).max().copied()?;
    let y = Scale::linear(&Axis::rounded(0.0, 100.0 * high, 4));
    let title = "False negatives among the hardest";
    let mut plot =
        Plot::new(title, "% of the query's class", "hardest negatives", rank_scale(f64::from(last.max(2))), y);
    let mut entry = TOP + 8.0;
    for (i, curve) in chosen.iter().enumerate() {
        let style = format!("e{}", shade(i, chosen.len()));
        let points = curve.ranks.iter().zip(&curve.values).filter(|(rank, value)| **rank > 0 && value.is_finite());
        plot.line(&style, points.map(|(&rank, value)| (f64::from(rank), 100.0 * value)));
        plot.legend(&style, entry, &step_name(curve.step));
        entry += LEGEND_GAP;
    }
    if let Some(chance) = chance.filter(|chance| chance.is_finite()) {
        plot.line("l4", [1.0, f64::from(last.max(2))].into_iter().map(|rank| (rank, 100.0 * chance)));
        plot.legend("l4", entry, "all negatives");
    }
    Some(plot.finish())
}

/// Shades of classes on a map; classes beyond them have no color of their own.
pub(crate) const MAP_CLASSES: usize = 10;

/// A map of the features: one dot for each image, in the color of its class; `None` without a dot.
pub(crate) fn map(map: &PointMap, classes: &[String]) -> Option<Figure> {
    let PointMap { title, unit, caption, points } = map;
    let finite = |point: &&Point| point.x.is_finite() && point.y.is_finite();
    let range = |of: fn(&Point) -> f64| {
        points.iter().filter(finite).map(of).fold(None, |range: Option<(f64, f64)>, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
    };
    let ((left, right), (low, high)) = (range(|point| point.x)?, range(|point| point.y)?);
    let scale = |low, high| Scale::linear(&Axis::rounded(low, high, 4));
    let mut plot = Plot::new(title, unit, caption, scale(left, right), scale(low, high));
    let style = |class: usize| if class < MAP_CLASSES { format!("m{class}") } else { "m".to_owned() };
    for point in points.iter().filter(finite) {
        plot.mark(&point.class.map_or_else(|| "m".to_owned(), style), (point.x, point.y));
    }
    for (class, name) in classes.iter().take(MAP_CLASSES).enumerate() {
        plot.key(&style(class), TOP - 4.0 + 15.0 * class as f64, name);
    }
    Some(plot.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_cover_the_bins_that_are_filled() {
        let mut chart = SimilarityChart { title: "t".into(), positive: vec![0.0; 100], negative: vec![0.0; 100] };
        assert_eq!(similarities(&chart), None);
        (chart.positive[90], chart.negative[50]) = (1.0, 1.0);
        let svg = similarities(&chart).unwrap().svg;
        // From -0.0 to 0.82, so the axis starts at 0 and -1 is no tick.
        assert!(svg.contains(">0.8<") && !svg.contains(">-"), "{svg}");
        chart.negative.pop();
        assert_eq!(similarities(&chart), None);
    }

    #[test]
    fn every_coordinate_is_a_number() {
        assert_eq!((false_negatives(&[], Some(0.1)), map(&PointMap::default(), &[])), (None, None));
        let curve = |values: Vec<f64>| RankCurve { step: 1, ranks: vec![0, 1, 3], values };
        for curves in [vec![curve(vec![])], vec![curve(vec![f64::NAN, 0.5, 0.1]), curve(vec![0.0; 9])]] {
            let svg = false_negatives(&curves, Some(f64::NAN)).unwrap().svg;
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let point = |x, class| Point { x, y: 2.0, class };
        let points = vec![point(f64::NAN, None), point(1.0, Some(70)), point(2.0, Some(1))];
        let svg = map(&PointMap { points, ..PointMap::default() }, &["a<b".into()]).unwrap().svg;
        assert!(!svg.contains("NaN") && svg.matches("<circle").count() == 3 && svg.contains("a&lt;b"), "{svg}");
    }
}
