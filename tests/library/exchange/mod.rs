//! Models from and to other programs, through the library. What a person types and reads is tested in
//! `tests/cli/exchange.rs`.

mod import;
#[cfg(feature = "onnx")]
mod onnx;
mod python;
mod pytorch;
