//! Pixels against torchvision on Pillow.
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod exact;
