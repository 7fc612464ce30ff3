//! Training of classifiers on cached rows: epochs, schedule, and the distribution of work over cores.
//!
//! Steps are small (a few hundred rows, a few dozen columns). Splitting each operation over the cores would need about ten barriers per
//! step, which costs more than it saves, above all on a busy machine. Classifiers are independent, so groups of them are distributed
//! instead: one thread trains its group for a whole epoch. Groups follow from the number of classes, not from the machine, so results
//! do not depend on the number of cores. In several processes the groups are dealt to the ranks.

use crate::EvalError;
use crate::dealt::dealt;
use crate::draws::shuffled;
use crate::features::as_i64;
use crate::probe::Probe;
use crate::standardize::label_tensor;
use crate::{Progress, Stage};
use mochi_tensor::{Device, Group, Tensor, parallel_ranges};
use std::sync::Mutex;

/// Columns per group of classifiers: narrower matrix products cost more in calls than in arithmetic.
const COLUMNS: usize = 40;

/// Weights of a group above which libtorch's own threads are faster, since products are large.
const LARGE: usize = 1 << 20;

/// Length and batch size of a training.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) epochs: usize,
    /// Rows per step.
    pub(crate) batch: usize,
    pub(crate) seed: u64,
}

/// The standardized training split on its device: (N, F+1) and (N,).
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) values: Tensor,
    pub(crate) labels: Tensor,
    pub(crate) device: Device,
}

/// Classifiers of a list of rates, in groups, of which this process has its part.
#[derive(Debug)]
pub(crate) struct Probes {
    /// This process's groups, each with the index of its first rate.
    pub(crate) own: Vec<(usize, Probe)>,
    /// Whether products are so large that libtorch's own threads are faster; the same on every rank.
    large: bool,
}

/// One group's work in an epoch; tensors share memory with those of the other groups and are only read.
struct Work<'a> {
    probe: &'a mut Probe,
    values: Tensor,
    labels: Tensor,
    order: Tensor,
    result: Result<(), EvalError>,
}

impl Rows {
    /// One probe per group of rates, in order: all, or those of this process in a `group`.
    pub(crate) fn probes(
        &self,
        rates: &[f64],
        classes: usize,
        seed: u64,
        group: Option<&Group>,
    ) -> Result<Probes, EvalError> {
        let width = self.width().saturating_sub(1);
        let together = if self.device == Device::Cpu { COLUMNS.div_ceil(classes.max(1)).max(1) } else { rates.len() };
        let parts: Vec<&[f64]> = rates.chunks(together.max(1)).collect();
        let probe = |part: usize| {
            let rates = parts.get(part).copied().unwrap_or_default();
            Ok((part * together, Probe::new(width, classes, rates, seed, self.device)?))
        };
        let own = dealt(parts.len(), group).map(probe).collect::<Result<_, EvalError>>()?;
        let columns = together.min(rates.len()) * classes;
        Ok(Probes { own, large: columns * self.width() > LARGE })
    }

    /// Row numbers as a tensor on the device.
    pub(crate) fn order(&self, rows: &[u32]) -> Result<Tensor, EvalError> {
        label_tensor(rows, self.device)
    }

    /// Trains every probe on `rows` (N of them) by a cosine schedule over all steps to 0.
    pub(crate) fn fit(
        &self,
        probes: &mut Probes,
        rows: &[u32],
        plan: Plan,
        stage: Stage,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), EvalError> {
        let sequential = self.device != Device::Cpu || probes.large;
        let epochs = if probes.own.is_empty() { 0 } else { plan.epochs };
        for epoch in 0..epochs {
            let order = self.order(&shuffled(rows, plan.seed, u32::try_from(epoch).unwrap_or(u32::MAX)))?;
            let work = probes.own.iter_mut().map(|(_, probe)| Work {
                probe,
                values: self.values.shallow_clone(),
                labels: self.labels.shallow_clone(),
                order: order.shallow_clone(),
                result: Ok(()),
            });
            if sequential {
                for mut work in work {
                    work.epoch(epoch, plan)?;
                }
            } else {
                let work: Vec<Mutex<Work>> = work.map(Mutex::new).collect();
                // Within a parallel region libtorch's operations stay on their thread; a region has at least two pieces, so a single
                // group is accompanied by an empty one.
                parallel_ranges(work.len().max(2), 1, &|range| {
                    for work in range.filter_map(|i| work.get(i)) {
                        if let Ok(mut work) = work.lock() {
                            let result = work.epoch(epoch, plan);
                            work.result = result;
                        }
                    }
                })?;
                work.into_iter().filter_map(|w| w.into_inner().ok()).try_for_each(|w| w.result)?;
            }
            progress(Progress { stage, done: epoch + 1, total: plan.epochs });
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.values.size().get(1).and_then(|&w| usize::try_from(w).ok()).unwrap_or(0)
    }
}

impl Work<'_> {
    fn epoch(&mut self, epoch: usize, plan: Plan) -> Result<(), EvalError> {
        let rows = usize::try_from(self.order.size().first().copied().unwrap_or(0)).unwrap_or(0);
        let steps = rows.div_ceil(plan.batch);
        for (step, first) in (0..rows).step_by(plan.batch).enumerate() {
            let part = self.order.f_narrow(0, as_i64(first), as_i64(plan.batch.min(rows - first)))?;
            let through = (epoch * steps + step) as f64 / (plan.epochs * steps) as f64;
            let factor = 0.5 * (1.0 + (std::f64::consts::PI * through).cos());
            self.probe.step(&self.values.f_index_select(0, &part)?, &self.labels.f_index_select(0, &part)?, factor)?;
        }
        Ok(())
    }
}
