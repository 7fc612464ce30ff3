//! Accuracies of a study over two of its axes, as heat maps: one for each protocol and each combination of the other axes' values.

use mochi_ablate::plan::Axis;
use mochi_ablate::{Design, Plan, Table};
use mochi_figures::HeatMap;

use super::figure::Drawn;
use super::missing::Missing;

/// A key of the settings, and the letter that the paper has for it.
pub(crate) type Letter = (&'static str, &'static str);

/// The heat maps of `rows` against `columns`.
pub(crate) fn draw(plan: &Plan, table: &Table, rows: Letter, columns: Letter) -> Drawn {
    let missing = || {
        let keys = format!("a grid over {} and {}", rows.0, columns.0);
        Missing::new(keys, "mochi ablate PLAN.toml, with an [[axis]] for each of the two keys")
    };
    let at = |key: &str| plan.axes.iter().position(|axis| varies_only(axis, key));
    let (Some(row), Some(column), Design::Grid) = (at(rows.0), at(columns.0), plan.design) else {
        return Err(missing());
    };
    let labels = |axis: usize| plan.axes[axis].values.iter().map(|value| value.label.clone()).collect::<Vec<_>>();
    let others = |labels: &[String]| {
        let kept = labels.iter().zip(&plan.axes).enumerate().filter(|&(axis, _)| axis != row && axis != column);
        kept.map(|(_, (label, axis))| format!("{} {label}", axis.name)).collect::<Vec<String>>().join(", ")
    };
    let mut groups: Vec<String> = Vec::new();
    for variant in &table.rows {
        let group = others(&variant.labels);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let mut figures = Vec::new();
    for (protocol, of) in table.protocols.iter().enumerate() {
        for group in &groups {
            let cell = |(row_label, column_label): (&String, &String)| {
                let own = |labels: &[String]| {
                    labels[row] == *row_label && labels[column] == *column_label && others(labels) == *group
                };
                let score = &table.rows.iter().find(|variant| own(&variant.labels))?.scores[protocol];
                let seeds = score.by_seed.len();
                let below = score.deviation.map_or_else(|| format!("({seeds})"), |sd| format!("± {sd:.2} ({seeds})"));
                Some((score.mean?, below))
            };
            let (row_labels, column_labels) = (labels(row), labels(column));
            let places = row_labels.iter().flat_map(|row| column_labels.iter().map(move |column| (row, column)));
            let title = format!("{} over {} and {}", of.title().trim_end_matches(", %"), rows.1, columns.1);
            let map = HeatMap {
                cells: places.map(cell).collect(),
                title: if group.is_empty() { title } else { format!("{title}: {group}") },
                unit: "%, ± standard deviation (seeds)".to_owned(),
                rows: (rows.1.to_owned(), row_labels.clone()),
                columns: (columns.1.to_owned(), column_labels.clone()),
            };
            figures.extend(map.render());
        }
    }
    if figures.is_empty() {
        return Err(Missing::new("finished cells", "mochi ablate PLAN.toml"));
    }
    Ok(figures)
}

/// Whether each value of an axis sets `key` and nothing else.
fn varies_only(axis: &Axis, key: &str) -> bool {
    let sets = |setting: &String| setting.split_once('=').is_some_and(|(name, _)| name == key);
    axis.values.len() > 1 && axis.values.iter().all(|value| matches!(&value.settings[..], [one] if sets(one)))
}
