//! Random distortions of 28 × 28 images of handwritten digits, for training: in every epoch the
//! network sees another image of the same digit.
//!
//! A fully connected network has no notion of which pixels are neighbours. It has to be shown that
//! a digit that is rotated, slanted, stretched, moved or drawn with an unsteady hand is still that
//! digit. Affine and elastic distortions made during training reduced the error of such networks on
//! MNIST from about 1.5 % to 0.7 % (Simard, Steinkraus and Platt, "Best Practices for Convolutional
//! Neural Networks Applied to Visual Document Analysis", ICDAR 2003) and then to 0.35 % (Cireşan,
//! Meier, Gambardella and Schmidhuber, "Deep, Big, Simple Neural Nets for Handwritten Digit
//! Recognition", Neural Computation 22, 2010).
//!
//! [`Distortions`] says how strong they are; [`Distorter`] applies them. The result is a function
//! of (seed, epoch, index), the strengths and the length of the run, and of nothing else.
//!
//! ```
//! use digit_distort::{Distorter, Distortions, PIXELS, SIDE};
//!
//! // A dot of ink, as images of MNIST have it: bytes, bright on black.
//! let mut source = [0; PIXELS];
//! source[14 * SIDE + 14] = 255;
//!
//! let distorter = Distorter::new(&Distortions::default(), 20)?;
//! let (mut first, mut again) = ([0.0; PIXELS], [0.0; PIXELS]);
//! distorter.apply(&source, &mut first, 1, 3, 0);
//! distorter.apply(&source, &mut again, 1, 3, 0);
//! assert_eq!(first, again);
//! assert!(first.iter().sum::<f32>() > 0.3);
//! # Ok::<(), digit_distort::StrengthOutOfRange>(())
//! ```
//!
//! # The modules
//!
//! In the order in which they build on one another:
//!
//! - `size.rs`: the size of an image
//! - `rng.rs`: random numbers that are a function of (seed, epoch, index)
//! - `elastic.rs`: the displacement field of elastic distortions
//! - `strengths.rs`: [`Distortions`]
//! - `padded.rs`: an image with a border, the thickness of its strokes, and sharpening
//! - `sampling.rs`: the affine map, and reading the image between its pixels
//! - `distorter.rs`: [`Distorter`], all of it in order

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod distorter;
mod elastic;
mod padded;
mod rng;
mod sampling;
mod size;
mod strengths;

pub use distorter::Distorter;
pub use rng::GOLDEN_STEP;
pub use size::{PIXELS, SIDE};
pub use strengths::{Distortions, StrengthOutOfRange};

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct DistortReadme;
