//! Matching-probability curves: mean probability of the negatives by rank, on logarithmic axes (as in figure 2 of MoCHi), one line each
//! for a few epochs of the run, from faint (first) to strong (last), with a legend.

use mochi_figures::{Figure, Plot, Scale, TOP, grouped};
use mochi_run::CurveRecord;

/// Distance between two entries of the legend, in units of the drawing.
pub(crate) const LEGEND_GAP: f64 = 17.0;
/// Lines per chart, and shades that the style defines for them (`e0` to `e5`).
const LINES: usize = 6;
/// Decades shown below the largest probability, at most; smaller ones do not affect training.
const DECADES: i32 = 8;

/// The charts, or none if there is nothing to draw: real negatives, and real and synthetic negatives on the same axes. Lines are named for epochs.
pub(crate) fn charts(records: &[CurveRecord]) -> Vec<Figure> {
    let chosen = spread(records);
    let names: Vec<String> = chosen.iter().map(|&curve| name(curve, &chosen)).collect();
    draw(&chosen, &names)
}

/// As [`charts`], with lines that are named for steps.
pub(crate) fn charts_by_step(records: &[CurveRecord]) -> Vec<Figure> {
    let chosen = spread(records);
    let names: Vec<String> = chosen.iter().map(|curve| step_name(curve.step)).collect();
    draw(&chosen, &names)
}

fn draw(chosen: &[&CurveRecord], names: &[String]) -> Vec<Figure> {
    let drawn = |p: f64| p > 0.0 && p.is_finite();
    let values = || chosen.iter().flat_map(|curve| curve.real.iter().chain(curve.all.iter().flatten())).copied();
    let high = values().filter(|&p| drawn(p)).fold(0.0, f64::max);
    let low = values().filter(|&p| drawn(p)).fold(f64::INFINITY, f64::min);
    let last_rank = chosen.iter().filter_map(|curve| curve.ranks.last()).max();
    let Some(&last_rank) = last_rank.filter(|_| high > 0.0) else { return Vec::new() };
    let top = (high.log10() - 1e-9).ceil() as i32;
    let bottom = ((low.log10() + 1e-9).floor() as i32).clamp(top - DECADES, top - 1);
    let axes = Axes { ranks: f64::from(last_rank.max(2)), bottom, top };
    // A curve has one shade and one name on both charts.
    let lines = |values: fn(&CurveRecord) -> Option<&Vec<f64>>| -> Vec<Line<'_>> {
        let numbered = chosen.iter().zip(names).enumerate();
        let line = numbered.filter_map(|(i, (&curve, name))| {
            Some(Line { shade: shade(i, chosen.len()), name, ranks: &curve.ranks, values: values(curve)? })
        });
        line.collect()
    };
    let (real, all) = (lines(|curve| Some(&curve.real)), lines(|curve| curve.all.as_ref()));
    let mut charts = vec![axes.render("Matching probability, real negatives", &real)];
    if !all.is_empty() {
        charts.push(axes.render("Matching probability, with synthetic negatives", &all));
    }
    charts
}

/// At most [`LINES`] records, evenly spaced, the first and the last among them.
pub(crate) fn spread<T>(records: &[T]) -> Vec<&T> {
    let lines = LINES.min(records.len());
    let at = |i: usize| (i * (records.len() - 1) + lines.saturating_sub(1) / 2) / lines.saturating_sub(1).max(1);
    (0..lines).filter_map(|i| records.get(at(i))).collect()
}

/// One curve of a chart.
struct Line<'a> {
    shade: usize,
    name: &'a str,
    ranks: &'a [u32],
    values: &'a [f64],
}

/// Ranges of the axes.
struct Axes {
    /// The last rank.
    ranks: f64,
    /// Powers of ten of the smallest and of the largest probability.
    bottom: i32,
    top: i32,
}

