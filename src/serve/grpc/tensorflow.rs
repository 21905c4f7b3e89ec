//! TensorFlow Serving's services over gRPC: the same inference as `rest::tensorflow`.

use std::sync::Arc;

use prost::Message;
use tonic::{Code, Request, Response, Status};

use super::proto::tensorflow::serving::model_service_server::ModelService;
use super::proto::tensorflow::serving::model_spec::VersionChoice as SpecVersion;
use super::proto::tensorflow::serving::model_version_status::State;
use super::proto::tensorflow::serving::prediction_service_server::PredictionService;
use super::proto::tensorflow::serving::{
    GetModelMetadataRequest, GetModelMetadataResponse, GetModelStatusRequest,
    GetModelStatusResponse, ModelSpec, ModelVersionStatus, PredictRequest, PredictResponse,
    SignatureDefMap, StatusProto,
};
use super::proto::tensorflow::{DataType, SignatureDef, TensorInfo};
use super::tensor::{CheckedTensor, probabilities, shape};
use crate::model::{CLASSES, PIXELS};
use crate::picture::IMAGE_SIDE;
use crate::serve::api_error::{ApiError, quoted};
use crate::serve::model_spec::{IMAGE_INPUT, SIGNATURE_NAME};
use crate::serve::models::{ServedModel, VersionChoice, VersionState, VersionStatus};
use crate::serve::output_tensors::ModelOutput;
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// The name of the signature in a model's metadata.
const SIGNATURE_FIELD: &str = "signature_def";
/// The type of its value.
const SIGNATURE_TYPE: &str = "type.googleapis.com/tensorflow.serving.SignatureDefMap";

/// `PredictionService` and `ModelService`.
pub(super) struct TensorflowService(pub(super) Arc<ServerState>);

/// The version that a request asks for.
fn choice(spec: &ModelSpec) -> Result<VersionChoice<'_>, ApiError> {
    Ok(match &spec.version_choice {
        None => VersionChoice::Latest,
        Some(SpecVersion::VersionLabel(label)) => VersionChoice::Label(label),
        Some(SpecVersion::Version(version)) => VersionChoice::Number(
            u64::try_from(*version).map_err(|_| ApiError::invalid("the version is negative"))?,
        ),
    })
}

/// The model that a request asks for.
fn find(state: &ServerState, spec: Option<&ModelSpec>) -> Result<Arc<ServedModel>, ApiError> {
    let spec = spec.ok_or_else(|| ApiError::invalid("the request has no model_spec"))?;
    if !["", SIGNATURE_NAME].contains(&spec.signature_name.as_str()) {
        let name = quoted(&spec.signature_name);
        let message = format!("unknown signature_name {name}; use {SIGNATURE_NAME:?}");
        return Err(ApiError::invalid(message));
    }
    state.models.find(&spec.name, choice(spec)?)
}

/// The model that a response is of.
fn spec_of(model: &ServedModel, signature_name: &str) -> ModelSpec {
    ModelSpec {
        name: model.name.to_string(),
        // No overflow: a version is at most i64::MAX.
        version_choice: Some(SpecVersion::Version(model.version as i64)),
        signature_name: signature_name.to_owned(),
    }
}

#[tonic::async_trait]
impl PredictionService for TensorflowService {
    async fn predict(
        &self,
        request: Request<PredictRequest>,
    ) -> Result<Response<PredictResponse>, Status> {
        let context = request_context::in_extensions(request.extensions())?;
        let PredictRequest { model_spec, inputs, output_filter } = request.into_inner();
        let model = find(&self.0, model_spec.as_ref())?;
        let output = ModelOutput::Probabilities.spec().name;
        if let Some(other) = output_filter.iter().find(|name| *name != output) {
            let message = format!("unknown output {}; the output is {output}", quoted(other));
            return Err(ApiError::invalid(message).into());
        }
        let count = inputs.len();
        let mut inputs = inputs.into_values();
        let (Some(input), None) = (inputs.next(), inputs.next()) else {
            let message = format!("the request has {count} inputs; send exactly one, image");
            return Err(ApiError::invalid(message).into());
        };
        let input = CheckedTensor::new(input)?;
        // A short message may stand for many pictures.
        self.0.queue.check_count(input.pictures())?;
        context.charge(input.pictures() * PIXELS * size_of::<f32>()).await?;
        let predictions = self.0.predict(&model, input.into_pictures()?, &context).await?;
        let tensor = probabilities(predictions.iter().map(|prediction| prediction.probabilities));
        Ok(Response::new(PredictResponse {
            outputs: [(output.to_owned(), tensor)].into(),
            model_spec: Some(spec_of(&model, SIGNATURE_NAME)),
        }))
    }

