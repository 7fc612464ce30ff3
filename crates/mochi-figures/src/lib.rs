//! Figures made of plain values: values in, SVG or PNG out. Nothing here knows what a run, a metric or a study is.
//!
//! | file | draws |
//! |---|---|
//! | `chart` | [`Chart`]: lines over steps, with bands and names where they end |
//! | `rows` | [`rows`]: single values, mean and interval by row |
//! | `parts` | [`parts()`]: parts of a whole, as one bar |
//! | `heat_map` | [`HeatMap`]: a grid of values |
//! | `plot` | [`Plot`]: axes with lines, bands and dots, for any other figure |
//! | `axis`, `scale` | [`Axis`], [`Scale`]: ranges, ticks and positions |
//! | `series` | [`Series`]: the values of a line, reduced to what a drawing can show |
//! | `sheet`, `png` | [`sheet`], [`png`]: figures as SVG and PNG files |
//! | `escape`, `number` | [`Escaped`], [`grouped`], [`short`]: text of figures |
//!
//! # Example
//!
//! ```
//! use mochi_figures::{Chart, STYLES, Series, png, sheet};
//!
//! let points = (0..100).map(|step| (f64::from(step), Some(1.0 / f64::from(step + 1)))).collect();
//! let series = vec![Series { name: "query".into(), style: STYLES[0].into(), points }];
//! let chart = Chart { title: "Loss", unit: "nats", series, values: true, reach: &[0.0] };
//! let figure = chart.render().expect("it has values");
//! let svg = sheet(&[&figure]);
//! assert!(svg.starts_with("<svg ") && png("loss", &svg)?.starts_with(b"\x89PNG"));
//! # Ok::<(), mochi_figures::DrawingError>(())
//! ```

#![forbid(unsafe_code)]

mod axis;
mod chart;
mod error;
mod escape;
mod heat_map;
mod number;
mod parts;
mod plot;
mod png;
mod rows;
mod scale;
mod series;
mod sheet;

pub use axis::Axis;
pub use chart::{Chart, STYLES, bounds, spread};
pub use error::DrawingError;
pub use escape::Escaped;
pub use heat_map::HeatMap;
pub use number::{grouped, short};
pub use parts::{Part, parts};
pub use plot::{BOTTOM, Figure, HEIGHT, LEFT, Plot, RIGHT, TOP, WIDTH};
pub use png::png;
pub use rows::{Row, rows};
pub use scale::Scale;
pub use series::Series;
pub use sheet::{CHARTS, PALETTE, sheet};
