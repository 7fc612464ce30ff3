//! The table of metrics. Each entry is declared once, in the file of the task that reports it: key in `metrics.jsonl`, unit, TensorBoard tag, how it is
//! combined over the steps of a record, chart of the report, row of the terminal, and one line of documentation. Logs, TensorBoard,
//! terminal, report and `docs/guides/measurements.md` all read it from there.
//!
//! A step returns its values as [`Metrics`]; [`Averages`] combines the steps between two records.
//!
//! A task adds a file with a table of its own and a line in [`TABLES`].

pub mod contrastive;
pub mod detection;
pub mod general;
pub mod online;
mod reference;
mod trainer;
mod values;

pub use reference::reference_table;
pub use values::{Averages, Metrics};

/// One number that a run reports.
#[derive(Debug)]
pub struct Metric {
    /// Key in `metrics.jsonl`; identifies the metric.
    pub key: &'static str,
    /// What its values are measured in.
    pub unit: Unit,
    /// TensorBoard tag.
    pub tag: &'static str,
    /// How the steps of a record are combined.
    pub average: Average,
    /// Chart of the report, and the metric's name in it. `None`: not drawn.
    pub chart: Option<(&'static Chart, &'static str)>,
    /// Place in the progress display. `None`: not shown.
    pub terminal: Option<Terminal>,
    /// What it is, in one line.
    pub doc: &'static str,
}

/// What the values of a metric are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 1; shown as a percentage.
    Fraction,
    /// A whole number; written without a decimal point.
    Count,
    /// A plain number.
    Scalar,
    /// A unit with a name, such as "nats".
    Named(&'static str),
}

impl Unit {
    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Fraction => "fraction, 0 to 1",
            Unit::Count => "count",
            Unit::Scalar => "",
            Unit::Named(name) => name,
        }
    }

    /// Factor from the recorded value to the shown one.
    pub fn scale(self) -> f64 {
        if self == Unit::Fraction { 100.0 } else { 1.0 }
    }
}

/// How the values of the steps between two records become one. Steps without a value do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Mean over the steps that have a value.
    Mean,
    /// Value of the last step that has one.
    Last,
    /// Largest value.
    Max,
}

impl Average {
    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Average::Mean => "mean",
            Average::Last => "last",
            Average::Max => "max",
        }
    }
}

/// A chart of the report: one or several metrics of one unit over the steps.
#[derive(Debug)]
pub struct Chart {
    /// Heading; identifies the chart.
    pub title: &'static str,
    /// Label of the value axis.
    pub unit: &'static str,
    /// Whether the value axis always includes 0.
    pub from_zero: bool,
}

/// Where the progress display shows a metric.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Row; metrics of one row are shown in one line, in the order of the table.
    pub row: &'static str,
    /// Name within the row; empty where the row's name is enough.
    pub label: &'static str,
    /// Value above which it is highlighted.
    pub warn_above: f64,
}

/// Row of the values of an evaluation, which can be of an earlier step than the others.
pub const EVALUATION_ROW: &str = "evaluation";

impl Metric {
    /// A value as people read it: a percentage for fractions, otherwise three decimals or an exponent.
    pub fn format(&self, value: f64) -> String {
        match self.unit {
            Unit::Fraction => {
                let percent = value * 100.0;
                if percent > 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
            }
            Unit::Count => format!("{value:.0}"),
            Unit::Scalar | Unit::Named(_) => match value.abs() {
                size if size > 0.0 && size < 0.1 => format!("{value:.2e}"),
                size if size >= 1e4 => format!("{value:.0}"),
                _ => format!("{value:.3}"),
            },
        }
    }
}

/// Every table, in the order in which metrics are documented and drawn.
pub static TABLES: &[&[&Metric]] =
    &[general::TABLE, contrastive::TABLE, online::TABLE, detection::TABLE, trainer::TABLE];

/// Every metric, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    TABLES.iter().copied().flatten().copied()
}

/// The metric with this key.
pub fn find(key: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.key == key)
}

/// Declares a table of metrics, one entry each:
///
/// ```text
/// /// Documentation, one line.
/// NAME: "key", unit, "tensorboard/tag", Average [, chart CHART "name"] [, terminal "row" "label"];
/// ```
///
/// Each becomes a `pub static NAME: Metric`; the whole becomes `pub static TABLE: &[&Metric]`.
#[macro_export]
macro_rules! metrics {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $key:literal, $unit:expr, $tag:literal, $average:ident
        $(, chart $chart:ident $series:literal)?
        $(, terminal $row:literal $label:literal $(warn_above $warn:literal)?)?;
    )+) => {
        $(
            $(#[doc = $doc])+
            pub static $name: $crate::metric::Metric = $crate::metric::Metric {
                key: $key,
                unit: $unit,
                tag: $tag,
                average: $crate::metric::Average::$average,
                chart: $crate::metrics!(@option $((&$chart, $series))?),
                terminal: $crate::metrics!(@option $($crate::metric::Terminal {
                    row: $row,
                    label: $label,
                    warn_above: $crate::metrics!(@number $($warn)?),
                })?),
                doc: concat!($($doc),+),
            };
        )+

        /// The metrics of this file, in the order in which they are documented and drawn.
        pub static TABLE: &[&$crate::metric::Metric] = &[$(&$name),+];
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
    (@number) => { f64::INFINITY };
    (@number $value:literal) => { $value };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tags_are_unique_and_documented() {
        let (mut keys, mut tags) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for metric in all() {
            assert!(keys.insert(metric.key) && metric.key != "step", "{} is declared twice", metric.key);
            assert!(tags.insert(metric.tag), "{} is used twice", metric.tag);
            assert!(metric.doc.starts_with(' ') && metric.doc.ends_with('.'), "{}: {}", metric.key, metric.doc);
            assert!(!metric.doc.contains('|'), "{}", metric.key);
            assert!(std::ptr::eq(find(metric.key).unwrap(), metric));
            let shown = metric.terminal.is_some_and(|place| place.row == EVALUATION_ROW);
            assert!(!shown || metric.average == Average::Last, "{} is of an evaluation", metric.key);
        }
        assert!(find("step").is_none());
    }

    #[test]
    fn values_are_shown_by_their_unit() {
        let shown = |metric: &Metric, value| metric.format(value);
        assert_eq!(shown(&general::LOSS, 6.8123), "6.812");
        assert_eq!(shown(&general::LEARNING_RATE, 0.03), "3.00e-2");
        assert_eq!(shown(&general::IMAGES, 51_200.0), "51200");
        let fractions = [0.0, 0.004, 0.5, 1.0].map(|value| shown(&general::DATA_WAIT_FRACTION, value));
        assert_eq!(fractions, ["0 %", "0.4 %", "50 %", "100 %"]);
    }
}
