//! Model exchange with other programs, through the library. The commands are tested in
//! `tests/cli/exchange.rs`.

mod import;
#[cfg(feature = "onnx")]
mod onnx;
pub mod python;
mod pytorch;
