//! Metrics of every task.

pub use super::trainer::{
    DATA_WAIT_FRACTION, ELAPSED_S, EPOCH, EVALUATION_TIME_FRACTION, IMAGES, IMAGES_PER_S, LEARNING_RATE,
};
use super::{Chart, Unit};

/// The loss, and the loss at chance level if the task has one.
pub static LOSS_CHART: Chart = Chart { title: "Loss and chance level", unit: "nats", from_zero: true };

crate::metrics! {
    /// Mean training loss. With `moco.symmetric` it is the mean of the two directions, while the gradient is that of their sum.
    LOSS: "loss", Unit::Named("nats"), "train/loss", Mean, chart LOSS_CHART "loss", terminal "loss" "";
}
