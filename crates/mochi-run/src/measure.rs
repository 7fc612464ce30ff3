//! The table of the measures of embeddings, which `mochi analyze` writes into `analysis.json` for each checkpoint. Each is declared once: key in JSON, column of
//! the table, chart of the pages, and one line of documentation. The table, the pages and `docs/guides/analysis.md` read it from here; formulas and sources
//! are in the module of `mochi-eval`'s `analysis` that a measure names.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One number that an analysis gives for a checkpoint.
#[derive(Debug)]
pub struct Measure {
    /// Key in JSON; identifies the measure.
    pub key: &'static str,
    /// Its name in the table of values.
    pub column: &'static str,
    /// Its name beside its line in the chart.
    pub name: &'static str,
    /// Whether it is a fraction, shown as a percentage; otherwise a plain number.
    pub fraction: bool,
    /// Its chart; measures of one chart share its axes.
    pub chart: &'static Chart,
    /// What it is, in one line.
    pub doc: &'static str,
}

/// A chart over the checkpoints.
#[derive(Debug)]
pub struct Chart {
    /// Heading.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Whether the axis includes 0.
    pub from_zero: bool,
}

const ALIGNMENT_CHART: Chart = Chart { title: "Alignment", unit: "0 to 4, lower is better", from_zero: true };
const UNIFORMITY_CHART: Chart = Chart { title: "Uniformity", unit: "lower is more uniform", from_zero: true };
const RANK_CHART: Chart = Chart { title: "Effective rank (RankMe)", unit: "dimensions", from_zero: true };
const SIMILARITY_CHART: Chart = Chart { title: "Mean similarity", unit: "cosine", from_zero: true };
const SPREAD_CHART: Chart =
    Chart { title: "Spread of the embeddings", unit: "0 collapsed, 1 isotropic", from_zero: true };
const CLASS_CHART: Chart = Chart { title: "Nearest neighbors of the same class", unit: "%", from_zero: true };
const STABILITY_CHART: Chart =
    Chart { title: "Neighbors kept since the checkpoint before", unit: "%", from_zero: true };
const PROXY_CHART: Chart = Chart { title: "Proxy task", unit: "%, key nearest", from_zero: true };
const FALSE_CHART: Chart = Chart { title: "False negatives", unit: "% of the query's class", from_zero: true };

