//! What every chart of a page shares: the size of the drawing, its title, levels, marks and caption.

use std::fmt::{Display, Write as _};

use crate::escape::Escaped;

pub(crate) const WIDTH: f64 = 470.0;
pub(crate) const HEIGHT: f64 = 210.0;
/// Left and upper end of what is plotted.
pub(crate) const LEFT: f64 = 44.0;
pub(crate) const TOP: f64 = 30.0;
/// Right and lower end: names stand to the right of the one, marks below the other.
pub(crate) const END: f64 = WIDTH - 128.0;
pub(crate) const FLOOR: f64 = HEIGHT - 34.0;

/// Begins a drawing; whoever draws closes it with `</svg>`.
pub(crate) fn begin(title: &str, unit: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <text class=\"title\" x=\"0\" y=\"13\">{title} <tspan class=\"unit\">{unit}</tspan></text>",
        title = Escaped(title),
        unit = Escaped(unit)
    )
}

/// A horizontal line at height `at` with its number.
pub(crate) fn level(svg: &mut String, at: f64, number: impl Display) {
    let _ = write!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{END}\"/>");
    let _ = write!(svg, "<text class=\"tick end\" x=\"{}\" y=\"{:.1}\">{number}</text>", LEFT - 6.0, at + 3.5);
}

/// The floor, and what it counts.
pub(crate) fn floor(svg: &mut String, caption: &str) {
    let middle = (LEFT + END) / 2.0;
    let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {FLOOR}H{END}\"/>");
    let _ = write!(svg, "<text class=\"tick mid\" x=\"{middle}\" y=\"{}\">{caption}</text>", HEIGHT - 5.0);
}

/// A mark on the floor at `at` with its number.
pub(crate) fn mark(svg: &mut String, at: f64, number: impl Display) {
    let _ = write!(svg, "<path class=\"axis\" d=\"M{at:.1} {FLOOR}v4\"/>");
    let _ = write!(svg, "<text class=\"tick mid\" x=\"{at:.1}\" y=\"{}\">{number}</text>", FLOOR + 15.0);
}
