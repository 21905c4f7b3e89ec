//! The operations, on every backend of the build. One binary, so that Burn is linked once.
//!
//! - `activations.rs`: each activation against its formula
//! - `layers.rs`: layers against Burn's own layers, with parts left out
//! - `loss.rs`: cross-entropy from logits against PyTorch's figures
//! - `against_burn.rs`: all operations against the crate's `reference`, composed of Burn's own
//! - `device_images.rs`: batches from images in a GPU's memory
//! - `wrong_shapes.rs`: shapes that don't fit together are refused

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

mod activations;
#[cfg(feature = "reference")]
mod against_burn;
mod common;
mod device_images;
mod layers;
mod loss;
mod wrong_shapes;
