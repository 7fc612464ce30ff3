//! A plot as SVG: title, axes with ticks, and lines, bands and dots in the coordinates of the data.

use std::fmt::Write as _;

use crate::escape::Escaped;
use crate::scale::Scale;

/// Width of every figure, in units of the drawing (CSS pixels).
pub const WIDTH: f64 = 470.0;
/// Height of a plot.
pub const HEIGHT: f64 = 210.0;
/// Left end of the plotted area.
pub const LEFT: f64 = 44.0;
/// Upper end of the plotted area.
pub const TOP: f64 = 30.0;
/// Right end of the plotted area; names of lines are to the right of it.
pub const RIGHT: f64 = WIDTH - 128.0;
/// Lower end of the plotted area; labels of ticks are below it.
pub const BOTTOM: f64 = HEIGHT - 34.0;

/// A plot with its title.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Heading.
    pub title: String,
    /// An `<svg>` element of [`WIDTH`] by `height` units.
    pub svg: String,
    /// Height in units of the drawing.
    pub height: f64,
}

/// A plot that is being drawn.
pub struct Plot {
    title: String,
    svg: String,
    x: Scale,
    y: Scale,
}

impl Plot {
    /// Title and axes.
    pub fn new(title: &str, unit: &str, caption: &str, x: Scale, y: Scale) -> Self {
        let svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
             <text class=\"title\" x=\"0\" y=\"13\">{title} <tspan class=\"unit\">{unit}</tspan></text>",
            title = Escaped(title),
            unit = Escaped(unit)
        );
        let mut plot = Self { title: title.to_owned(), svg, x, y };
        plot.axes(caption);
        plot
    }

    fn axes(&mut self, caption: &str) {
        let middle = (LEFT + RIGHT) / 2.0;
        for (value, label) in &self.y.ticks {
            let at = self.y(*value);
            let (x, y) = (LEFT - 6.0, at + 3.5);
            let _ = write!(self.svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>");
            let _ = write!(self.svg, "<text class=\"tick end\" x=\"{x}\" y=\"{y:.1}\">{label}</text>");
        }
        let _ = write!(self.svg, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>");
        let _ = write!(self.svg, "<text class=\"tick mid\" x=\"{middle}\" y=\"{}\">{caption}</text>", HEIGHT - 5.0);
        for (value, label) in &self.x.ticks {
            let at = self.x(*value);
            let _ = write!(self.svg, "<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v4\"/>");
            let _ = write!(self.svg, "<text class=\"tick mid\" x=\"{at:.1}\" y=\"{}\">{label}</text>", BOTTOM + 15.0);
        }
    }

    /// Horizontal position of a value.
    pub fn x(&self, value: f64) -> f64 {
        LEFT + self.x.position(value) * (RIGHT - LEFT)
    }

    /// Vertical position of a value.
    pub fn y(&self, value: f64) -> f64 {
        BOTTOM - self.y.position(value) * (BOTTOM - TOP)
    }

    /// A line through points.
    pub fn line(&mut self, style: &str, points: impl Iterator<Item = (f64, f64)>) {
        let path = self.path(points);
        let _ = write!(self.svg, "<path class=\"line {style}\" d=\"{path}\"/>");
    }

    /// An area with the outline `points`.
    pub fn band(&mut self, style: &str, points: impl Iterator<Item = (f64, f64)>) {
        let path = self.path(points);
        let _ = write!(self.svg, "<path class=\"band {style}\" d=\"{path}Z\"/>");
    }

    /// A single point.
    pub fn dot(&mut self, style: &str, (x, y): (f64, f64)) {
        let (x, y) = (self.x(x), self.y(y));
        let _ = write!(self.svg, "<circle class=\"{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
    }

    /// The last of several points.
    pub fn end(&mut self, style: &str, (x, y): (f64, f64)) {
        let (x, y) = (self.x(x), self.y(y));
        let _ = write!(self.svg, "<circle class=\"{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>");
    }

    /// One of many small points.
    pub fn mark(&mut self, style: &str, (x, y): (f64, f64)) {
        let (x, y) = (self.x(x), self.y(y));
        let _ = write!(self.svg, "<circle class=\"mark-{style}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\"/>");
    }

    /// An entry of the legend of marks; `y` in units of the drawing.
    pub fn key(&mut self, style: &str, y: f64, name: &str) {
        let _ = write!(self.svg, "<circle class=\"mark-{style}\" cx=\"{}\" cy=\"{y:.1}\" r=\"4\"/>", RIGHT + 12.0);
        let (x, y) = (RIGHT + 21.0, y + 3.5);
        let _ = write!(self.svg, "<text class=\"legend\" x=\"{x}\" y=\"{y:.1}\">{}</text>", Escaped(name));
    }

    /// Name and last value of a line, to the right of its end; `y` in units of the drawing.
    pub fn name(&mut self, style: &str, y: f64, name: &str, value: &str) {
        let (x, y) = (RIGHT + 6.0, y + 3.5);
        let _ = write!(
            self.svg,
            "<text class=\"name {style}\" x=\"{x}\" y=\"{y:.1}\">{} <tspan class=\"value\">{value}</tspan></text>",
            Escaped(name)
        );
    }

    /// An entry of the legend, a piece of the line and its name; `y` in units of the drawing.
    pub fn legend(&mut self, style: &str, y: f64, name: &str) {
        let _ = write!(self.svg, "<path class=\"line {style}\" d=\"M{} {y:.1}h18\"/>", RIGHT + 8.0);
        let (x, y) = (RIGHT + 31.0, y + 3.5);
        let _ = write!(self.svg, "<text class=\"legend\" x=\"{x}\" y=\"{y:.1}\">{}</text>", Escaped(name));
    }

    /// The finished plot.
    pub fn finish(mut self) -> Figure {
        self.svg.push_str("</svg>");
        Figure { title: self.title, svg: self.svg, height: HEIGHT }
    }

    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        for (i, (x, y)) in points.enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, self.x(x), self.y(y));
        }
        path
    }
}
