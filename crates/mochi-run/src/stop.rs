//! Stop signals. The first SIGINT or SIGTERM sets a flag that the loop looks at between steps; the second leaves at
//! once with status 130, whatever the program is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::RunError;

/// Status of a process that a second signal ended.
pub const STOPPED: i32 = 130;

/// Whether somebody has asked to stop. Cheap to clone and to look at.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Listens for SIGINT and SIGTERM from here on.
    pub fn listen() -> Result<StopFlag, RunError> {
        let stop = StopFlag::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: on the first signal the flag is still down when the shutdown looks at it.
            flag::register_conditional_shutdown(signal, STOPPED, Arc::clone(&stop.0))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.0)))
                .map_err(|source| RunError::Signals { source })?;
        }
        Ok(stop)
    }

    /// Whether somebody has asked to stop.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for what waits elsewhere.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Asks to stop from inside the program.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
