//! Names that clients see: server, model, version, and the form of a tensor's metadata.

use serde::Serialize;

/// The name of the server in its metadata.
pub(crate) const SERVER_NAME: &str = "burn-digits";
/// The name of the model where there is a single one, and of the default where there are several.
pub(crate) const MODEL_NAME: &str = "digits";
/// The version of a single model.
pub(crate) const SINGLE_VERSION: u64 = 1;
/// The framework, in the model's metadata.
pub(crate) const PLATFORM: &str = "burn";
/// The name of the input of pixels.
pub(crate) const IMAGE_INPUT: &str = "image";
/// The name of the only signature in TensorFlow's protocols, which is TensorFlow's default.
pub(crate) const SIGNATURE_NAME: &str = "serving_default";
/// The name of the input of image files.
pub(crate) const PICTURE_INPUT: &str = "picture";

/// Metadata of an input or output tensor.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct TensorSpec {
    pub(crate) name: &'static str,
    pub(crate) datatype: &'static str,
    /// -1 for a dimension of any size.
    pub(crate) shape: &'static [i64],
}
