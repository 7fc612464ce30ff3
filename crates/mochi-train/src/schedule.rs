//! Learning rates over the steps of a run, counted in epochs or in iterations.
//!
//! With `u` steps per unit (an epoch, or one iteration), the progress `x` is counted in units: whole ones if the rate changes once per unit, otherwise
//! fractions of them. With the length `E`, the warm-up length `w` and one change `d` (1 unit, or 1 / u of it):
//!
//! ```text
//! x < w :   lr = peak * (x + d) / w                          linear warm-up, never zero
//!           lr = peak * (f + (1 - f) * x / w)                linear warm-up from a factor f (detectron2)
//! cosine:   lr = peak * (1 + cos(pi x / E)) / 2              x counts from the start, warm-up or not (facebookresearch/moco)
//! steps:    lr = peak * factor^(number of milestones <= x)
//! ```

/// A learning-rate schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRate {
    /// Highest rate.
    pub peak: f64,
    /// Steps per unit of `length`, `warm_up` and milestones: the steps of an epoch, or 1 if these count iterations.
    pub steps_per_unit: u64,
    /// When the rate changes.
    pub update: Update,
    /// Units of the whole run.
    pub length: f64,
    /// How the rate rises.
    pub warm_up: WarmUp,
    /// How the rate falls.
    pub decay: Decay,
}

/// When the rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Once per unit.
    EveryUnit,
    /// At every step.
    EveryStep,
}

/// How the rate rises to its peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WarmUp {
    /// It starts at the peak.
    None,
    /// Linearly from just above zero, over this many units.
    Linear(f64),
    /// Linearly from a fraction of the peak.
    From {
        /// Fraction of the peak at step 0.
        factor: f64,
        /// Units that it takes.
        length: f64,
    },
}

/// How the rate falls after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// Along half a cosine to zero.
    Cosine,
    /// By a factor at each milestone.
    Steps {
        /// In units, rising.
        milestones: Vec<f64>,
        /// Factor at each of them.
        factor: f64,
    },
}

impl LearningRate {
    /// A constant rate.
    pub fn constant(rate: f64) -> Self {
        Self {
            peak: rate,
            steps_per_unit: 1,
            update: Update::EveryStep,
            length: 1.0,
            warm_up: WarmUp::None,
            decay: Decay::Constant,
        }
    }

    /// The rate of a step at this position: its number, from 0, unless a time budget moves it ([`crate::Timeline::budget`]).
    pub fn at(&self, position: f64) -> f64 {
        let unit = self.steps_per_unit.max(1) as f64;
        let (x, change) = match self.update {
            Update::EveryUnit => ((position / unit).floor(), 1.0),
            Update::EveryStep => (position / unit, 1.0 / unit),
        };
        match self.warm_up {
            WarmUp::Linear(length) if x < length => return self.peak * ((x + change) / length).min(1.0),
            WarmUp::From { factor, length } if x < length => {
                return self.peak * (factor + (1.0 - factor) * x / length);
            }
            _ => {}
        }
        match &self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine => {
                self.peak * 0.5 * (1.0 + (std::f64::consts::PI * x / self.length.max(f64::MIN_POSITIVE)).cos())
            }
            Decay::Steps { milestones, factor } => {
                let passed = milestones.iter().filter(|&&milestone| x >= milestone).count();
                self.peak * factor.powi(i32::try_from(passed).unwrap_or(i32::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(decay: Decay, update: Update, warm_up: WarmUp, length: f64) -> LearningRate {
        LearningRate { peak: 0.03, steps_per_unit: 10, update, length, warm_up, decay }
    }

    #[test]
    fn mocos_two_schedules() {
        // python: 0.03 * 0.5 * (1 + math.cos(math.pi * epoch / 200)), as main_moco.py has it.
        let cosine = epochs(Decay::Cosine, Update::EveryUnit, WarmUp::None, 200.0);
        let at = |s: &LearningRate, epoch: u64| s.at((epoch * 10 + 3) as f64);
        assert_eq!(at(&cosine, 0), 0.03);
        assert!((at(&cosine, 50) - 0.025606601717798212).abs() < 1e-15);
        assert!((at(&cosine, 199) - 1.8505127750911841e-06).abs() < 1e-15);
        let decay = Decay::Steps { milestones: vec![120.0, 160.0], factor: 0.1 };
        let step = epochs(decay, Update::EveryUnit, WarmUp::None, 200.0);
        for (epoch, wanted) in [(0, 0.03), (119, 0.03), (120, 0.003), (159, 0.003), (160, 0.0003), (199, 0.0003)] {
            assert!((at(&step, epoch) - wanted).abs() < 1e-15, "epoch {epoch}");
        }
    }

    #[test]
    fn warm_up_climbs_from_above_zero_to_the_peak() {
        let s = epochs(Decay::Cosine, Update::EveryStep, WarmUp::Linear(2.0), 100.0);
        let rates: Vec<f64> = (0..30).map(|step| s.at(f64::from(step))).collect();
        assert!((rates[0] - 0.03 / 20.0).abs() < 1e-12);
        assert!(rates[..20].windows(2).all(|w| w[1] > w[0]));
        assert!((rates[19] - 0.03).abs() < 1e-12);
        assert!(rates[20..].windows(2).all(|w| w[1] < w[0]));
    }

    #[test]
    fn detectron2s_schedule_in_iterations() {
        // detectron2 R50-FPN 1x: WarmupMultiStepLR, base 0.02, factor 1/1000 over 1000 iterations, steps at 60,000 and 80,000 of 90,000.
        let schedule = LearningRate {
            peak: 0.02,
            steps_per_unit: 1,
            update: Update::EveryStep,
            length: 90_000.0,
            warm_up: WarmUp::From { factor: 1e-3, length: 1000.0 },
            decay: Decay::Steps { milestones: vec![60_000.0, 80_000.0], factor: 0.1 },
        };
        // alpha = it / 1000; 0.02 * (0.001 * (1 - alpha) + alpha)
        for (step, wanted) in [
            (0, 2e-5),
            (500, 0.01001),
            (999, 0.01998002),
            (1000, 0.02),
            (59_999, 0.02),
            (60_000, 0.002),
            (80_000, 0.0002),
        ] {
            assert!((schedule.at(f64::from(step)) - wanted).abs() < 1e-12, "{step}: {}", schedule.at(f64::from(step)));
        }
    }
}
