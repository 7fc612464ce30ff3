//! Integration tests of the networks, in one binary.

mod backbone;
mod formula;
mod initial_values;
mod torchvision;
