//! `[proposals]`, `[regions]` and `[detections]`: what the parts of a detector pass on.

use crate::kind::Kind;
use crate::section::section;

section! {
    /// Proposals of the region proposal network (RPN). Non-maximum suppression drops a proposal whose IoU with a better one is above 0.7.
    Proposals, "proposals" {
        /// Training: the best so many anchors of an image, by score, take part in non-maximum suppression (detectron2: 12,000;
        /// `fpn`: 2,000 of each map).
        plain train_before_nms: usize = Kind::Integer { min: 1, max: 1_000_000 };
        /// Training: the best so many that remain are the proposals of an image (detectron2: 2,000; `fpn`: 1,000).
        plain train_after_nms: usize = Kind::Integer { min: 1, max: 100_000 };
        /// Evaluation: the best so many anchors of an image take part in non-maximum suppression (detectron2: 6,000; `fpn`:
        /// 1,000 of each map).
        plain test_before_nms: usize = Kind::Integer { min: 1, max: 1_000_000 };
        /// Evaluation: the best so many that remain are the proposals of an image (detectron2: 1,000).
        plain test_after_nms: usize = Kind::Integer { min: 1, max: 100_000 };
    }
}

section! {
    /// Regions that the heads learn from: a sample of the proposals and of the objects' own boxes.
    Regions, "regions" {
        /// Regions of an image in training (detectron2: 512). Most of the time of an iteration is proportional to it; 128 costs little accuracy
        /// for a quick look.
        plain count: usize = Kind::Integer { min: 1, max: 100_000 };
        /// Largest fraction of regions with an object (IoU of 0.5 or more); the others are background (detectron2: 0.25).
        plain positive_fraction: f64 = Kind::Positive { max: 1.0 };
    }
}

section! {
    /// Detections of an image in evaluation.
    Detections, "detections" {
        /// Detections below this score are dropped. It is low because average precision counts every detection by its rank (detectron2: 0.05).
        plain min_score: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// A detection is dropped if its IoU with a better one of its class is above this number (detectron2: 0.5).
        plain nms: f64 = Kind::Number { min: 0.0, max: 1.0 };
        /// Largest number of detections of an image, over all classes (COCO: 100).
        plain max_count: usize = Kind::Integer { min: 1, max: 100_000 };
    }
}