/// See `alignment_uniformity`.
pub static ALIGNMENT: Measure = Measure {
    key: "alignment",
    column: "alignment",
    name: "alignment",
    fraction: false,
    chart: &ALIGNMENT_CHART,
    doc: "Mean squared distance of the embeddings of two augmented views of an image, 0 to 4; lower is better.",
};
/// See `alignment_uniformity`.
pub static UNIFORMITY: Measure = Measure {
    key: "uniformity",
    column: "uniformity",
    name: "uniformity",
    fraction: false,
    chart: &UNIFORMITY_CHART,
    doc: "Log of the mean of exp(-2 d²) over pairs of different images at distance d, mean of both views; lower is more uniform.",
};
/// See `rank_me`.
pub static RANK_ME_FEATURES: Measure = Measure {
    key: "rank_me_features",
    column: "RankMe, features",
    name: "features",
    fraction: false,
    chart: &RANK_CHART,
    doc: "RankMe of the backbone's features: exp of the entropy of their normalized singular values, at most the smaller of images and dimensions.",
};
/// See `rank_me`.
pub static RANK_ME_EMBEDDINGS: Measure = Measure {
    key: "rank_me_embeddings",
    column: "RankMe, embeddings",
    name: "embeddings",
    fraction: false,
    chart: &RANK_CHART,
    doc: "RankMe of the embeddings.",
};
/// See `spread`.
pub static SPREAD: Measure = Measure {
    key: "spread",
    column: "spread",
    name: "spread",
    fraction: false,
    chart: &SPREAD_CHART,
    doc: "Mean standard deviation of an embedding's dimensions times sqrt(D): 1 if they are isotropic, 0 if all embeddings are one point.",
};
/// See `similarity`.
pub static POSITIVE_SIMILARITY: Measure = Measure {
    key: "positive_similarity",
    column: "cosine, positives",
    name: "positive",
    fraction: false,
    chart: &SIMILARITY_CHART,
    doc: "Mean cosine of the embeddings of two views of an image.",
};
/// See `similarity`.
pub static NEGATIVE_SIMILARITY: Measure = Measure {
    key: "negative_similarity",
    column: "cosine, negatives",
    name: "negative",
    fraction: false,
    chart: &SIMILARITY_CHART,
    doc: "Mean cosine of the embeddings of views of different images.",
};
/// See `neighbors`.
pub static STABILITY: Measure = Measure {
    key: "neighbor_stability",
    column: "stability %",
    name: "stability",
    fraction: true,
    chart: &STABILITY_CHART,
    doc: "Mean fraction of an image's k nearest neighbors that were its neighbors at the checkpoint before. Absent at the first one.",
};
/// See `neighbors`.
pub static PURITY: Measure = Measure {
    key: "knn_purity",
    column: "k-NN purity %",
    name: "purity",
    fraction: true,
    chart: &CLASS_CHART,
    doc: "Mean fraction of an image's k nearest neighbors (cosine of features) that have its class. Needs labels.",
};
/// See `neighbors`.
pub static PURITY_CHANCE: Measure = Measure {
    key: "same_class",
    column: "purity by chance %",
    name: "chance",
    fraction: true,
    chart: &CLASS_CHART,
    doc: "Fraction of the pairs of different images that have one class: the purity of random neighbors. Needs labels.",
};
/// See `hardest`.
pub static FALSE_NEGATIVES_HARDEST: Measure = Measure {
    key: "false_negatives_hardest",
    column: "false in 64 hardest %",
    name: "hardest 64",
    fraction: true,
    chart: &FALSE_CHART,
    doc: "Fraction of the query's class among its 64 hardest negatives. Needs labels.",
};
/// See `hardest`.
pub static FALSE_NEGATIVES_ALL: Measure = Measure {
    key: "false_negatives_all",
    column: "false in all %",
    name: "all",
    fraction: true,
    chart: &FALSE_CHART,
    doc: "Fraction of the query's class among all its negatives. Needs labels.",
};
/// See `false_parents`.
pub static FALSE_PARENTS: Measure = Measure {
    key: "false_parents",
    column: "false in parents %",
    name: "parents",
    fraction: true,
    chart: &FALSE_CHART,
    doc: "Fraction of the query's class among the parents of its synthetic negatives, which are mixed from the same fraction of the negatives as in training. Needs labels; absent if the run has none.",
};
/// See `false_parents`.
pub static FALSE_PAIRS: Measure = Measure {
    key: "false_pairs",
    column: "false in pairs %",
    name: "pair mixes",
    fraction: true,
    chart: &FALSE_CHART,
    doc: "Fraction of the pair mixes with at least one parent of the query's class. Needs labels; absent if the run has no pair mixes.",
};

/// See `proxy_accuracy`.
pub static PROXY_ACCURACY: Measure = Measure {
    key: "proxy_accuracy",
    column: "proxy accuracy %",
    name: "real",
    fraction: true,
    chart: &PROXY_CHART,
    doc: "Fraction of queries whose key is nearer than the views of all other images.",
};
/// See `proxy_accuracy`.
pub static PROXY_ACCURACY_SYNTHETIC: Measure = Measure {
    key: "proxy_accuracy_synthetic",
    column: "with synthetic %",
    name: "synthetic",
    fraction: true,
    chart: &PROXY_CHART,
    doc: "The same with the run's synthetic negatives, which are mixed from the same fraction of the negatives as in training. Absent if the run has none.",
};
/// See `class_oracle`.
pub static PROXY_ACCURACY_ORACLE: Measure = Measure {
    key: "proxy_accuracy_oracle",
    column: "class oracle %",
    name: "oracle",
    fraction: true,
    chart: &PROXY_CHART,
    doc: "Proxy accuracy with a class oracle: among the images of other classes than the query's. Needs labels.",
};
/// See `class_oracle`.
pub static PROXY_ACCURACY_ORACLE_SYNTHETIC: Measure = Measure {
    key: "proxy_accuracy_oracle_synthetic",
    column: "oracle, synthetic %",
    name: "oracle, synthetic",
    fraction: true,
    chart: &PROXY_CHART,
    doc: "The same with synthetic negatives, which are mixed from images of other classes. Needs labels; absent if the run has none.",
};

