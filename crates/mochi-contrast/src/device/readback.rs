//! Deferred host readback: numbers that a step's tensors hold, brought to the host together. One wait for the device, not one a number.

use crate::ContrastError;
use mochi_tensor::{Device, Kind, Tensor};

/// Scalars that are still where they were computed.
#[derive(Default)]
pub(crate) struct Readback(Vec<Tensor>);

/// Index of one of them.
#[derive(Clone, Copy)]
pub(crate) struct Deferred(usize);

/// The numbers on the host.
pub(crate) struct Numbers(Vec<f64>);

impl Readback {
    /// Adds a tensor of one element.
    pub fn add(&mut self, number: &Tensor) -> Result<Deferred, ContrastError> {
        self.0.push(number.f_to_kind(Kind::Double)?.f_view([1])?);
        Ok(Deferred(self.0.len() - 1))
    }

    /// The one wait.
    pub fn read(&self) -> Result<Numbers, ContrastError> {
        Ok(Numbers(Vec::try_from(Tensor::f_cat(&self.0, 0)?.f_to_device(Device::Cpu)?)?))
    }
}

impl Numbers {
    pub fn at(&self, number: Deferred) -> f64 {
        self.0[number.0]
    }

    /// A count or an index.
    pub fn count(&self, number: Deferred) -> usize {
        // Whole numbers under 2^53; below 0 or no number is 0.
        self.at(number) as usize
    }
}
