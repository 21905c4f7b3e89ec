//! What the network learns, to be seen: on this very network, with numbers from real runs.
//!
//! - [`logits`]: the loss from logits beside softmax-then-log, on growing logits
//! - [`features`]: what each layer's features hold, as numbers and as a picture
//! - [`explain`]: which pixels spoke for a digit, and which against it
//! - [`compare`]: activations trained side by side, and the gradient at each layer
//! - [`report`]: one HTML file about a model
//!
//! Numbers come first, as structs that are JSON; every plot, table and page is drawn from them.

pub mod compare;
pub mod explain;
pub mod features;
pub mod logits;
pub mod report;

use serde::{Serialize, Serializer};

/// A number that may be infinite or none. JSON knows neither, so they become the strings
/// `"Infinity"`, `"-Infinity"` and `"NaN"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}