impl Axes {
    fn render(&self, title: &str, lines: &[Line]) -> Figure {
        // Of many decades every second one has a tick.
        let step = if self.top - self.bottom > 5 { 2 } else { 1 };
        let powers = (self.bottom..=self.top).filter(|power| (self.top - power) % step == 0);
        let levels = powers.map(|power| (10f64.powi(power), power_of_ten(power))).collect();
        let x = rank_scale(self.ranks);
        let y = Scale::logarithmic(10f64.powi(self.bottom), 10f64.powi(self.top), levels);
        let mut plot = Plot::new(title, "mean p by rank", "rank of the negative", x, y);
        let smallest = 10f64.powi(self.bottom) * (1.0 - 1e-9);
        for (i, line) in lines.iter().enumerate() {
            let style = format!("e{}", line.shade);
            // Curves only fall, so a line ends where it leaves the axes.
            let points = line.ranks.iter().zip(line.values);
            let shown = points.take_while(|&(&rank, &p)| rank > 0 && p >= smallest && p.is_finite());
            plot.line(&style, shown.map(|(&rank, &p)| (f64::from(rank), p)));
            plot.legend(&style, TOP + 8.0 + LEGEND_GAP * i as f64, line.name);
        }
        plot.finish()
    }
}

/// Logarithmic scale of ranks from 1 to `last`, which is at least 2.
pub(crate) fn rank_scale(last: f64) -> Scale {
    let ranks = [1.0, 10.0, 100.0, 1000.0].into_iter().filter(|&rank| rank <= last);
    Scale::logarithmic(1.0, last, ranks.map(|rank| (rank, rank.to_string())).collect())
}

/// Shade of line `i` of `lines`; the last is the strongest.
pub(crate) fn shade(i: usize, lines: usize) -> usize {
    if lines < 2 { LINES - 1 } else { i * (LINES - 1) / (lines - 1) }
}

/// The epoch, counted from 1 as in the progress display; the step if another curve is of the same epoch.
fn name(curve: &CurveRecord, all: &[&CurveRecord]) -> String {
    let shared = all.iter().filter(|other| other.epoch == curve.epoch).count() > 1;
    if shared { step_name(curve.step) } else { format!("epoch {}", grouped(curve.epoch + 1)) }
}

/// `step 1 200`
pub(crate) fn step_name(step: u64) -> String {
    format!("step {}", grouped(step))
}

fn power_of_ten(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    if power == 0 {
        return "1".to_owned();
    }
    let digits = power.unsigned_abs().to_string();
    let raised = digits.chars().filter_map(|digit| DIGITS.get(digit.to_digit(10)? as usize));
    "10".chars().chain((power < 0).then_some('⁻')).chain(raised.copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(step: u64, epoch: u64, real: &[f64]) -> CurveRecord {
        CurveRecord { step, epoch, ranks: (1..=real.len() as u32).collect(), real: real.to_vec(), all: None }
    }

    #[test]
    fn six_curves_are_spread_over_the_run() {
        let records: Vec<_> = (1..=100).map(|i| curve(i * 10, i - 1, &[0.1])).collect();
        let steps: Vec<u64> = spread(&records).iter().map(|curve| curve.step / 10).collect();
        assert_eq!(steps, [1, 21, 41, 60, 80, 100]);
        assert_eq!(spread(&records[..2]).len(), 2);
        assert_eq!(spread(&records[..1]).len(), 1);
        assert_eq!((shade(0, 1), shade(0, 2), shade(1, 2), shade(2, 3)), (5, 0, 5, 5));
    }

    #[test]
    fn no_content_of_a_file_breaks_the_drawing() {
        assert!(charts(&[]).is_empty());
        assert!(charts(&[curve(1, 0, &[0.0, f64::NAN])]).is_empty());
        let torn = CurveRecord { ranks: vec![], real: vec![0.1, 0.05], ..CurveRecord::default() };
        assert!(charts(std::slice::from_ref(&torn)).is_empty());
        for real in [vec![1.0], vec![1e-300, 0.0], vec![0.5, 1e-40, f64::NAN], vec![f64::INFINITY, 0.1]] {
            let mut long = curve(2, 0, &real);
            long.ranks.push(4_000_000_000);
            let drawn = charts(&[curve(1, 0, &real), long, torn.clone()]);
            assert!(drawn.iter().all(|f| !f.svg.contains("NaN") && !f.svg.contains("inf")), "{drawn:?}");
        }
    }

    #[test]
    fn names_and_powers_are_readable() {
        let (a, b, c) = (curve(1000, 0, &[0.1]), curve(2000, 0, &[0.1]), curve(3000, 1, &[0.1]));
        let all = [&a, &b, &c];
        assert_eq!(all.map(|curve| name(curve, &all)), ["step 1\u{2009}000", "step 2\u{2009}000", "epoch 2"]);
        assert_eq!([0, 1, -3, -12].map(power_of_ten), ["1", "10¹", "10⁻³", "10⁻¹²"]);
    }
}
