//! A study as its folder is: plan, cells and their states. What trains nothing (`mochi ablate --table`, `mochi report`) needs neither images nor labeled data.

use std::path::Path;
use std::time::Duration;

use mochi_ablate::{Cells, Leases, Plan, State, StudyFolder, Table};

use crate::failure::Outcome;

/// Seconds after which a worker that gives no sign of life counts as dead.
pub const LEASE_TIMEOUT_S: u64 = 600;

/// A study.
pub struct Study {
    /// What is trained.
    pub plan: Plan,
    /// Where.
    pub folder: StudyFolder,
    /// The runs of the plan.
    pub cells: Cells,
    /// Who trains which.
    pub leases: Leases,
}

impl Study {
    /// The study of a plan, in the folder that is given or that the plan has by default; it need not exist.
    pub fn of(plan: Plan, folder: Option<&Path>, lease_timeout_s: u64) -> Outcome<Study> {
        let folder = StudyFolder::at(&folder.map_or_else(|| plan.default_folder(), Path::to_owned))?;
        let cells = Cells::of(&plan)?;
        let leases = Leases::new(folder.leases(), Duration::from_secs(lease_timeout_s));
        Ok(Study { plan, folder, cells, leases })
    }

    /// The state of every cell.
    pub fn states(&self) -> Outcome<Vec<State>> {
        let state = |cell| self.folder.state(cell, &self.plan, &self.leases);
        Ok(self.cells.cells.iter().map(state).collect::<Result<_, _>>()?)
    }

    /// The table of cells in these states.
    pub fn table(&self, states: &[State]) -> Table {
        Table::of(&self.plan, &self.cells, states)
    }
}
