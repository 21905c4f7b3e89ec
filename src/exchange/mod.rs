//! Model exchange with other programs.
//!
//! Files of other programs are converted here, where they enter, so that the rest of the crate
//! knows one kind of model.
//!
//! - [`import`] reads weights of this architecture from PyTorch files and from safetensors files
//!   with any tensor names.
//! - `onnx` writes a model as an ONNX graph (feature `onnx`).
//!
//! There is no export to safetensors: the model file ([`crate::saved`]) already has PyTorch's
//! tensor names and orientation.

pub mod import;
#[cfg(feature = "onnx")]
pub mod onnx;
