//! Replacement of the client without the `remote` feature: opening an address is an error.

use super::address::Address;
use super::lost::{Lost, RemoteOptions};
use super::part::Part;
use crate::cancel::Cancel;

pub(super) type Answer = Result<Vec<u8>, Lost>;

#[derive(Debug)]
pub(super) enum Client {}

#[derive(Debug)]
pub(super) enum Request {}

impl Client {
    pub(super) fn new(address: &Address, _options: &RemoteOptions) -> Result<Self, Lost> {
        let detail = "this program was built without the `remote` feature".to_owned();
        Err(Lost::Unusable { address: address.to_string(), detail })
    }

    pub(super) fn read(&self, _name: &str, _part: Part, _cancel: &Cancel) -> Answer {
        match *self {}
    }

    pub(super) fn read_all(&self, _names: &[(String, u64)], _cancel: &Cancel) -> Result<Vec<Vec<u8>>, Lost> {
        match *self {}
    }

    pub(super) fn begin(
        &self,
        _name: &str,
        _part: Part,
        _then: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<Request, Lost> {
        match *self {}
    }
}
