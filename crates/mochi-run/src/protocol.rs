//! The evaluation protocols whose results a run holds, `eval/NAME.json`: the one table from which the command line and ablation studies read
//! their names.

use serde::Serialize;

/// An evaluation protocol on frozen features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
pub enum Protocol {
    /// Weighted k-nearest neighbors.
    Knn,
    /// Linear classifier.
    Linear,
    /// Linear classifier on the labels of 10 % of the training images.
    Linear10Percent,
    /// Linear classifier on the labels of 1 % of the training images.
    Linear1Percent,
    /// Nearest class mean of five images of each of five classes.
    FewShot,
}

impl Protocol {
    /// Every protocol, in the order of a table's columns.
    pub const ALL: [Protocol; 5] =
        [Protocol::Knn, Protocol::Linear, Protocol::Linear10Percent, Protocol::Linear1Percent, Protocol::FewShot];

    /// Those that are evaluated if none are named.
    pub const DEFAULT: [Protocol; 2] = [Protocol::Knn, Protocol::Linear];

    /// Name, also of its file under `eval/`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Knn => "knn",
            Protocol::Linear => "linear",
            Protocol::Linear10Percent => "linear-10-percent",
            Protocol::Linear1Percent => "linear-1-percent",
            Protocol::FewShot => "few-shot",
        }
    }

    /// The protocol of a name.
    pub fn find(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Heading of its column. Accuracies are in percent.
    pub fn title(self) -> &'static str {
        match self {
            Protocol::Knn => "k-NN top-1, %",
            Protocol::Linear => "linear top-1, %",
            Protocol::Linear10Percent => "linear 10 % labels, %",
            Protocol::Linear1Percent => "linear 1 % labels, %",
            Protocol::FewShot => "5-way 5-shot, %",
        }
    }

    /// Fraction of the training labels that a linear classifier gets; `None` for another protocol.
    pub fn label_fraction(self) -> Option<f64> {
        match self {
            Protocol::Linear => Some(1.0),
            Protocol::Linear10Percent => Some(0.1),
            Protocol::Linear1Percent => Some(0.01),
            Protocol::Knn | Protocol::FewShot => None,
        }
    }
}

impl From<Protocol> for &'static str {
    fn from(protocol: Protocol) -> Self {
        protocol.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_differ() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::find(protocol.name()), Some(protocol));
        }
        assert_eq!(Protocol::find("detection"), None);
    }
}
