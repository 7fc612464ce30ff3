//! Checkpoints of a run, and the dump of a step that failed.

use std::collections::BTreeMap;
use std::time::Instant;

use mochi_run::Checkpoint;
use mochi_tensor::first_not_finite;

use super::Trainer;
use super::event::Event;
use crate::pace::Pace;
use crate::part::Part;
use crate::records::Records;
use crate::state::{Data, State};
use crate::task::{StepError, StepPlan, StepReport, Task};
use crate::{TrainError, checkpoint, failure};

impl<T: Task> Trainer<T> {
    /// One step of the task; the dump of one that failed.
    pub(super) fn take_step(
        &mut self,
        batch: &mut T::Batch,
        plan: &StepPlan,
        begun: Instant,
    ) -> Result<StepReport<T::Curve>, TrainError> {
        match self.task.step(batch, plan) {
            Ok(output) => Ok(output),
            Err(StepError::Other(error)) => Err(error),
            Err(StepError::NotFinite { reason, state }) => {
                let mut parts = self.task.parts()?;
                parts.push(self.task.batch_part(batch)?);
                let failure = Some(format!("{reason}. {state}"));
                let folder = failure::save(
                    &self.run.failed_steps(self.task.group().map(|group| group.rank())),
                    &parts,
                    State { failure, ..self.state(begun) },
                )?;
                let resumable = self.run.checkpoints().latest().is_ok_and(|newest| newest.is_some());
                Err(TrainError::Diverged { reason, folder, warm_up: self.task.warm_up_setting(), resumable })
            }
        }
    }

    pub(super) fn state(&self, begun: Instant) -> State {
        State {
            format: State::FORMAT,
            task: self.task.name().to_owned(),
            world_size: self.ranks.size(),
            step: self.step,
            finished: self.clock.ended(),
            budget_s: self.task.timeline().budget.map(|budget| budget.as_secs_f64()),
            images_seen: self.images,
            elapsed_s: self.elapsed(begun),
            before_s: self.clock.before_s(),
            data: (&self.data).into(),
            evaluation: self.evaluation.as_ref().map(Data::from),
            settings: self.task.settings().into_iter().map(|s| (s.key.to_owned(), s.value)).collect(),
            parts: BTreeMap::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            failure: None,
        }
    }

    /// Refuses parts that hold values that are not finite, from which no run could be resumed: the last step before a checkpoint can leave some, although its loss
    /// was finite.
    fn check_finite(&self, parts: &[Part], begun: Instant) -> Result<(), TrainError> {
        for part in parts {
            let Some(tensor) = first_not_finite(&part.tensors)? else { continue };
            let (step, part, tensor) = (self.step, part.name, tensor.to_owned());
            let reason =
                format!("after step {step} the tensor \"{tensor}\" of the {part} holds values that are not finite");
            let failure = Some(format!("{reason}. The parts are as this step left them"));
            let failed = self.run.failed_steps(self.task.group().map(|group| group.rank()));
            let folder = failure::save(&failed, parts, State { failure, ..self.state(begun) })?;
            let resumable = self.run.checkpoints().latest().is_ok_and(|newest| newest.is_some());
            return Err(TrainError::NotFinite { reason, folder, warm_up: self.task.warm_up_setting(), resumable });
        }
        Ok(())
    }

    /// Writes a checkpoint, or names the one that rank 0 writes.
    pub(super) fn save(
        &self,
        begun: Instant,
        records: Option<&Records<T::Curve>>,
        watch: &mut dyn FnMut(Event),
    ) -> Result<Checkpoint, TrainError> {
        let (Some(run), Some(records)) = (self.run.folder(), records) else {
            return Ok(Checkpoint { step: self.step, path: self.run.path().to_owned() });
        };
        let checkpoints = run.checkpoints();
        let parts = self.task.parts()?;
        self.check_finite(&parts, begun)?;
        let pending = checkpoints.begin(self.step)?;
        checkpoint::write(pending.path(), &parts, self.state(begun))?;
        records.sync()?;
        let saved = pending.commit()?;
        checkpoints.prune(self.options.keep_last, self.options.keep_every)?;
        watch(Event::Saved(&saved.path));
        Ok(saved)
    }

    /// [`Self::save`], whose time is not that of steps.
    pub(super) fn save_in_pause(
        &self,
        begun: Instant,
        records: Option<&Records<T::Curve>>,
        watch: &mut dyn FnMut(Event),
        pace: &mut Pace,
    ) -> Result<Checkpoint, TrainError> {
        let saving = Instant::now();
        let saved = self.save(begun, records, watch);
        pace.pause(saving.elapsed().as_secs_f64());
        saved
    }
}
