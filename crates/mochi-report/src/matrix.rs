//! Accuracies of a grid of two axes, as the paper shows s against s': a row for each value of the first axis, a column for each of the second. The
//! darker a cell, the higher its mean; the best is bold.

use std::fmt::Write as _;

use mochi_ablate::plan::Axis;
use mochi_ablate::table::Score;
use mochi_ablate::{Design, Plan, Table};
use mochi_figures::Escaped;

/// Share of color in the cell with the highest mean, in percent.
const DARKEST: f64 = 45.0;

/// Adds a matrix for each protocol; nothing where the plan is no grid of two axes with several values each.
pub(crate) fn push(page: &mut String, plan: &Plan, table: &Table) {
    let [rows, columns] = &plan.axes[..] else { return };
    if plan.design != Design::Grid || rows.values.len() < 2 || columns.values.len() < 2 {
        return;
    }
    for (index, protocol) in table.protocols.iter().enumerate() {
        let scores: Vec<&Score> = table.rows.iter().map(|row| &row.scores[index]).collect();
        push_one(page, protocol.title(), rows, columns, &scores);
    }
}

/// `scores` row by row.
fn push_one(page: &mut String, title: &str, rows: &Axis, columns: &Axis, scores: &[&Score]) {
    let means = || scores.iter().filter_map(|score| score.mean);
    let (low, high) =
        means().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| (low.min(mean), high.max(mean)));
    let _ = write!(
        page,
        "<h3>{}</h3><div class=\"wide\"><table class=\"matrix\"><thead><tr><th>{} \\ {}</th>",
        Escaped(title),
        Escaped(&rows.name),
        Escaped(&columns.name)
    );
    for column in &columns.values {
        let _ = write!(page, "<th>{}</th>", Escaped(&column.label));
    }
    page.push_str("</tr></thead><tbody>\n");
    for (row, scores) in rows.values.iter().zip(scores.chunks(columns.values.len())) {
        let _ = write!(page, "<tr><th>{}</th>", Escaped(&row.label));
        for score in scores {
            let Some(mean) = score.mean else {
                page.push_str("<td>-</td>");
                continue;
            };
            let share = if high > low { DARKEST * (mean - low) / (high - low) } else { 0.0 };
            let deviation =
                score.deviation.map(|deviation| format!("<br><span class=\"small\">\u{b1} {deviation:.2}</span>"));
            let deviation = deviation.unwrap_or_default();
            let (begin, end) = if mean == high { ("<b>", "</b>") } else { ("", "") };
            let _ = write!(
                page,
                "<td style=\"background:color-mix(in srgb, var(--c0) {share:.0}%, transparent)\">{begin}{mean:.2}{end}{deviation}</td>"
            );
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_ablate::plan::AxisValue;

    fn score(mean: Option<f64>) -> Score {
        Score { by_seed: vec![], mean, deviation: mean.map(|_| 0.5), difference: None, p_adjusted: None }
    }

    #[test]
    fn the_best_cell_is_bold_and_darkest_and_missing_ones_are_dashes() {
        let axis = |name: &str, labels: [&str; 2]| Axis {
            name: name.into(),
            key: None,
            values: labels.map(|label| AxisValue { label: label.into(), settings: vec![], line: 1 }).to_vec(),
        };
        let scores = [score(Some(40.0)), score(Some(42.0)), score(None), score(Some(41.0))];
        let mut page = String::new();
        push_one(
            &mut page,
            "k-NN",
            &axis("s", ["0", "64"]),
            &axis("s'", ["0", "<16"]),
            &scores.iter().collect::<Vec<_>>(),
        );
        assert!(
            page.contains(
                "var(--c0) 45%, transparent)\"><b>42.00</b><br><span class=\"small\">\u{b1} 0.50</span></td>"
            ),
            "{page}"
        );
        assert!(page.contains("var(--c0) 0%, transparent)\">40.00<br>") && page.contains("<th>64</th><td>-</td>"));
        assert!(page.contains("<th>&lt;16</th>") && page.matches("<b>").count() == 1);
    }
}
