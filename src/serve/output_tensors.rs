//! Response tensors of the Open Inference Protocol, made from predictions.

use serde::Serialize;

use super::api_error::{ApiError, quoted};
use super::model_spec::TensorSpec;
use crate::classifier::{Prediction, ranking};
use crate::model::CLASSES;

/// All outputs, in the order of a response to a request that names none.
pub(crate) const MODEL_OUTPUTS: [ModelOutput; 3] =
    [ModelOutput::Logits, ModelOutput::Probabilities, ModelOutput::Digit];

/// An output that a response should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestedOutput {
    pub(crate) output: ModelOutput,
    /// Instead of the values: the largest so many with their index, as texts (Triton's
    /// classification extension).
    classes: Option<usize>,
}

impl RequestedOutput {
    /// The values of an output.
    pub(crate) fn values_of(output: ModelOutput) -> Self {
        Self { output, classes: None }
    }

    /// The output of a name, with the number of classes if the request asks for classes.
    ///
    /// # Errors
    /// If there is none of that name, or it has no such classes.
    pub(crate) fn new(name: &str, classes: Option<Option<usize>>) -> Result<Self, ApiError> {
        let output = ModelOutput::from_name(name)?;
        match classes {
            None => Ok(Self::values_of(output)),
            Some(Some(count @ 1..)) if output != ModelOutput::Digit => {
                Ok(Self { output, classes: Some(count.min(CLASSES)) })
            }
            Some(_) if output == ModelOutput::Digit => Err(ApiError::invalid(
                "classification needs an output with classes: logits or probabilities",
            )),
            Some(_) => {
                Err(ApiError::invalid("classification must be a number of classes, 1 or more"))
            }
        }
    }

    pub(crate) fn datatype(self) -> &'static str {
        match self.classes {
            None => self.output.spec().datatype,
            Some(_) => "BYTES",
        }
    }

    /// The shape for `count` pictures.
    pub(crate) fn shape(self, count: usize) -> Vec<i64> {
        match self.classes {
            None => self.output.shape(count),
            Some(classes) => vec![count as i64, classes as i64],
        }
    }

    /// The values for all pictures, row-major.
    pub(crate) fn values(self, predictions: &[Prediction]) -> OutputValues {
        let Some(classes) = self.classes else { return self.output.values(predictions) };
        let texts = predictions.iter().flat_map(|prediction| {
            let values = match self.output {
                ModelOutput::Logits => prediction.logits,
                _ => prediction.probabilities,
            };
            let largest = ranking(&prediction.logits).into_iter().take(classes);
            largest.map(move |class| format!("{:.6}:{class}", values[class]))
        });
        OutputValues::Bytes(texts.collect())
    }
}

/// An output of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelOutput {
    /// Raw output of the network: FP32 `[n, 10]`, unbounded.
    Logits,
    /// softmax(logits / T) with the model's temperature T: FP32 `[n, 10]`, each row sums to 1.
    Probabilities,
    /// The most likely digit, 0 to 9: INT64 `[n]`.
    Digit,
}

impl ModelOutput {
    /// The output of a name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub(crate) fn from_name(name: &str) -> Result<Self, ApiError> {
        MODEL_OUTPUTS.into_iter().find(|output| output.spec().name == name).ok_or_else(|| {
            ApiError::invalid(format!(
                "unknown output {}; the outputs are logits, probabilities and digit",
                quoted(name)
            ))
        })
    }

    /// Checks that this output is not among those requested before it.
    ///
    /// # Errors
    /// If it is among them: each repetition would cost as much memory as the output, so that a
    /// small request could ask for any amount.
    pub(crate) fn check_not_in(
        self,
        mut requested: impl Iterator<Item = Self>,
    ) -> Result<(), ApiError> {
        if requested.any(|other| other == self) {
            let name = self.spec().name;
            let message = format!("output {name:?} is requested more than once");
            return Err(ApiError::invalid(message));
        }
        Ok(())
    }

    pub(crate) fn spec(self) -> TensorSpec {
        let per_class = &[-1, CLASSES as i64];
        match self {
            Self::Logits => TensorSpec { name: "logits", datatype: "FP32", shape: per_class },
            Self::Probabilities => {
                TensorSpec { name: "probabilities", datatype: "FP32", shape: per_class }
            }
            Self::Digit => TensorSpec { name: "digit", datatype: "INT64", shape: &[-1] },
        }
    }

    /// The shape for `count` pictures.
    pub(crate) fn shape(self, count: usize) -> Vec<i64> {
        let sizes = self.spec().shape.iter();
        sizes.map(|&size| if size < 0 { count as i64 } else { size }).collect()
    }

    /// The values for all pictures, row-major.
    pub(crate) fn values(self, predictions: &[Prediction]) -> OutputValues {
        match self {
            Self::Logits => OutputValues::Fp32(predictions.iter().flat_map(|p| p.logits).collect()),
            Self::Probabilities => {
                OutputValues::Fp32(predictions.iter().flat_map(|p| p.probabilities).collect())
            }
            Self::Digit => {
                OutputValues::Int64(predictions.iter().map(|p| p.digit.into()).collect())
            }
        }
    }
}

