//! Metrics that the training loop itself measures.

use super::{Chart, Unit};

static RATE_CHART: Chart = Chart { title: "Learning rate", unit: "", from_zero: true };
static SPEED_CHART: Chart = Chart { title: "Speed", unit: "images/s", from_zero: true };
static WAIT_CHART: Chart = Chart { title: "Time spent waiting for data", unit: "%", from_zero: true };

crate::metrics! {
    /// Learning rate.
    LEARNING_RATE: "learning_rate", Unit::Scalar, "train/learning_rate", Last, chart RATE_CHART "rate", terminal "loss" "lr";
    /// Epoch of the step, from 0.
    EPOCH: "epoch", Unit::Count, "train/epoch", Last;
    /// Images seen since the start of the run.
    IMAGES: "images", Unit::Count, "train/images", Last;
    /// Training speed since the previous record, without the time of evaluations and checkpoints.
    IMAGES_PER_S: "images_per_s", Unit::Named("images/s"), "speed/images_per_s", Last, chart SPEED_CHART "images/s";
    /// Fraction of the time since the previous record in which the training step waited for a batch.
    DATA_WAIT_FRACTION: "data_wait_fraction", Unit::Fraction, "speed/data_wait_fraction", Last, chart WAIT_CHART "waiting", terminal "data" "wait" warn_above 0.1;
    /// Fraction of the session's time that evaluations took, at evaluations.
    EVALUATION_TIME_FRACTION: "evaluation_time_fraction", Unit::Fraction, "speed/evaluation_time_fraction", Last;
    /// Training time since the start of the run, over all sessions.
    ELAPSED_S: "elapsed_s", Unit::Named("seconds"), "speed/elapsed_s", Last;
}
