//! The workspace's packages, split by whether they need libtorch.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cargo::cargo;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;

/// The one package that links libtorch.
const LIBTORCH: &str = "mochi-tensor";

/// Package names in alphabetical order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packages {
    /// Packages that need no libtorch, directly or through others.
    pub(super) without_libtorch: Vec<String>,
    /// All other packages.
    pub(super) with_libtorch: Vec<String>,
}

impl Packages {
    /// Reads them from `cargo metadata`.
    pub(super) fn read(place: &Place) -> Outcome<Packages> {
        let mut metadata = cargo(place);
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output = metadata.output().map_err(|error| command::not_started(&metadata, &error))?;
        serde_json::from_slice(&output.stdout)
            .ok()
            .and_then(|metadata| Packages::split(&metadata))
            .ok_or_else(|| Failure::new("cargo metadata failed").hint("run `cargo metadata` to see why"))
    }

    fn split(metadata: &Value) -> Option<Packages> {
        let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            let dependencies = package["dependencies"].as_array()?.iter();
            needs.insert(package["name"].as_str()?, dependencies.filter_map(|one| one["name"].as_str()).collect());
        }
        let mut linked = BTreeSet::from([LIBTORCH]);
        loop {
            let more: Vec<&str> = needs
                .iter()
                .filter(|(name, needs)| !linked.contains(*name) && !needs.is_disjoint(&linked))
                .map(|(name, _)| *name)
                .collect();
            if more.is_empty() {
                break;
            }
            linked.extend(more);
        }
        let (with, without): (Vec<&str>, Vec<&str>) = needs.keys().partition(|name| linked.contains(*name));
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Some(Packages { without_libtorch: owned(without), with_libtorch: owned(with) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packages_that_reach_libtorch_through_others_need_it() {
        let package = |name: &str, needs: &[&str]| {
            let needs: Vec<Value> = needs.iter().map(|name| json!({ "name": name })).collect();
            json!({ "name": name, "dependencies": needs })
        };
        let metadata = json!({ "packages": [
            package("data", &["serde"]),
            package("mochi-tensor", &["tch"]),
            package("nets", &["mochi-tensor"]),
            package("program", &["data", "nets"]),
        ]});
        let packages = Packages::split(&metadata).expect("metadata");
        assert_eq!(packages.without_libtorch, ["data"]);
        assert_eq!(packages.with_libtorch, ["mochi-tensor", "nets", "program"]);
    }
}
