//! The loss against expected values of independent scripts, and a strategy that only this test knows.
#![allow(clippy::unwrap_used, reason = "test helpers; clippy.toml frees only the tests themselves")]

mod loss_cases;
mod measure_cases;
mod neighbor_cases;
mod samples;
mod strategy_cases;
mod toy_strategy;
