//! Tests of the public interface.
#![allow(clippy::unwrap_used)]

mod coco;
mod errors;
mod folder;
mod masks;
mod mutations;
mod problems;
mod tar;
mod voc;
mod yolo;
