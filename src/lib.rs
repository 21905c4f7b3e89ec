//! Handwritten-digit recognition with the classic fully connected network
//! 784 → 256 → 128 → 64 → 10, built on [Burn](https://burn.dev).
//!
//! # Modules
//!
//! Data flows one way. A module imports only from modules below it in this table, or beside it: so
//! `classifier` may use `saved`, but neither `evaluate` nor `train`. `.ci/borders` checks it.
//!
//! | module | contents |
//! |---|---|
//! | `main.rs`, `app` | the command-line program: arguments, commands, terminal output; not part of the library (feature `cli`) |
//! | `serve` | REST, gRPC and a drawing page over a [`Classifier`](classifier::Classifier) (feature `serve`) |
//! | `insight` | activation functions compared, features per layer, explanations, numerical stability of the loss, the report (feature `insight`) |
//! | [`train`] | training with Burn's Learner: configuration, run folder, checkpoints, resume, calibration |
//! | [`evaluate`] | accuracy, confusion matrix, precision and recall, calibration error; by kind of picture |
//! | [`number`] | reading several digits in one picture as a number |
//! | [`exchange`] | import from PyTorch, Keras and other safetensors files; export to ONNX |
//! | [`classifier`] | a trained model ready for prediction: [`Prediction`](classifier::Prediction) |
//! | [`saved`] | the model file: safetensors with metadata and checksums |
//! | [`data`] | MNIST and other data sets: files, parsing, splits, drawn images; batches are made in [`data::loader`]; distortions are the crate `digit-distort` |
//! | [`model`] | [`Model`](model::Model): four `Linear` layers and their activation function; returns logits |
//! | [`backend`] | the Burn devices of this build, and the choice of one |
//! | [`picture`] | any picture to MNIST's 28×28 pixels: the crate `digit-picture` |
//! | `fused_ops` | a layer, the loss and a step of Adam as one operation each: a crate for any Burn program |
//! | `plot`, `lettering`, `png`, `format` | SVG plots and text in images (feature `insight`), PNG files, numbers as people read them |
//! | `files`, `paths`, `checksum`, `panic_message`, `spelling` | files written completely or not at all, the project's `artifacts/`, SHA-256, text of a caught panic, names in any spelling |
//!
//! Names without a link are private. The program and the integration tests use a few of their
//! functions through `internal`, a public but undocumented module, because they are crates of
//! their own; no other program should.
//!
//! ```text
//! MNIST files ─► data ─► batches [n, 784] in [0, 1] ─► model ─► logits [n, 10] ─► cross-entropy ─► train
//! any picture ─► picture ─► image [784] in [0, 1] ─► classifier ─► logits ─► softmax ─► Prediction ─► infer, serve
//! ```
//!
//! Training and prediction share two conventions only: the pixels (784 values in [0, 1], row by
//! row, bright ink on black) and the model file (weights together with their configuration).
//!
//! # Words
//!
//! - A **picture** is what a person brings: a photo, a scan or a drawing, of any size and format.
//! - An **image** is 28×28 pixels in MNIST's convention: from a data set, drawn, or made of a
//!   picture ([`DigitImage`](picture::DigitImage)). (A file in a format such as PNG is an image
//!   file, as everywhere.)
//! - A **digit** is a class, 0 to 9; of a number, one place of it.
//! - A **split** is a part of a data set: its own training and test splits, and the validation
//!   images that training sets aside.
//! - **Logits** are the network's output, a **probability** is softmax(logits / T), and the
//!   **confidence** of a prediction is the probability of the predicted digit.
//!
//! # Example
//!
//! ```
//! use burn_digits::{backend, classifier::Classifier, picture};
//!
//! let device = backend::select(None)?.device;
//! let classifier = Classifier::shipped(&device)?;
//! let image = picture::read("image.png".as_ref())?;
//! let prediction = &classifier.predict(&[image])[0];
//! assert_eq!(prediction.digit, 7);
//! assert!(prediction.confidence > 0.9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Complete programs are in `examples/`: sorting a folder of pictures by digit, reading a number,
//! training a network from code, and computing a gradient by hand.

// wgpu's types nest deeper than the compiler's default limit of 128.
#![recursion_limit = "256"]

pub use digit_picture as picture;

pub mod backend;
mod checksum;
pub mod classifier;
pub mod data;
pub mod evaluate;
pub mod exchange;
mod files;
mod format;
#[cfg(feature = "insight")]
pub mod insight;
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "insight")]
mod lettering;
pub mod model;
pub mod number;
mod panic_message;
mod paths;
#[cfg(feature = "insight")]
mod plot;
mod png;
pub mod saved;
#[cfg(feature = "serve")]
pub mod serve;
mod spelling;
pub mod train;
