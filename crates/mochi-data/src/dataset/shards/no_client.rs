//! Stands in for the client where the feature `remote` is off: nothing of it can be made, and opening an address says so.

use std::ops::Range;

use super::remote::{Lost, RemoteOptions};

pub(super) type Answer = Result<Vec<u8>, Lost>;

#[derive(Debug)]
pub(super) enum Client {}

#[derive(Debug)]
pub(super) enum Request {}

impl Client {
    pub(super) fn new(address: &str, _options: &RemoteOptions) -> Result<Self, Lost> {
        let detail = "this program was built without the feature `remote`".to_owned();
        Err(Lost { url: address.to_owned(), tries: 0, detail, missing: false })
    }

    pub(super) fn read(&self, _name: &str, _range: Option<Range<u64>>) -> Answer {
        match *self {}
    }

    pub(super) fn read_all(&self, _names: &[String]) -> Result<Vec<Vec<u8>>, Lost> {
        match *self {}
    }

    pub(super) fn begin(
        &self,
        _name: &str,
        _range: Range<u64>,
        _then: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<Request, Lost> {
        match *self {}
    }
}
