//! Learning rates (facebookresearch/moco `adjust_learning_rate`, and its usual neighbours).
//!
//! With `x` the progress in epochs (whole epochs for `per = "epoch"`, as MoCo has it; fractional for `per = "step"`), `E` epochs, `w` warm-up epochs:
//!
//! ```text
//! x < w :   lr = peak * (x + one unit) / w               one unit = 1 epoch, or 1 step in epochs: never zero
//! cosine:   lr = peak * (1 + cos(pi x / E)) / 2           x counts from the start, warm-up or not: w = 0 is MoCo's
//! step:     lr = peak * 0.1^(number of milestones <= x)
//! ```

use mochi_config::{Optimizer, Per, Schedule};

/// The learning rate of step `step` (0-based) of a run of `epochs` epochs of `steps_per_epoch` steps.
pub fn learning_rate(settings: &Optimizer, step: u64, steps_per_epoch: u64, epochs: u32) -> f64 {
    let per_epoch = steps_per_epoch.max(1);
    let (x, unit) = match settings.per {
        Per::Epoch => ((step / per_epoch) as f64, 1.0),
        Per::Step => (step as f64 / per_epoch as f64, 1.0 / per_epoch as f64),
    };
    let warmup = f64::from(settings.warmup_epochs);
    let peak = settings.learning_rate;
    if x < warmup {
        return peak * ((x + unit) / warmup).min(1.0);
    }
    match settings.schedule {
        Schedule::Cosine => peak * 0.5 * (1.0 + (std::f64::consts::PI * x / f64::from(epochs.max(1))).cos()),
        Schedule::Step => {
            let passed = settings.milestones.iter().filter(|&&m| x >= f64::from(m)).count();
            peak * 0.1f64.powi(i32::try_from(passed).unwrap_or(i32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{OptimizerName, Settings};

    fn settings(schedule: Schedule, per: Per, warmup_epochs: u32) -> Optimizer {
        Optimizer {
            name: OptimizerName::Sgd,
            learning_rate: 0.03,
            momentum: 0.9,
            weight_decay: 1e-4,
            schedule,
            milestones: vec![120, 160],
            per,
            warmup_epochs,
        }
    }

    #[test]
    fn mocos_two_schedules() {
        // python: 0.03 * 0.5 * (1 + math.cos(math.pi * epoch / 200)), as main_moco.py has it.
        let cosine = settings(Schedule::Cosine, Per::Epoch, 0);
        let at = |s: &Optimizer, epoch: u64| learning_rate(s, epoch * 10 + 3, 10, 200);
        assert_eq!(at(&cosine, 0), 0.03);
        assert!((at(&cosine, 50) - 0.025606601717798212).abs() < 1e-15);
        assert!((at(&cosine, 199) - 1.8505127750911841e-06).abs() < 1e-15);
        let step = settings(Schedule::Step, Per::Epoch, 0);
        for (epoch, wanted) in [(0, 0.03), (119, 0.03), (120, 0.003), (159, 0.003), (160, 0.0003), (199, 0.0003)] {
            assert!((at(&step, epoch) - wanted).abs() < 1e-15, "epoch {epoch}");
        }
    }

    #[test]
    fn warm_up_climbs_from_above_zero_to_the_peak() {
        let s = settings(Schedule::Cosine, Per::Step, 2);
        let rates: Vec<f64> = (0..30).map(|step| learning_rate(&s, step, 10, 100)).collect();
        assert!((rates[0] - 0.03 / 20.0).abs() < 1e-12);
        assert!(rates[..20].windows(2).all(|w| w[1] > w[0]));
        assert!((rates[19] - 0.03).abs() < 1e-12);
        assert!(rates[20..].windows(2).all(|w| w[1] < w[0]));
        assert!(Settings::preset("moco-v2").is_ok());
    }
}
