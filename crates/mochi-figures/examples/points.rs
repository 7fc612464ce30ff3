//! Draws lines of a CSV file (columns `line`, `x`, `y`, with these names first) as an SVG or PNG file, with a dot at each point:
//!
//! ```sh
//! cargo run -p mochi-figures --example points -- TITLE UNIT X_LABEL FILE.csv OUT
//! ```

use std::collections::BTreeMap;
use std::error::Error;

use mochi_figures::{Axis, Plot, STYLES, Scale, bounds, png, sheet, short, spread};

fn main() -> Result<(), Box<dyn Error>> {
    let [title, unit, caption, file, out]: [String; 5] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "expected TITLE UNIT X_LABEL FILE.csv OUT")?;
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    let mut places = BTreeMap::new();
    for (number, row) in std::fs::read_to_string(&file)?.lines().enumerate().skip(1) {
        let [name, x, y] = row.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("{file}: line {} has other columns than line,x,y", number + 1).into());
        };
        let place = *places.entry(name.to_owned()).or_insert_with(|| {
            lines.push((name.to_owned(), Vec::new()));
            lines.len() - 1
        });
        lines[place].1.push((x.parse()?, y.parse()?));
    }
    let all = || lines.iter().flat_map(|(_, points)| points);
    let (Some((_, right)), Some((_, top))) = (bounds(all().map(|point| point.0)), bounds(all().map(|point| point.1)))
    else {
        return Err(format!("{file} has no points").into());
    };
    if lines.len() > STYLES.len() {
        return Err(format!("{file} has {} lines; at most {} can be told apart", lines.len(), STYLES.len()).into());
    }
    let axis = |high: f64| Scale::linear(&Axis::rounded(0.0, high, 4));
    let mut plot = Plot::new(&title, &unit, &caption, axis(right), axis(top));
    let mut names = Vec::new();
    for ((name, points), style) in lines.iter().zip(STYLES) {
        plot.line(style, points.iter().copied());
        points.iter().for_each(|&point| plot.dot(style, point));
        if let Some(&(_, last)) = points.last() {
            names.push((plot.y(last), (style, name, last)));
        }
    }
    spread(&mut names);
    for (at, (style, name, last)) in names {
        plot.name(style, at, name, &short(last));
    }
    let svg = sheet(&[&plot.finish()]);
    let picture = if out.ends_with(".png") { png(&title, &svg)? } else { svg.into_bytes() };
    Ok(std::fs::write(out, picture)?)
}