/// The values of an output tensor, row-major. As JSON a flat array.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum OutputValues {
    Fp32(Vec<f32>),
    Int64(Vec<i64>),
    Bytes(Vec<String>),
}

impl OutputValues {
    /// The protocol's binary form: little-endian, without padding.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Fp32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::Int64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            // Each preceded by its length in four bytes.
            Self::Bytes(texts) => {
                let element = |text: &String| {
                    let length = (text.len() as u32).to_le_bytes();
                    length.into_iter().chain(text.bytes()).collect::<Vec<_>>()
                };
                texts.iter().flat_map(element).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(digit: u8) -> Prediction {
        let mut logits = [-1.0; CLASSES];
        logits[usize::from(digit)] = 2.0;
        let mut probabilities = [0.0; CLASSES];
        probabilities[usize::from(digit)] = 1.0;
        Prediction { digit, confidence: 1.0, unsure: false, probabilities, logits }
    }

    #[test]
    fn binary_values_are_little_endian_without_padding() {
        // 1.0 is 0x3f800000 and -2.0 is 0xc0000000 in IEEE 754.
        let bytes = OutputValues::Fp32(vec![1.0, -2.0]).to_bytes();
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(OutputValues::Int64(vec![258]).to_bytes(), [2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn classes_are_the_largest_values_with_their_index() {
        let mut first = prediction(3);
        (first.logits[8], first.probabilities[3], first.probabilities[8]) = (1.5, 0.7, 0.3);
        let predictions = [first, prediction(0)];
        let top = RequestedOutput::new("probabilities", Some(Some(2))).unwrap();
        assert_eq!((top.datatype(), top.shape(2)), ("BYTES", vec![2, 2]));
        let OutputValues::Bytes(texts) = top.values(&predictions) else { panic!() };
        assert_eq!(texts, ["0.700000:3", "0.300000:8", "1.000000:0", "0.000000:1"]);
        let bytes = OutputValues::Bytes(vec!["ab".to_owned(), String::new()]).to_bytes();
        assert_eq!(bytes, b"\x02\0\0\0ab\0\0\0\0");
        let all = RequestedOutput::new("logits", Some(Some(1000))).unwrap();
        assert_eq!(all.shape(1), [1, 10]);
        for (name, classes) in [("digit", Some(1)), ("logits", Some(0)), ("logits", None)] {
            assert!(RequestedOutput::new(name, Some(classes)).is_err(), "{name}");
        }
    }

    #[test]
    fn each_output_has_a_row_per_picture_and_the_length_of_its_shape() {
        let predictions = [prediction(3), prediction(8)];
        for output in MODEL_OUTPUTS {
            assert_eq!(ModelOutput::from_name(output.spec().name), Ok(output));
            let elements: i64 = output.shape(2).iter().product();
            let length = match output.values(&predictions) {
                OutputValues::Fp32(values) => values.len(),
                OutputValues::Int64(values) => values.len(),
                OutputValues::Bytes(texts) => texts.len(),
            };
            assert_eq!(length as i64, elements, "{output:?}");
        }
        let OutputValues::Fp32(logits) = ModelOutput::Logits.values(&predictions) else { panic!() };
        assert_eq!((logits[3], logits[18], logits[8]), (2.0, 2.0, -1.0));
        let OutputValues::Int64(digits) = ModelOutput::Digit.values(&predictions) else { panic!() };
        assert_eq!(digits, [3, 8]);
        let error = ModelOutput::from_name("digits").unwrap_err();
        assert!(error.message.contains("unknown output \"digits\""), "{}", error.message);
    }
}
