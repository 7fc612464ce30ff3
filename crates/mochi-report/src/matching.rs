//! The matching-probability curves: by rank on logarithmic axes (as MoCHi's figure 2 has them), one line each for a handful of curves spread
//! over the run, the earliest faint and the last strong, with a legend.

use std::fmt::Write as _;

use mochi_run::CurveRecord;

use crate::drawing::{self, END, FLOOR, LEFT, TOP};
use crate::page::grouped;

const LEGEND_GAP: f64 = 17.0;
/// Lines of one chart, and shades that the page's style has for them (`e0` to `e5`).
const LINES: usize = 6;
/// Decades that the axis shows below the largest probability at most: what lies under them teaches nothing.
const DECADES: i32 = 8;

/// The charts, or none where there is nothing to draw: real negatives alone, and with the synthetic ones among them on the same axes.
pub(crate) fn charts(records: &[CurveRecord]) -> Vec<String> {
    let chosen = spread(records);
    let drawn = |p: f64| p > 0.0 && p.is_finite();
    let values = || chosen.iter().flat_map(|curve| curve.real.iter().chain(curve.all.iter().flatten())).copied();
    let high = values().filter(|&p| drawn(p)).fold(0.0, f64::max);
    let low = values().filter(|&p| drawn(p)).fold(f64::INFINITY, f64::min);
    let last_rank = chosen.iter().filter_map(|curve| curve.ranks.last()).max();
    let Some(&last_rank) = last_rank.filter(|_| high > 0.0) else { return Vec::new() };
    let top = (high.log10() - 1e-9).ceil() as i32;
    let floor = ((low.log10() + 1e-9).floor() as i32).clamp(top - DECADES, top - 1);
    let chart = Axes { ranks: f64::from(last_rank.max(2)), floor, top };
    // A curve has one shade and one name on both charts.
    let lines = |values: fn(&CurveRecord) -> Option<&Vec<f64>>| -> Vec<Line<'_>> {
        let numbered = chosen.iter().enumerate();
        let line = numbered.filter_map(|(i, &curve)| {
            let (shade, name) = (shade(i, chosen.len()), name(curve, &chosen));
            Some(Line { shade, name, ranks: &curve.ranks, values: values(curve)? })
        });
        line.collect()
    };
    let (real, all) = (lines(|curve| Some(&curve.real)), lines(|curve| curve.all.as_ref()));
    let mut charts = vec![chart.render("Matching probability, real negatives", &real)];
    if !all.is_empty() {
        charts.push(chart.render("Matching probability, with synthetic ones", &all));
    }
    charts
}

/// At most [`LINES`] curves, the first and the last among them.
fn spread(records: &[CurveRecord]) -> Vec<&CurveRecord> {
    let lines = LINES.min(records.len());
    let at = |i: usize| (i * (records.len() - 1) + lines.saturating_sub(1) / 2) / lines.saturating_sub(1).max(1);
    (0..lines).filter_map(|i| records.get(at(i))).collect()
}

/// One curve of a chart.
struct Line<'a> {
    shade: usize,
    name: String,
    ranks: &'a [u32],
    values: &'a [f64],
}

/// Powers of ten that the axes reach.
struct Axes {
    /// The last rank.
    ranks: f64,
    floor: i32,
    top: i32,
}

impl Axes {
    fn x(&self, rank: f64) -> f64 {
        LEFT + rank.log10() / self.ranks.log10() * (END - LEFT)
    }

    fn y(&self, p: f64) -> f64 {
        let place = (p.log10() - f64::from(self.floor)) / f64::from(self.top - self.floor);
        FLOOR - place * (FLOOR - TOP)
    }

    fn render(&self, title: &str, lines: &[Line]) -> String {
        let mut svg = drawing::begin(title, "mean p by rank");
        // Every second decade has its number where there are many.
        let step = if self.top - self.floor > 5 { 2 } else { 1 };
        for power in (self.floor..=self.top).filter(|power| (self.top - power) % step == 0) {
            drawing::level(&mut svg, self.y(10f64.powi(power)), power_of_ten(power));
        }
        drawing::floor(&mut svg, "rank of the negative");
        for rank in [1.0, 10.0, 100.0, 1000.0].into_iter().filter(|&rank| rank <= self.ranks) {
            drawing::mark(&mut svg, self.x(rank), rank);
        }
        for (i, line) in lines.iter().enumerate() {
            let (shade, name, path) = (line.shade, &line.name, self.path(line));
            let _ = write!(svg, "<path class=\"line e{shade}\" d=\"{path}\"/>");
            let at = TOP + 8.0 + LEGEND_GAP * i as f64;
            let _ = write!(svg, "<path class=\"line e{shade}\" d=\"M{} {at:.1}h18\"/>", END + 8.0);
            let _ = write!(svg, "<text class=\"legend\" x=\"{}\" y=\"{:.1}\">{name}</text>", END + 31.0, at + 3.5);
        }
        svg.push_str("</svg>");
        svg
    }

    /// The line, broken nowhere: it ends where it leaves the axes, for it only falls.
    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let floor = 10f64.powi(self.floor) * (1.0 - 1e-9);
        let shown =
            line.ranks.iter().zip(line.values).take_while(|&(&rank, &p)| rank > 0 && p >= floor && p.is_finite());
        for (i, (&rank, &p)) in shown.enumerate() {
            let start = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{start}{:.1} {:.1}", self.x(f64::from(rank)), self.y(p));
        }
        path
    }
}

/// Which shade line `i` of `lines` has: the last is the strongest, however many there are.
fn shade(i: usize, lines: usize) -> usize {
    if lines < 2 { LINES - 1 } else { i * (LINES - 1) / (lines - 1) }
}

/// The epoch, counted from 1 as the progress display counts; the step where another curve is of the same epoch.
fn name(curve: &CurveRecord, all: &[&CurveRecord]) -> String {
    let shared = all.iter().filter(|other| other.epoch == curve.epoch).count() > 1;
    if shared { format!("step {}", grouped(curve.step)) } else { format!("epoch {}", grouped(curve.epoch + 1)) }
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
    fn a_handful_is_spread_over_the_run() {
        let records: Vec<_> = (1..=100).map(|i| curve(i * 10, i - 1, &[0.1])).collect();
        let steps: Vec<u64> = spread(&records).iter().map(|curve| curve.step / 10).collect();
        assert_eq!(steps, [1, 21, 41, 60, 80, 100]);
        assert_eq!(spread(&records[..2]).len(), 2);
        assert_eq!(spread(&records[..1]).len(), 1);
        assert_eq!((shade(0, 1), shade(0, 2), shade(1, 2), shade(2, 3)), (5, 0, 5, 5));
    }

    #[test]
    fn nothing_that_a_file_can_hold_spoils_the_drawing() {
        assert!(charts(&[]).is_empty());
        assert!(charts(&[curve(1, 0, &[0.0, f64::NAN])]).is_empty());
        let torn = CurveRecord { ranks: vec![], real: vec![0.1, 0.05], ..CurveRecord::default() };
        assert!(charts(std::slice::from_ref(&torn)).is_empty());
        for real in [vec![1.0], vec![1e-300, 0.0], vec![0.5, 1e-40, f64::NAN], vec![f64::INFINITY, 0.1]] {
            let mut long = curve(2, 0, &real);
            long.ranks.push(4_000_000_000);
            let drawn = charts(&[curve(1, 0, &real), long, torn.clone()]);
            assert!(drawn.iter().all(|svg| !svg.contains("NaN") && !svg.contains("inf")), "{drawn:?}");
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
