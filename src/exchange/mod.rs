//! Models from and to other programs.
//!
//! - [`import`] reads the weights of this architecture out of PyTorch's files and safetensors of any
//!   naming, and makes a model of them.
//! - [`onnx`] writes a model as an ONNX graph.
//!
//! Safetensors are not written here: the model file itself ([`crate::saved`]) carries PyTorch's names
//! and orientation.

pub mod import;
#[cfg(feature = "onnx")]
pub mod onnx;
