//! The library, from the outside, in one binary so that Burn is linked once. A new test belongs
//! into the file of the module that it tests.
//!
//! - `model.rs`, `saved.rs`, `reference.rs`: the network, its file, and the same network in NumPy
//! - `training.rs`: trained with fused operations, and with Burn's own
//! - `pictures.rs`, `damages.rs`, `unsure.rs`: files of every kind, damaged digits, what is no
//!   digit
//! - `exchange/`: models from and to other programs
//! - `properties.rs`: what holds for any input; `corpora.rs`: inputs that fuzzing found

#[path = "../common/mod.rs"]
mod common;

mod corpora;
mod damages;
mod exchange;
mod model;
mod pictures;
mod properties;
mod reference;
#[cfg(unix)]
mod run_folder;
mod saved;
mod training;
mod unsure;