/// All measures, in the order of tables and charts.
pub static MEASURES: [&Measure; 18] = [
    &ALIGNMENT,
    &UNIFORMITY,
    &RANK_ME_FEATURES,
    &RANK_ME_EMBEDDINGS,
    &SPREAD,
    &POSITIVE_SIMILARITY,
    &NEGATIVE_SIMILARITY,
    &STABILITY,
    &PURITY,
    &PURITY_CHANCE,
    &FALSE_NEGATIVES_HARDEST,
    &FALSE_NEGATIVES_ALL,
    &FALSE_PARENTS,
    &FALSE_PAIRS,
    &PROXY_ACCURACY,
    &PROXY_ACCURACY_SYNTHETIC,
    &PROXY_ACCURACY_ORACLE,
    &PROXY_ACCURACY_ORACLE_SYNTHETIC,
];

/// Values by measure, in the order of [`MEASURES`]; JSON has them as one object by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values([Option<f64>; MEASURES.len()]);

impl Values {
    /// Sets a value; `None` leaves it absent.
    pub fn set(&mut self, measure: &'static Measure, value: Option<f64>) {
        if let Some((slot, _)) = self.0.iter_mut().zip(MEASURES).find(|(_, known)| known.key == measure.key) {
            *slot = value;
        }
    }

    /// The value of a measure, if there is one.
    pub fn get(&self, measure: &Measure) -> Option<f64> {
        self.iter().find(|(known, _)| known.key == measure.key).map(|(_, value)| value)
    }

    /// The values that there are.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Measure, f64)> {
        MEASURES.into_iter().zip(self.0).filter_map(|(measure, value)| Some((measure, value?)))
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (measure, value) in self.iter() {
            map.serialize_entry(measure.key, &value)?;
        }
        map.end()
    }
}

/// Every measure as a row of a Markdown table; `cargo run -p mochi-run --example measures` prints it.
pub fn reference_table() -> String {
    let row = |measure: &Measure| {
        let unit = if measure.fraction { "fraction, 0 to 1" } else { "" };
        format!("| `{}` | {unit} | {} |\n", measure.key, measure.doc)
    };
    let rows: String = MEASURES.into_iter().map(row).collect();
    format!("| key | unit | what it is |\n|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_holds_the_table() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/analysis.md");
        let text = std::fs::read_to_string(guide).unwrap();
        assert!(
            text.contains(&reference_table()),
            "docs/guides/analysis.md is out of date: paste the output of `cargo run -p mochi-run --example measures`"
        );
    }

    #[test]
    fn keys_are_distinct_and_values_go_by_key() {
        let keys: std::collections::BTreeSet<&str> = MEASURES.iter().map(|measure| measure.key).collect();
        assert_eq!(keys.len(), MEASURES.len());
        let mut values = Values::default();
        for (i, measure) in MEASURES.into_iter().enumerate() {
            values.set(measure, (i != 3).then_some(i as f64));
        }
        assert_eq!((values.get(MEASURES[5]), values.get(MEASURES[3])), (Some(5.0), None));
        let json = serde_json::to_value(&values).unwrap();
        assert_eq!((json["uniformity"].as_f64(), json.get("rank_me_embeddings")), (Some(1.0), None));
    }
}
