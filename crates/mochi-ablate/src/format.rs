//! Formats of a table.
//!
//! Accuracies have two decimals. A cell is `mean ± standard deviation (n)`; the columns behind it hold `difference [95 % interval]` and the p value after
//! Holm's correction. A dash stands for what one seed cannot tell.

use std::fmt::Write as _;

use mochi_text::{aligned, counted, duration};

use crate::statistics::{Paired, mean, standard_deviation};
use crate::table::{Score, Table};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a terminal.
    Text,
    /// A Markdown table.
    Markdown,
    /// One line per variant and protocol, with every score by seed.
    Csv,
    /// A `tabular` of LaTeX, for `booktabs`.
    Latex,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Text, Format::Markdown, Format::Csv, Format::Latex];

    /// Name for the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Markdown => "markdown",
            Format::Csv => "csv",
            Format::Latex => "latex",
        }
    }

    /// Extension of its file.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Text => "txt",
            Format::Markdown => "md",
            Format::Csv => "csv",
            Format::Latex => "tex",
        }
    }

    /// The table in this format.
    pub fn write(self, table: &Table) -> String {
        match self {
            Format::Text => text(table),
            Format::Markdown => markdown(table),
            Format::Csv => csv(table),
            Format::Latex => latex(table),
        }
    }
}

/// What stands for a value that there is not.
const NONE: &str = "-";

/// The table as text: headings, then one line per variant.
pub fn cells(table: &Table) -> Vec<Vec<String>> {
    let headings = table.protocols.iter().flat_map(|p| [p.title(), "difference [95 %]", "p"].map(str::to_owned));
    let head: Vec<String> = table.axes.iter().cloned().chain(headings).chain(["time".to_owned()]).collect();
    let rows = table.rows.iter().enumerate().map(|(index, row)| {
        let p = |score: &Score| score.p_adjusted.map_or_else(|| NONE.to_owned(), |p| format!("{p:.3}"));
        let scores = row.scores.iter().flat_map(|score| [accuracy(score), difference(score, index == 0), p(score)]);
        let time = row.seconds.map_or_else(|| NONE.to_owned(), duration);
        row.labels.iter().cloned().chain(scores).chain([time]).collect()
    });
    std::iter::once(head).chain(rows).collect()
}

fn accuracy(score: &Score) -> String {
    over_seeds(&score.by_seed.iter().map(|(_, score)| *score).collect::<Vec<_>>())
}

/// Results of several seeds: `mean ± standard deviation (n)`, two decimals each; `mean (1)` of one, a dash without any.
pub fn over_seeds(values: &[f64]) -> String {
    match (mean(values), standard_deviation(values)) {
        (Some(mean), Some(deviation)) => format!("{mean:.2} ± {deviation:.2} ({})", values.len()),
        (Some(mean), None) => format!("{mean:.2} (1)"),
        _ => NONE.to_owned(),
    }
}

fn difference(score: &Score, baseline: bool) -> String {
    match score.difference {
        Some(Paired { mean, interval: Some([low, high]), .. }) => {
            format!("{} [{}, {}]", signed(mean), signed(low), signed(high))
        }
        Some(Paired { mean, .. }) => signed(mean),
        None if baseline => "baseline".to_owned(),
        None => NONE.to_owned(),
    }
}

/// With its sign and two decimals; what rounds to zero is `+0.00`.
fn signed(value: f64) -> String {
    let text = format!("{value:+.2}");
    if text == "-0.00" { "+0.00".to_owned() } else { text }
}

/// How the table is to be read, and which cells it lacks.
pub fn notes(table: &Table) -> Vec<String> {
    let [finished, all] = table.finished;
    let comparisons = table.comparisons.iter().max().copied().unwrap_or(0);
    let test = match comparisons {
        0 => "; an interval and a p value need two of them".to_owned(),
        _ => format!(
            ", with the 95 % interval and the p value of the paired t-test, corrected by Holm's method for {} per protocol",
            counted(comparisons, "comparison")
        ),
    };
    let mut notes = vec![format!(
        "Mean ± standard deviation (number of seeds). Differences are to the first row over equal seeds{test}. {finished} of {} finished.",
        counted(all, "cell")
    )];
    notes.extend(table.pruned.iter().map(|variant| format!("Pruned: {variant}")));
    notes.extend(
        table.failures.iter().map(|(variant, seed, reason)| format!("Failed: {variant}, seed {seed}: {reason}")),
    );
    notes
}

fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in aligned(&cells(table)) {
        text.push_str(&line);
        text.push('\n');
    }
    for note in notes(table) {
        text.push_str(&note);
        text.push('\n');
    }
    text
}

