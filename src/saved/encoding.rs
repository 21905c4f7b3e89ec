//! A model as the bytes of its file, and back. The format is described in the [parent
//! module](super).

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use super::layers::to_little_endian;
use super::{FORMAT_VERSION, LayerWeights, Metadata, ModelFormatError, SavedModel};
use crate::checksum::sha256_hex;

/// The largest safetensors header that is parsed, in bytes. This network's takes 2 kB; a header of
/// the library's limit, 100 MB, can declare a million tensors and take ten times its size.
pub(crate) const MAX_HEADER_BYTES: u64 = 1 << 20;

const METADATA_KEY: &str = "burn-digits";
/// The text between the metadata and their own checksum.
const BEFORE_CHECKSUM: &str = ",\"metadata_sha256\":\"";

/// The metadata as stored: with the checksum of the weights they belong to.
#[derive(Serialize, Deserialize)]
struct StoredMetadata {
    #[serde(flatten)]
    metadata: Metadata,
    weights_sha256: String,
}

impl SavedModel {
    /// Encodes the model file.
    ///
    /// # Errors
    /// If the metadata cannot be written as JSON, which does not happen for metadata that was read
    /// from a file or made by this crate.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SafeTensorError> {
        let tensors: Vec<_> = self
            .tensors()
            .map(|(name, shape, values)| (name, shape, to_little_endian(values)))
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()?;
        let (metadata, weights_sha256) = (self.metadata.clone(), self.weights_sha256());
        let json = serde_json::to_string(&StoredMetadata { metadata, weights_sha256 })?;
        // A single key: safetensors writes metadata in the random order of a hash map.
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), with_checksum(json))]);
        safetensors::serialize(views, Some(metadata))
    }

    /// Decodes and verifies a model file.
    ///
    /// # Errors
    /// If `bytes` are not a complete and undamaged model of a known format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelFormatError> {
        if has_large_header(bytes) {
            return Err(ModelFormatError::HeaderTooLarge);
        }
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(ModelFormatError::NotSafetensors)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(ModelFormatError::NotSafetensors)?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
        let json = json.ok_or(ModelFormatError::NoMetadata)?;
        if json
            .rsplit_once(BEFORE_CHECKSUM)
            .is_some_and(|(covered, _)| *json != with_checksum(format!("{covered}}}")))
        {
            return Err(ModelFormatError::MetadataChecksum);
        }
        check_format_version(json)?;
        let StoredMetadata { metadata, weights_sha256 } =
            serde_json::from_str(json).map_err(ModelFormatError::Metadata)?;
        if metadata.model.hidden.contains(&0) {
            return Err(ModelFormatError::EmptyLayer);
        }
        if !(metadata.temperature > 0.0 && metadata.temperature.is_finite()) {
            return Err(ModelFormatError::Temperature(metadata.temperature));
        }

        let mut layers = Vec::with_capacity(4);
        for shape in metadata.model.layers() {
            let name = shape.name;
            layers.push(LayerWeights {
                weight: values(&tensors, format!("{name}.weight"), &[shape.outputs, shape.inputs])?,
                bias: values(&tensors, format!("{name}.bias"), &[shape.outputs])?,
            });
        }
        let layers = layers.try_into().expect("a configuration has four layers");
        let saved = Self { metadata, layers };
        if saved.weights_sha256() == weights_sha256 {
            Ok(saved)
        } else {
            Err(ModelFormatError::WeightsChecksum)
        }
    }
}

/// Whether a safetensors file declares a header larger than [`MAX_HEADER_BYTES`]. The declared
/// length may also be larger than the file, which is then not complete.
pub(crate) fn has_large_header(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    (MAX_HEADER_BYTES + 1..bytes.len() as u64).contains(&length)
}

/// Whether `bytes` begin like a safetensors file with this program's metadata; it may be damaged.
pub(crate) fn has_own_metadata(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| {
        header.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(METADATA_KEY))
    })
}

/// Appends the field `metadata_sha256` to the text of a JSON object.
fn with_checksum(json: String) -> String {
    let covered = &json[..json.len() - 1];
    format!("{covered}{BEFORE_CHECKSUM}{}\"}}", sha256_hex([covered]))
}

/// Checks the version before any other field, because other versions may have other fields.
fn check_format_version(json: &str) -> Result<(), ModelFormatError> {
    #[derive(Deserialize)]
    struct VersionField {
        format: u32,
    }
    let VersionField { format } = serde_json::from_str(json).map_err(ModelFormatError::Metadata)?;
    if format == FORMAT_VERSION { Ok(()) } else { Err(ModelFormatError::Version(format)) }
}

fn values(
    tensors: &SafeTensors,
    name: String,
    expected: &[usize],
) -> Result<Vec<f32>, ModelFormatError> {
    let Ok(tensor) = tensors.tensor(&name) else {
        return Err(ModelFormatError::MissingTensor(name));
    };
    if tensor.shape() != expected {
        let (found, expected) = (tensor.shape().to_vec(), expected.to_vec());
        return Err(ModelFormatError::Shape { name, found, expected });
    }
    if tensor.dtype() != Dtype::F32 {
        return Err(ModelFormatError::Dtype(name, tensor.dtype()));
    }
    let (numbers, _) = tensor.data().as_chunks::<4>();
    let values: Vec<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(ModelFormatError::NotFinite(name))
    }
}
