//! Handwritten digits, recognised by the classic fully connected network
//! 784 → 256 → 128 → 64 → 10, built on [Burn](https://burn.dev).
//!
//! # The map
//!
//! Data flows one way, and imports go down this list or stay level, never up.
//!
//! | room | is |
//! |---|---|
//! | `main.rs`, `app` | the program: the command-line interface, one file per command, what it prints; not part of the library |
//! | [`insight`] | activations compared, features per layer, explanations, the loss from logits, the report and its plots |
//! | `serve` | REST, gRPC and the drawing page over one [`Classifier`](classifier::Classifier) (feature `serve`) |
//! | [`train`] | Burn's Learner at work: configuration, checkpoints, resume, progress, calibration, what a run leaves on disk |
//! | [`number`] | several digits in one picture, read as a number: what [`picture::many`] finds, chosen by a classifier |
//! | [`evaluate`] | accuracy, confusion matrix, precision and recall, calibration |
//! | [`exchange`] | models from and to other programs: PyTorch, safetensors of any naming, ONNX |
//! | [`classifier`] | a trained model ready for use: load, predict, [`Prediction`](classifier::Prediction) |
//! | [`saved`] | the model file: safetensors, its metadata and its hash |
//! | [`picture`] | any image file to MNIST's 28×28 convention: the crate `digit-picture`, which needs no Burn |
//! | [`data`] | MNIST: where it is found, IDX parsing, the split, distortions (the crate `digit-distort`), pictures drawn with a pen, batches whose order is a function of (seed, epoch) |
//! | [`model`] | [`Model`](model::Model): four `Linear` layers and one activation, declared once; logits out |
//! | `fused_ops` | a layer, the loss and a step of Adam as one operation each, on the CPU and the GPU: a crate of its own, for any Burn program |
//! | [`backend`] | the Burn devices this build offers, and choosing one |
//! | `png` | images as the bytes of PNG files |
//! | [`plot`] | lines and points as SVG, for light pages and dark ones |
//! | [`files`], [`paths`], [`checksum`] | atomic writes and bounded reads; the project's folders; SHA-256 sums |
//!
//! ```text
//! MNIST files ─► data ─► batches [n, 784] in [0, 1] ─► model ─► logits [n, 10] ─► cross-entropy ─► train
//! any picture ─► picture ─► pixels [784] in [0, 1] ─► classifier ─► logits ─► softmax ─► Prediction ─► infer, serve
//! ```
//!
//! Training and use meet in two places only: the pixel convention (784 values in [0, 1], row-major,
//! bright ink on black) and the saved model (weights with the configuration they belong to).
//!
//! # A digit in four lines
//!
//! ```
//! use burn_digits::{backend, classifier::Classifier, picture};
//!
//! let classifier = Classifier::shipped(&backend::cpu())?;
//! let picture = picture::read("image.png".as_ref())?;
//! let prediction = &classifier.predict(&[picture])[0];
//! assert_eq!(prediction.digit, 7);
//! assert!(prediction.confidence > 0.9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three small programs are in `examples/`: a folder sorted by the digits on its pictures, a number read
//! from a row of them, and a network trained from code.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub use digit_picture as picture;

pub mod backend;
pub mod checksum;
pub mod classifier;
pub mod data;
pub mod evaluate;
pub mod exchange;
pub mod files;
pub mod format;
pub mod insight;
pub mod model;
pub mod number;
pub mod paths;

pub mod plot;
pub mod png;
pub mod saved;
#[cfg(feature = "serve")]
pub mod serve;
pub mod train;