fn markdown(table: &Table) -> String {
    let mut text = String::new();
    for (index, row) in cells(table).iter().enumerate() {
        let escaped: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(text, "| {} |", escaped.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    for note in notes(table) {
        let _ = write!(text, "\n{note}\n");
    }
    text
}

fn csv(table: &Table) -> String {
    let quoted = |cell: &str| {
        let plain = !cell.contains([',', '"', '\n', '\r']);
        if plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut text = String::new();
    for axis in &table.axes {
        let _ = write!(text, "{},", quoted(axis));
    }
    text.push_str("protocol,seeds,mean,sd,difference,low,high,p,p_adjusted,seconds,by_seed\n");
    for row in &table.rows {
        for (protocol, score) in table.protocols.iter().zip(&row.scores) {
            for label in &row.labels {
                let _ = write!(text, "{},", quoted(label));
            }
            let difference = score.difference;
            let limit = |index: usize| difference.and_then(|d| d.interval).map(|interval| interval[index]);
            let by_seed: Vec<String> = score.by_seed.iter().map(|(seed, score)| format!("{seed}:{score}")).collect();
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{}",
                protocol.name(),
                score.by_seed.len(),
                number(score.mean),
                number(score.deviation),
                number(difference.map(|d| d.mean)),
                number(limit(0)),
                number(limit(1)),
                number(difference.and_then(|d| d.p)),
                number(score.p_adjusted),
                number(row.seconds),
                by_seed.join(" ")
            );
        }
    }
    text
}

fn latex(table: &Table) -> String {
    let escaped = |cell: &str| {
        let mut out = String::new();
        for c in cell.chars() {
            match c {
                '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
                '\\' => out.push_str("\\textbackslash{}"),
                '~' => out.push_str("\\textasciitilde{}"),
                '^' => out.push_str("\\textasciicircum{}"),
                '±' => out.push_str("$\\pm$"),
                '\n' => out.push(' '),
                c => out.push(c),
            }
        }
        out
    };
    let cells = cells(table);
    let mut text =
        format!("% {}\n\\begin{{tabular}}{{{}}}\n\\toprule\n", escaped(&table.name), "l".repeat(cells[0].len()));
    for (index, row) in cells.iter().enumerate() {
        let row: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(text, "{} \\\\", row.join(" & "));
        if index == 0 {
            text.push_str("\\midrule\n");
        }
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    for note in notes(table) {
        let _ = writeln!(text, "% {}", note.replace('\n', " "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::example;

    #[test]
    fn a_text_table_is_aligned() {
        let text = Format::Text.write(&example());
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("moco.queue  loss & more  k-NN top-1, %     difference [95 %]       p "),
            "{text}"
        );
        assert!(lines[1].starts_with("64          MoCo_v2      40.50 ± 0.71 (2)  baseline"), "{text}");
        assert!(lines[2].starts_with("128         MoCo_v2      41.42 ± 0.80 (3)  +0.62 [-0.96, +2.21]"), "{text}");
        assert!(
            lines[2].ends_with("1m 00s") && lines[4].contains("for 2 comparisons per protocol. 7 of 9 cells finished.")
        );
        assert_eq!(lines[5], "Failed: 64, MoCHi | 32, seed 2: no memory");
    }

    #[test]
    fn without_a_comparison_none_is_counted() {
        let mut table = example();
        table.comparisons = vec![0, 0];
        let note = notes(&table).remove(0);
        assert!(note.contains("over equal seeds; an interval and a p value need two of them. 7 of 9"), "{note}");
        assert!(!note.contains("comparison"), "{note}");
    }

    #[test]
    fn zero_has_one_sign() {
        assert_eq!([signed(-0.001), signed(0.0), signed(-0.01)], ["+0.00", "+0.00", "-0.01"]);
    }

    #[test]
    fn what_a_format_reserves_is_escaped() {
        let markdown = Format::Markdown.write(&example());
        assert!(
            markdown.contains("| 64 | MoCHi \\| 32 |")
                && markdown.contains("\n|---|---|---|---|---|---|---|---|---|\n")
        );
        let latex = Format::Latex.write(&example());
        assert!(
            latex.contains("loss \\& more") && latex.contains("MoCo\\_v2 & 40.50 $\\pm$ 0.71 (2) & baseline"),
            "{latex}"
        );
        let csv = Format::Csv.write(&example());
        assert!(csv.starts_with("moco.queue,loss & more,protocol,seeds,mean,"), "{csv}");
        assert!(csv.contains("\n64,MoCo_v2,knn,2,40.5,0.707"), "{csv}");
        assert!(csv.contains("0:40.5 1:41.75 2:42\n"), "{csv}");
    }
}
