//! The table of a study: a row per variant; for each protocol mean and standard deviation over seeds, and the difference to the baseline, the first
//! variant, with a paired 95 % interval and a p value.
//!
//! The p values of one protocol are corrected together by Holm's method, over all variants that could be compared.

use mochi_run::Protocol;
use serde::Serialize;

use crate::cell::Cells;
use crate::folder::{Finished, State};
use crate::plan::Plan;
use crate::prune::differences;
use crate::statistics::{Paired, holm, mean, paired, standard_deviation};

/// A variant's scores in one protocol.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Scores by seed, in the order of the plan's seeds.
    pub by_seed: Vec<(u64, f64)>,
    /// Mean over seeds; `None` without any.
    pub mean: Option<f64>,
    /// Standard deviation over seeds; `None` for fewer than two.
    pub deviation: Option<f64>,
    /// Difference to the baseline over the seeds that both have; `None` for the baseline.
    pub difference: Option<Paired>,
    /// Its p value after Holm's correction.
    pub p_adjusted: Option<f64>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Label of the variant's value, by axis.
    pub labels: Vec<String>,
    /// Scores by protocol.
    pub scores: Vec<Score>,
    /// Mean time of a cell in seconds.
    pub seconds: Option<f64>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// Name of the study.
    pub name: String,
    /// Headings of the labels.
    pub axes: Vec<String>,
    /// Protocols, in the order of the columns.
    pub protocols: Vec<Protocol>,
    /// Rows; the first is the baseline.
    pub rows: Vec<Row>,
    /// Number of comparisons that the p values of each protocol are corrected for.
    pub comparisons: Vec<usize>,
    /// Cells that are finished, and all cells.
    pub finished: [usize; 2],
    /// Variants whose remaining seeds were skipped, by name; empty until [`prune`](crate::prune) was asked for.
    pub pruned: Vec<String>,
    /// Why cells failed: the variant's name, the seed and the reason.
    pub failures: Vec<(String, u64, String)>,
}

impl Table {
    /// The table of a plan's cells; `states[i]` is the state of `cells.cells[i]`.
    pub fn of(plan: &Plan, cells: &Cells, states: &[State]) -> Table {
        let finished = |variant: usize| {
            let of_variant = cells.cells.iter().zip(states).filter(move |(cell, _)| cell.variant == variant);
            of_variant.filter_map(|(cell, state)| match state {
                State::Finished(finished) => Some((cell.seed, finished)),
                _ => None,
            })
        };
        let scores = |variant: usize, protocol: Protocol| -> Vec<(u64, f64)> {
            let score = |finished: &Finished| finished.scores.get(&protocol).copied();
            finished(variant).filter_map(|(seed, finished)| Some((seed, score(finished)?))).collect()
        };
        let mut rows: Vec<Row> = cells
            .variants
            .iter()
            .enumerate()
            .map(|(index, variant)| Row {
                labels: variant.labels.clone(),
                scores: plan
                    .evaluate
                    .iter()
                    .map(|&protocol| score(scores(index, protocol), (index > 0).then(|| scores(0, protocol))))
                    .collect(),
                seconds: mean(&finished(index).filter_map(|(_, finished)| finished.seconds).collect::<Vec<_>>()),
            })
            .collect();
        let comparisons = (0..plan.evaluate.len()).map(|protocol| adjust(&mut rows, protocol)).collect();
        let failure = |(cell, state): (&crate::cell::Cell, &State)| match state {
            State::Failed(failed) => Some((cells.variants[cell.variant].name(), cell.seed, failed.reason.clone())),
            _ => None,
        };
        Table {
            name: plan.name.clone(),
            axes: plan.axes.iter().map(|axis| axis.name.clone()).collect(),
            protocols: plan.evaluate.clone(),
            rows,
            comparisons,
            finished: [states.iter().filter(|state| matches!(state, State::Finished(_))).count(), states.len()],
            pruned: vec![],
            failures: cells.cells.iter().zip(states).filter_map(failure).collect(),
        }
    }
}

fn score(by_seed: Vec<(u64, f64)>, baseline: Option<Vec<(u64, f64)>>) -> Score {
    let values: Vec<f64> = by_seed.iter().map(|(_, score)| *score).collect();
    Score {
        mean: mean(&values),
        deviation: standard_deviation(&values),
        difference: baseline.and_then(|baseline| paired(&differences(&by_seed, &baseline))),
        p_adjusted: None,
        by_seed,
    }
}

/// Corrects the p values of one protocol; gives their number.
fn adjust(rows: &mut [Row], protocol: usize) -> usize {
    let mut scores: Vec<&mut Score> = rows.iter_mut().map(|row| &mut row.scores[protocol]).collect();
    let p = |score: &&mut Score| score.difference.and_then(|difference| difference.p);
    let all: Vec<f64> = scores.iter().filter_map(p).collect();
    let adjusted = holm(&all);
    for (score, value) in scores.iter_mut().filter(|score| p(score).is_some()).zip(adjusted) {
        score.p_adjusted = Some(value);
    }
    all.len()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Two axes, three variants, three seeds; one failed cell and one that is pending.
    pub(crate) fn example() -> Table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue_size.toml");
        let text = "design = \"one-at-a-time\"\nseeds = [0, 1, 2]\n[data]\nimages = \"a\"\ntrain = \"b\"\ntest = \"c\"\n\
                    [[axis]]\nkey = \"moco.queue\"\nvalues = [64, 128]\n\
                    [[axis]]\nname = \"loss & more\"\nvalues = [{name = \"MoCo_v2\"}, {name = \"MoCHi | 32\", negatives.pairs = 32}]\n";
        std::fs::write(&path, text).unwrap();
        let plan = Plan::read(&path).unwrap();
        let cells = Cells::of(&plan).unwrap();
        let knn = [[40.0, 41.0, 0.0], [40.5, 41.75, 42.0], [39.0, 42.0, 43.0]];
        let states: Vec<State> = cells
            .cells
            .iter()
            .map(|cell| match (cell.variant, cell.seed) {
                (0, 2) => State::Pending,
                (2, 2) => State::Failed(crate::Failed { reason: "no memory".into(), log: "x".into() }),
                (variant, seed) => {
                    let top1 = knn[variant][usize::try_from(seed).unwrap()];
                    let scores = BTreeMap::from([(Protocol::Knn, top1), (Protocol::Linear, top1 + 10.0)]);
                    State::Finished(Finished { scores, seconds: Some(60.0) })
                }
            })
            .collect();
        Table::of(&plan, &cells, &states)
    }

    #[test]
    fn a_table_compares_equal_seeds_with_the_baseline() {
        let table = example();
        assert_eq!(table.finished, [7, 9]);
        assert_eq!(table.failures, [("64, MoCHi | 32".to_owned(), 2, "no memory".to_owned())]);
        let score = |row: usize| &table.rows[row].scores[0];
        assert_eq!((score(0).mean, score(0).difference), (Some(40.5), None));
        assert_eq!(score(1).by_seed.len(), 3);
        let difference = score(1).difference.unwrap();
        assert_eq!((difference.pairs, difference.mean), (2, 0.625), "seed 2 has no baseline");
        assert_eq!(table.comparisons, [2, 2]);
        let p = [1, 2].map(|row| score(row).difference.unwrap().p.unwrap());
        assert_eq!(score(1).p_adjusted, Some((2.0 * p[0]).min(1.0)));
        assert!(p[1] > p[0] && score(2).p_adjusted >= score(1).p_adjusted);
    }
}
