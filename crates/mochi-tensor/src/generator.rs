//! libtorch's own random numbers: only initial weights and the queue's first rows come from them, so a seed is enough for a run;
//! the state can be saved for code that draws more.

use crate::ffi;
use crate::{Tensor, TensorError};
use std::sync::Mutex;

/// The generator is one for the whole process: who draws from a seed has it alone for that time.
static IN_USE: Mutex<()> = Mutex::new(());

/// Runs `body` with the generator started from `seed` (`torch.manual_seed`) and nobody else drawing in between.
pub fn with_seed<R>(seed: u64, body: impl FnOnce() -> R) -> R {
    let _alone = IN_USE.lock();
    tch::manual_seed(seed.cast_signed());
    body()
}

/// The CPU generator's whole state, a byte tensor (`torch.get_rng_state`).
///
/// # Errors
/// What libtorch says.
pub fn generator_state() -> Result<Tensor, TensorError> {
    // SAFETY: writes one new tensor into the place given.
    ffi::new_tensor(|out| unsafe { ffi::mochi_generator_state(out) })
}

/// `torch.set_rng_state`.
///
/// # Errors
/// Where the bytes are not a generator's state.
pub fn set_generator_state(state: &Tensor) -> Result<(), TensorError> {
    // SAFETY: a live tensor; libtorch checks its type and size.
    ffi::check(unsafe { ffi::mochi_set_generator_state(ffi::raw(state)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Kind};

    #[test]
    fn a_restored_state_repeats_the_draws() {
        let draw = || Tensor::rand([16], (Kind::Float, Device::Cpu));
        let first = with_seed(7, || {
            let state = generator_state().unwrap();
            let first = draw();
            assert_ne!(first, draw());
            set_generator_state(&state).unwrap();
            assert_eq!(first, draw());
            first
        });
        assert_eq!(first, with_seed(7, draw));
        assert!(set_generator_state(&Tensor::zeros([3], (Kind::Uint8, Device::Cpu))).is_err());
    }
}
