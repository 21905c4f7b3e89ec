//! The operations, on every backend of the build. One binary, so that Burn is linked once.
//!
//! - `activations.rs`: each activation against its formula
//! - `loss.rs`: cross-entropy from logits against PyTorch's figures
//! - `against_burn.rs`: all operations against Burn's own

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod activations;
mod against_burn;
mod common;
mod loss;
