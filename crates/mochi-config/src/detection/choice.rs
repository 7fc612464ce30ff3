//! Settings of detection that are one name of a fixed list.

use crate::choice::choice;

choice! {
    /// Format of the annotations.
    DataFormat {
        /// Found from the folder.
        Auto = "auto",
        /// PASCAL VOC: XML files in `Annotations`.
        Voc = "voc",
        /// COCO: one JSON file of a split.
        Coco = "coco",
        /// YOLO: a text file of each image.
        Yolo = "yolo",
    }
}

choice! {
    /// Feature maps and heads of a detector.
    Architecture {
        /// One map; the backbone's last stage is the head.
        C4 = "c4",
        /// A feature pyramid.
        Fpn = "fpn",
    }
}

choice! {
    /// Batch norms of the backbone and of a feature pyramid.
    Norm {
        /// Trained, with statistics of the batch.
        Batch = "batch",
        /// Fixed: the stored statistics, weights and biases.
        Frozen = "frozen",
    }
}

choice! {
    /// The last stage of the backbone that is not trained.
    Freeze {
        /// Every stage is trained.
        None = "none",
        /// The first convolution.
        Stem = "stem",
        /// torchvision's `layer1`, and the stem.
        Res2 = "res2",
        /// torchvision's `layer2`, and those before.
        Res3 = "res3",
        /// torchvision's `layer3`, and those before.
        Res4 = "res4",
    }
}
