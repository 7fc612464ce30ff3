//! Parts of a whole as SVG: one bar, and below it a line for each part with its name, its value and its percentage. The lines are below each other, so that
//! they can be read on a phone.

use std::fmt::Write as _;

use crate::chart::STYLES;
use crate::escape::Escaped;
use crate::plot::{Figure, WIDTH};

const TOP: f64 = 24.0;
/// Height of the bar.
const BAR: f64 = 22.0;
/// Height of a line of text.
const LINE: f64 = 19.0;

/// A part of a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub text: String,
    /// Its value, in the unit of the other parts.
    pub value: f64,
}

/// The figure of parts, as many as there are [`STYLES`] at most; `None` where a value is negative or not finite, or all are 0. `whole`: their sum as text.
pub fn parts(title: &str, whole: &str, parts: &[Part]) -> Option<Figure> {
    let sum: f64 = parts.iter().map(|part| part.value).sum();
    let valid = parts.iter().all(|part| part.value >= 0.0) && sum.is_finite() && sum > 0.0;
    if !valid || parts.len() > STYLES.len() {
        return None;
    }
    let height = TOP + BAR + 8.0 + LINE * parts.len() as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\
         <text class=\"title\" x=\"0\" y=\"13\">{title} <tspan class=\"unit\">{whole}</tspan></text>",
        title = Escaped(title),
        whole = Escaped(whole)
    );
    let mut left = 0.0;
    for (index, (part, style)) in parts.iter().zip(STYLES).enumerate() {
        let width = part.value / sum * WIDTH;
        let _ = write!(
            svg,
            "<rect class=\"part {style}\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{BAR}\"/>"
        );
        left += width;
        let y = TOP + BAR + LINE * (index + 1) as f64;
        let _ = write!(
            svg,
            "<circle class=\"{style}\" cx=\"6\" cy=\"{:.1}\" r=\"5\"/><text x=\"18\" y=\"{y:.1}\">{} \
             <tspan class=\"unit\">{}, {:.1} %</tspan></text>",
            y - 4.0,
            Escaped(&part.name),
            Escaped(&part.text),
            100.0 * part.value / sum
        );
    }
    svg.push_str("</svg>");
    Some(Figure { title: title.to_owned(), svg, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, value: f64) -> Part {
        Part { name: name.into(), text: format!("{value} s"), value }
    }

    #[test]
    fn the_bar_is_filled_and_every_part_is_named() {
        let svg = parts("Time", "100 s", &[part("a < b", 75.0), part("none", 0.0), part("c", 25.0)]).unwrap().svg;
        for wanted in [
            "x=\"0.0\" y=\"24\" width=\"352.5\"",
            "x=\"352.5\" y=\"24\" width=\"0.0\"",
            "x=\"352.5\" y=\"24\" width=\"117.5\"",
            ">a &lt; b <tspan class=\"unit\">75 s, 75.0 %</tspan>",
            ">none <tspan class=\"unit\">0 s, 0.0 %</tspan>",
        ] {
            assert!(svg.contains(wanted), "{wanted}: {svg}");
        }
    }

    #[test]
    fn what_is_no_part_has_no_figure() {
        for values in [vec![], vec![0.0], vec![1.0, f64::NAN], vec![2.0, -1.0], vec![f64::INFINITY], vec![1.0; 11]] {
            let all: Vec<Part> = values.iter().map(|&value| part("a", value)).collect();
            assert_eq!(parts("Time", "", &all), None, "{values:?}");
        }
    }
}
