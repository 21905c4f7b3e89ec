//! Names that clients see: server, model, version, and the form of a tensor's metadata.

use serde::Serialize;

/// The name of the server in its metadata.
pub(crate) const SERVER_NAME: &str = "burn-digits";
/// The name of the one model.
pub(crate) const MODEL_NAME: &str = "digits";
/// Its one version.
pub(crate) const MODEL_VERSION: &str = "1";
/// The framework, in the model's metadata.
pub(crate) const PLATFORM: &str = "burn";
/// The name of the input of pixels.
pub(crate) const IMAGE_INPUT: &str = "image";
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
