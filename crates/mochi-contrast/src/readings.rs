//! Numbers that a step's tensors hold, brought to the host together: one wait for the device, not one a number.

use crate::ContrastError;
use mochi_tensor::{Device, Kind, Tensor};

/// Scalars that are still where they were computed.
#[derive(Default)]
pub(crate) struct Readings(Vec<Tensor>);

/// Which of them.
#[derive(Clone, Copy)]
pub(crate) struct Place(usize);

/// The numbers.
pub(crate) struct Numbers(Vec<f64>);

impl Readings {
    /// Takes a tensor of one element.
    pub fn add(&mut self, number: &Tensor) -> Result<Place, ContrastError> {
        self.0.push(number.f_to_kind(Kind::Double)?.f_view([1])?);
        Ok(Place(self.0.len() - 1))
    }

    /// The one wait.
    pub fn read(&self) -> Result<Numbers, ContrastError> {
        Ok(Numbers(Vec::try_from(Tensor::f_cat(&self.0, 0)?.f_to_device(Device::Cpu)?)?))
    }
}

impl Numbers {
    pub fn at(&self, place: Place) -> f64 {
        self.0.get(place.0).copied().unwrap_or(f64::NAN)
    }

    /// A count or an index.
    pub fn count(&self, place: Place) -> usize {
        // Whole numbers under 2^53; below 0 or no number is 0.
        self.at(place) as usize
    }
}