    async fn get_model_metadata(
        &self,
        request: Request<GetModelMetadataRequest>,
    ) -> Result<Response<GetModelMetadataResponse>, Status> {
        let GetModelMetadataRequest { model_spec, metadata_field } = request.into_inner();
        let model = find(&self.0, model_spec.as_ref())?;
        if metadata_field.is_empty() {
            return Err(ApiError::invalid("metadata_field must name signature_def").into());
        }
        if let Some(other) = metadata_field.iter().find(|field| *field != SIGNATURE_FIELD) {
            let other = quoted(other);
            let message = format!("unknown metadata_field {other}; the only one is signature_def");
            return Err(ApiError::invalid(message).into());
        }
        let value = signatures().encode_to_vec();
        let any = prost_types::Any { type_url: SIGNATURE_TYPE.to_owned(), value };
        Ok(Response::new(GetModelMetadataResponse {
            model_spec: Some(spec_of(&model, "")),
            metadata: [(SIGNATURE_FIELD.to_owned(), any)].into(),
        }))
    }
}

/// The only signature: images to probabilities.
fn signatures() -> SignatureDefMap {
    let tensor = |name: &str, sizes: &[i64]| {
        let info = TensorInfo {
            name: name.to_owned(),
            dtype: DataType::DtFloat.into(),
            tensor_shape: Some(shape(sizes)),
        };
        [(name.to_owned(), info)].into()
    };
    let side = IMAGE_SIDE as i64;
    let signature = SignatureDef {
        inputs: tensor(IMAGE_INPUT, &[-1, side, side]),
        outputs: tensor(ModelOutput::Probabilities.spec().name, &[-1, CLASSES as i64]),
        method_name: "tensorflow/serving/predict".to_owned(),
    };
    SignatureDefMap { signature_def: [(SIGNATURE_NAME.to_owned(), signature)].into() }
}

#[tonic::async_trait]
impl ModelService for TensorflowService {
    async fn get_model_status(
        &self,
        request: Request<GetModelStatusRequest>,
    ) -> Result<Response<GetModelStatusResponse>, Status> {
        let spec = request.into_inner().model_spec;
        let spec = spec.ok_or_else(|| ApiError::invalid("the request has no model_spec"))?;
        let named = self.0.models.model(&spec.name)?;
        let version = match choice(&spec)? {
            VersionChoice::Latest => None,
            VersionChoice::Number(version) => Some(version),
            label => Some(self.0.models.find(&spec.name, label)?.version),
        };
        let is_stopping = self.0.is_stopping();
        let is_chosen =
            |status: &&VersionStatus| version.is_none_or(|version| version == status.version);
        let statuses = named.versions.iter().filter(is_chosen);
        let statuses: Vec<_> = statuses.map(|status| version_status(status, is_stopping)).collect();
        if statuses.is_empty() {
            // With the error that says which versions there are.
            self.0.models.find(&spec.name, choice(&spec)?)?;
        }
        Ok(Response::new(GetModelStatusResponse { model_version_status: statuses }))
    }
}

fn version_status(status: &VersionStatus, is_stopping: bool) -> ModelVersionStatus {
    let (state, code, message) = match &status.state {
        VersionState::Available(_) if is_stopping => (State::Unloading, Code::Ok, ""),
        VersionState::Available(_) => (State::Available, Code::Ok, ""),
        VersionState::Loading => (State::Loading, Code::Ok, ""),
        VersionState::Unloading => (State::Unloading, Code::Ok, ""),
        VersionState::Unavailable(reason) => (State::End, Code::Unavailable, reason.as_str()),
    };
    ModelVersionStatus {
        version: status.version as i64,
        state: state.into(),
        status: Some(StatusProto { error_code: code.into(), error_message: message.to_owned() }),
    }
}
