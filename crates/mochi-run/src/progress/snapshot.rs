//! Where training stands.

/// Where training stands at a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What is going on, such as "MoCHi (1024, 1024, 128)" or "warm-up, no synthesis".
    pub phase: String,
    /// Epoch, from 0.
    pub epoch: u64,
    /// All epochs.
    pub epochs: u64,
    /// Steps done.
    pub step: u64,
    /// All steps.
    pub steps: u64,
    /// Images a second.
    pub images_per_s: f64,
    /// Seconds left, where it can be told.
    pub eta_s: Option<f64>,
    /// Loss, nats.
    pub loss: f64,
    /// Loss of a blind guess, ln(1 + K + s + s').
    pub loss_ceiling: f64,
    /// Share of the queue that holds real keys, 0 to 1.
    pub queue_fill: f64,
    /// Share of queries whose key beats every real negative, 0 to 1.
    pub accuracy_real: f64,
    /// The same against synthetic negatives too, where there are any.
    pub accuracy_with_synthetic: Option<f64>,
    /// Share of the time spent waiting for data, 0 to 1.
    pub data_wait_share: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// Seconds as people say them: `12s`, `3m 20s`, `2h 05m`, `3d 04h`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h {:02}m", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// Images a second with as many digits as mean something.
pub(super) fn rate(images_per_s: f64) -> String {
    if images_per_s < 10.0 { format!("{images_per_s:.1}") } else { format!("{images_per_s:.0}") }
}

/// A share in per cent. What is under one, but not nothing, keeps a digit.
pub(super) fn percent(share: f64) -> String {
    let per_cent = share * 100.0;
    if per_cent > 0.0 && per_cent < 9.95 { format!("{per_cent:.1} %") } else { format!("{per_cent:.0} %") }
}
