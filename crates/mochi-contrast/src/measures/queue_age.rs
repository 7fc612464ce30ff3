//! Age of the queue's keys in steps (MoCo, section 3.2: keys are useful as long as the key encoder has changed little).
//!
//! Every step adds n keys, so the j-th newest key (from 0) is `1 + floor(j / n)` steps old in the next step, and ages need not be stored. With F keys, `f = floor(F / n)` complete steps and a remainder `r = F - f n`:
//!
//! ```text
//! mean = (n f (f + 1) / 2 + r (f + 1)) / F          max = f, or f + 1 if r > 0
//! ```
//!
//! The initial random rows are not keys and have no age.

/// Ages of the queue's keys in the next step, in steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueAge {
    /// Mean over the rows with keys.
    pub mean: f64,
    /// Age of the oldest key.
    pub max: u64,
}

/// Ages in a queue with keys in `filled` rows, to which every step added `per_step` keys; `None` without keys.
pub fn queue_age(filled: usize, per_step: usize) -> Option<QueueAge> {
    if filled == 0 || per_step == 0 {
        return None;
    }
    let (whole, rest) = (filled / per_step, filled % per_step);
    let (n, f, r) = (per_step as f64, whole as f64, rest as f64);
    let mean = (n * f * (f + 1.0) / 2.0 + r * (f + 1.0)) / filled as f64;
    Some(QueueAge { mean, max: whole as u64 + u64::from(rest > 0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Queue, SampleMetadata};
    use mochi_tensor::{Device, Kind, Tensor};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_stamps_in_a_real_queue(size in 1usize..60, batch in 1usize..40, sides in 1usize..3, steps in 0i64..30) {
            let mut queue = Queue::new(size, 2, Device::Cpu).unwrap();
            let keys = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]).repeat([i64::try_from(batch).unwrap(), 1]);
            for step in 0..steps {
                for _ in 0..sides {
                    let stamps = vec![step; batch];
                    queue.enqueue(&keys.to_kind(Kind::Float), SampleMetadata { images: Some(&stamps), labels: None }).unwrap();
                }
            }
            let stamps = queue.metadata().images.unwrap().iter().filter(|&&stamp| stamp >= 0);
            let ages: Vec<i64> = stamps.map(|stamp| steps - stamp).collect();
            match queue_age(queue.filled(), batch * sides) {
                None => prop_assert!(ages.is_empty()),
                Some(age) => {
                    let mean = ages.iter().sum::<i64>() as f64 / ages.len() as f64;
                    prop_assert!((age.mean - mean).abs() < 1e-9, "{:?} against {}", age, mean);
                    prop_assert_eq!(age.max, u64::try_from(*ages.iter().max().unwrap()).unwrap());
                }
            }
        }
    }
}
