//! Metrics of object detection, under detectron2's names.

use super::{Chart, Unit};

static HEADS_CHART: Chart = Chart { title: "Losses of the regions", unit: "", from_zero: true };
static RPN_CHART: Chart = Chart { title: "Losses of the region proposal network", unit: "", from_zero: true };
static FOREGROUND_CHART: Chart = Chart { title: "Sampled regions that hold an object", unit: "%", from_zero: true };
static BOX_AP_CHART: Chart = Chart { title: "Average precision of boxes", unit: "%", from_zero: true };
static MASK_AP_CHART: Chart = Chart { title: "Average precision of masks", unit: "%", from_zero: true };

crate::metrics! {
    /// Cross entropy of the regions' classes.
    LOSS_CLS: "loss_cls", Unit::Named("nats"), "detection/loss_cls", Mean, chart HEADS_CHART "classes", terminal "loss" "classes";
    /// L1 loss of the regions' boxes, per region.
    LOSS_BOX_REG: "loss_box_reg", Unit::Scalar, "detection/loss_box_reg", Mean, chart HEADS_CHART "boxes", terminal "loss" "boxes";
    /// Binary cross entropy of the regions' masks. Absent without masks.
    LOSS_MASK: "loss_mask", Unit::Named("nats"), "detection/loss_mask", Mean, chart HEADS_CHART "masks", terminal "loss" "masks";
    /// Binary cross entropy of the anchors' objectness.
    LOSS_RPN_CLS: "loss_rpn_cls", Unit::Named("nats"), "detection/loss_rpn_cls", Mean, chart RPN_CHART "objectness", terminal "loss" "rpn";
    /// L1 loss of the anchors' boxes.
    LOSS_RPN_LOC: "loss_rpn_loc", Unit::Scalar, "detection/loss_rpn_loc", Mean, chart RPN_CHART "boxes";
    /// Fraction of the sampled regions that hold an object.
    FOREGROUND: "foreground", Unit::Fraction, "detection/foreground", Mean, chart FOREGROUND_CHART "foreground";
    /// COCO's box AP on the evaluation split, the mean over IoU 0.50 to 0.95. This and the next five: at evaluations.
    AP: "ap", Unit::Fraction, "evaluation/ap", Last, chart BOX_AP_CHART "AP", terminal "evaluation" "AP";
    /// COCO's box AP at IoU 0.5.
    AP50: "ap50", Unit::Fraction, "evaluation/ap50", Last, chart BOX_AP_CHART "AP50", terminal "evaluation" "AP50";
    /// COCO's box AP at IoU 0.75.
    AP75: "ap75", Unit::Fraction, "evaluation/ap75", Last, chart BOX_AP_CHART "AP75";
    /// COCO's mask AP. Absent without masks.
    MASK_AP: "mask_ap", Unit::Fraction, "evaluation/mask_ap", Last, chart MASK_AP_CHART "AP", terminal "evaluation" "mask AP";
    /// COCO's mask AP at IoU 0.5. Absent without masks.
    MASK_AP50: "mask_ap50", Unit::Fraction, "evaluation/mask_ap50", Last, chart MASK_AP_CHART "AP50";
    /// COCO's mask AP at IoU 0.75. Absent without masks.
    MASK_AP75: "mask_ap75", Unit::Fraction, "evaluation/mask_ap75", Last, chart MASK_AP_CHART "AP75";
}
