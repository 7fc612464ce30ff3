//! The evaluation protocols whose results a run holds, `eval/NAME.json`: the one table from which the command line, plans and ablation studies read
//! their names.

use serde::Serialize;

use crate::metric::{self, Metric};

/// An evaluation protocol.
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
    /// The whole network, trained on labeled images.
    FineTune,
    /// The same on the labels of 10 % of the training images.
    FineTune10Percent,
    /// The same on the labels of 1 % of the training images.
    FineTune1Percent,
    /// Average precision of boxes of a detector that starts from the encoder.
    DetectionAp,
    /// The same at IoU 0.5.
    DetectionAp50,
    /// Average precision of masks.
    SegmentationAp,
    /// The same at IoU 0.5.
    SegmentationAp50,
}

/// What a protocol does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// k-NN on frozen features.
    Knn,
    /// A linear classifier on frozen features, on this fraction of the labels.
    Linear(f64),
    /// Nearest class mean on frozen features.
    FewShot,
    /// Training of the whole network, on this fraction of the labels.
    FineTune(f64),
    /// Training of a detector, whose metric of this key counts.
    Detection(&'static str),
}

/// Protocol, name, heading and method.
type Row = (Protocol, &'static str, &'static str, Method);

/// The table, in the order of a table's columns. Values are in percent.
const TABLE: [Row; 12] = [
    (Protocol::Knn, "knn", "k-NN top-1, %", Method::Knn),
    (Protocol::Linear, "linear", "linear top-1, %", Method::Linear(1.0)),
    (Protocol::Linear10Percent, "linear-10-percent", "linear 10 % labels, %", Method::Linear(0.1)),
    (Protocol::Linear1Percent, "linear-1-percent", "linear 1 % labels, %", Method::Linear(0.01)),
    (Protocol::FewShot, "few-shot", "5-way 5-shot, %", Method::FewShot),
    (Protocol::FineTune, "fine-tune", "fine-tuning top-1, %", Method::FineTune(1.0)),
    (Protocol::FineTune10Percent, "fine-tune-10-percent", "fine-tuning 10 % labels, %", Method::FineTune(0.1)),
    (Protocol::FineTune1Percent, "fine-tune-1-percent", "fine-tuning 1 % labels, %", Method::FineTune(0.01)),
    (Protocol::DetectionAp, "detection-ap", "box AP, %", Method::Detection("ap")),
    (Protocol::DetectionAp50, "detection-ap50", "box AP50, %", Method::Detection("ap50")),
    (Protocol::SegmentationAp, "segmentation-ap", "mask AP, %", Method::Detection("mask_ap")),
    (Protocol::SegmentationAp50, "segmentation-ap50", "mask AP50, %", Method::Detection("mask_ap50")),
];

impl Protocol {
    /// Every protocol, in the order of a table's columns.
    pub const ALL: [Protocol; TABLE.len()] = {
        let mut all = [Protocol::Knn; TABLE.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].0;
            at += 1;
        }
        all
    };

    /// Those that are evaluated if none are named.
    pub const DEFAULT: [Protocol; 2] = [Protocol::Knn, Protocol::Linear];

    fn row(self) -> Row {
        // The table has the order of the variants, which a test checks.
        TABLE[self as usize]
    }

    /// Name, also of its file under `eval/`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The protocol of a name.
    pub fn find(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// All names, separated by commas.
    pub fn names() -> String {
        Protocol::ALL.map(Protocol::name).join(", ")
    }

    /// Names of those that take labeled images (`mochi eval`), separated by commas.
    pub fn names_of_images() -> String {
        let all = Protocol::ALL.into_iter().filter(|protocol| protocol.detection_metric().is_none());
        all.map(Protocol::name).collect::<Vec<_>>().join(", ")
    }

    /// The metric of a detector's last evaluation that is the result; `None` for a protocol on labeled images.
    pub fn detection_metric(self) -> Option<&'static Metric> {
        match self.method() {
            Method::Detection(key) => metric::find(key),
            _ => None,
        }
    }

    /// Heading of its column.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// What it does.
    pub fn method(self) -> Method {
        self.row().3
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
        for (number, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, number);
            assert_eq!(Protocol::find(protocol.name()), Some(protocol));
            let part =
                matches!(protocol.method(), Method::Linear(fraction) | Method::FineTune(fraction) if fraction < 1.0);
            assert_eq!(part, protocol.name().ends_with("-percent"), "{}", protocol.name());
            assert_eq!(protocol.detection_metric().is_some(), matches!(protocol.method(), Method::Detection(_)));
        }
        assert_eq!(Protocol::find("detection"), None);
    }
}
