//! Datasets, loader, shards, dataset report and preview, one binary.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod common;
mod dataset_report;
mod loading;
mod preview;
mod remote;
mod shards;
mod sources;
