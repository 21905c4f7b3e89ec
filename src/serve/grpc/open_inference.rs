//! The Open Inference Protocol V2 over gRPC: the same inference as `rest::open_inference`.

use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use super::proto::inference::grpc_inference_service_server::GrpcInferenceService;
use super::proto::inference::infer_parameter::ParameterChoice;
use super::proto::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use super::proto::inference::model_infer_response::InferOutputTensor;
use super::proto::inference::model_metadata_response::TensorMetadata;
use super::proto::inference::{
    InferParameter, InferTensorContents, ModelConfigRequest, ModelConfigResponse,
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse,
    ModelReadyRequest, ModelReadyResponse, ModelStatisticsRequest, ModelStatisticsResponse,
    RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest,
    RepositoryModelLoadResponse, RepositoryModelUnloadRequest, RepositoryModelUnloadResponse,
    ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse,
};
use super::repository;
use crate::serve;
use crate::serve::api_error::{ApiError, ApiErrorKind};
use crate::serve::input_tensors::{
    InputDatatype, InputPictures, MODEL_INPUTS, PictureCount, check_count, check_input,
    from_binary, from_fp32, from_uint8, not_one_input, reject_extensions,
};
use crate::serve::model_spec::{PLATFORM, SERVER_NAME, TensorSpec};
use crate::serve::models::VersionChoice;
use crate::serve::output_tensors::{MODEL_OUTPUTS, OutputValues, RequestedOutput};
use crate::serve::request_context;
use crate::serve::state::ServerState;

/// Extensions of the protocol over gRPC.
const GRPC_EXTENSIONS: [&str; 4] =
    ["classification", "model_configuration", "model_repository", "statistics"];
/// Memory of the pictures made of a raw tensor, for each of its bytes: UINT8 becomes f32.
const BINARY_COST: usize = size_of::<f32>();
/// Memory of a version in a response with all.
const VERSION_BYTES: usize = 1 << 10;

pub(super) struct InferenceService(pub(super) Arc<ServerState>);

type RpcResult<T> = Result<tonic::Response<T>, Status>;

fn respond<T>(message: T) -> RpcResult<T> {
    Ok(tonic::Response::new(message))
}

#[tonic::async_trait]
impl GrpcInferenceService for InferenceService {
    async fn server_live(
        &self,
        _: tonic::Request<ServerLiveRequest>,
    ) -> RpcResult<ServerLiveResponse> {
        respond(ServerLiveResponse { live: true })
    }

    async fn server_ready(
        &self,
        _: tonic::Request<ServerReadyRequest>,
    ) -> RpcResult<ServerReadyResponse> {
        respond(ServerReadyResponse { ready: self.0.is_ready() })
    }

    async fn model_ready(
        &self,
        request: tonic::Request<ModelReadyRequest>,
    ) -> RpcResult<ModelReadyResponse> {
        let ModelReadyRequest { name, version } = request.into_inner();
        let ready = match self.0.models.find(&name, VersionChoice::parse(&version)) {
            Ok(_) => !self.0.is_stopping(),
            Err(error) if error.kind == ApiErrorKind::Unavailable => false,
            Err(error) => return Err(error.into()),
        };
        respond(ModelReadyResponse { ready })
    }

    async fn server_metadata(
        &self,
        _: tonic::Request<ServerMetadataRequest>,
    ) -> RpcResult<ServerMetadataResponse> {
        respond(ServerMetadataResponse {
            name: SERVER_NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: GRPC_EXTENSIONS.map(str::to_owned).into(),
        })
    }

    async fn model_metadata(
        &self,
        request: tonic::Request<ModelMetadataRequest>,
    ) -> RpcResult<ModelMetadataResponse> {
        let ModelMetadataRequest { name, version } = request.into_inner();
        let chosen = self.0.models.find(&name, VersionChoice::parse(&version))?;
        let named = self.0.models.model(&name)?;
        let tensor = |spec: TensorSpec| TensorMetadata {
            name: spec.name.to_owned(),
            datatype: spec.datatype.to_owned(),
            shape: spec.shape.to_vec(),
        };
        respond(ModelMetadataResponse {
            versions: named.available().map(|model| model.version_text.clone()).collect(),
            platform: PLATFORM.to_owned(),
            inputs: MODEL_INPUTS.map(tensor).into(),
            outputs: MODEL_OUTPUTS.map(|output| tensor(output.spec())).into(),
            parameters: [
                ("version".to_owned(), text_parameter(&chosen.version_text)),
                ("sha256".to_owned(), text_parameter(&chosen.sha256)),
            ]
            .into(),
            name,
        })
    }

    async fn model_infer(
        &self,
        request: tonic::Request<ModelInferRequest>,
    ) -> RpcResult<ModelInferResponse> {
        let context = request_context::in_extensions(request.extensions())?;
        let request = request.into_inner();
        let choice = VersionChoice::parse(&request.model_version);
        let model = self.0.models.find(&request.model_name, choice)?;
        let chosen = chosen_outputs(&request)?;
        // Raw input contents get raw output contents, as in Triton.
        let is_raw = !request.raw_input_contents.is_empty();
        let raw_bytes: usize = request.raw_input_contents.iter().map(Bytes::len).sum();
        context.charge(BINARY_COST * raw_bytes).await?;
        let pictures = input_pictures(request.inputs, request.raw_input_contents)?;
        let predictions = self.0.predict(&model, pictures, &context).await?;

        let count = predictions.len();
        let mut raw_output_contents = Vec::new();
        let mut outputs = Vec::with_capacity(chosen.len());
        for output in chosen {
            let values = output.values(&predictions);
            let contents = if is_raw {
                raw_output_contents.push(Bytes::from(values.to_bytes()));
                None
            } else {
                Some(to_contents(values))
            };
            outputs.push(InferOutputTensor {
                name: output.output.spec().name.to_owned(),
                datatype: output.datatype().to_owned(),
                shape: output.shape(count),
                parameters: Default::default(),
                contents,
            });
        }
        respond(ModelInferResponse {
            model_name: model.name.to_string(),
            model_version: model.version_text.clone(),
            id: request.id,
            parameters: Default::default(),
            outputs,
            raw_output_contents,
        })
    }

    async fn model_config(
        &self,
        request: tonic::Request<ModelConfigRequest>,
    ) -> RpcResult<ModelConfigResponse> {
        let ModelConfigRequest { name, version } = request.into_inner();
        let model = self.0.models.find(&name, VersionChoice::parse(&version))?;
        respond(repository::config(&self.0, &model, self.0.models.model(&name)?.policy))
    }

    async fn model_statistics(
        &self,
        request: tonic::Request<ModelStatisticsRequest>,
    ) -> RpcResult<ModelStatisticsResponse> {
        let context = request_context::in_extensions(request.extensions())?;
        let ModelStatisticsRequest { name, version } = request.into_inner();
        let versions = serve::repository::versions(&self.0, &name, &version)?;
        context.charge(versions.len() * VERSION_BYTES).await?;
        respond(repository::statistics(&versions))
    }

    async fn repository_index(
        &self,
        request: tonic::Request<RepositoryIndexRequest>,
    ) -> RpcResult<RepositoryIndexResponse> {
        let context = request_context::in_extensions(request.extensions())?;
        let index = repository::index(&self.0, request.into_inner().ready);
        context.charge(index.models.len() * VERSION_BYTES).await?;
        respond(index)
    }

    async fn repository_model_load(
        &self,
        request: tonic::Request<RepositoryModelLoadRequest>,
    ) -> RpcResult<RepositoryModelLoadResponse> {
        let request = request.into_inner();
        if !request.parameters.is_empty() {
            return Err(ApiError::invalid(
                "models are loaded from the server's folder; send no parameters",
            )
            .into());
        }
        let model_name = repository_model(request.repository_name, request.model_name);
        serve::repository::load(&self.0, &model_name).await?;
        respond(RepositoryModelLoadResponse { model_name, is_loaded: true })
    }

    async fn repository_model_unload(
        &self,
        request: tonic::Request<RepositoryModelUnloadRequest>,
    ) -> RpcResult<RepositoryModelUnloadResponse> {
        let RepositoryModelUnloadRequest { repository_name, model_name, .. } = request.into_inner();
        let model_name = repository_model(repository_name, model_name);
        serve::repository::unload(&self.0, &model_name).await?;
        respond(RepositoryModelUnloadResponse { model_name, is_unloaded: true })
    }
}

/// The model of a request to the repository: the second field in Triton's protocol, the first in
/// KServe's, where there is no second.
fn repository_model(first: String, second: String) -> String {
    if second.is_empty() { first } else { second }
}

fn text_parameter(text: &str) -> InferParameter {
    InferParameter { parameter_choice: Some(ParameterChoice::StringParam(text.to_owned())) }
}

/// The outputs that the request names, or all.
pub(in crate::serve) fn chosen_outputs(
    request: &ModelInferRequest,
) -> Result<Vec<RequestedOutput>, ApiError> {
    if request.outputs.is_empty() {
        return Ok(MODEL_OUTPUTS.map(RequestedOutput::values_of).into());
    }
    let mut chosen = Vec::<RequestedOutput>::new();
    for InferRequestedOutputTensor { name, parameters } in &request.outputs {
        reject_extensions(parameters.keys().map(String::as_str))?;
        let classes = parameters.get("classification").map(|value| match value.parameter_choice {
            Some(ParameterChoice::Int64Param(count)) => usize::try_from(count).ok(),
            Some(ParameterChoice::Uint64Param(count)) => usize::try_from(count).ok(),
            _ => None,
        });
        let requested = RequestedOutput::new(name, classes)?;
        requested.output.check_not_in(chosen.iter().map(|other| other.output))?;
        chosen.push(requested);
    }
    Ok(chosen)
}

/// The pictures of a request with these inputs.
///
/// # Errors
/// If there is not exactly one valid input.
pub(in crate::serve) fn input_pictures(
    inputs: Vec<InferInputTensor>,
    raw_contents: Vec<Bytes>,
) -> Result<InputPictures, ApiError> {
    let inputs: [InferInputTensor; 1] =
        inputs.try_into().map_err(|inputs: Vec<_>| not_one_input(inputs.len()))?;
    let [input] = inputs;
    let (datatype, count) = check_input(&input.name, &input.datatype, &input.shape)?;
    reject_extensions(input.parameters.keys().map(String::as_str))?;
    match (raw_contents.len(), input.contents) {
        (1, None) => {
            from_binary(datatype, raw_contents.into_iter().next().unwrap_or_default(), count)
        }
        (0, Some(contents)) => from_contents(datatype, contents, count),
        _ => Err(ApiError::invalid(
            "the input must have exactly one of contents and raw_input_contents",
        )),
    }
}

/// Pictures from the field of `contents` that belongs to the datatype.
fn from_contents(
    datatype: InputDatatype,
    contents: InferTensorContents,
    count: PictureCount,
) -> Result<InputPictures, ApiError> {
    match datatype {
        InputDatatype::Fp32 => from_fp32(&contents.fp32_contents, count).map(InputPictures::Pixels),
        InputDatatype::Uint8 => {
            let bytes = contents.uint_contents.iter().map(|&value| u8::try_from(value));
            let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|_| {
                ApiError::invalid("image contains a value above 255; UINT8 must be from 0 to 255")
            })?;
            from_uint8(&bytes, count).map(InputPictures::Pixels)
        }
        InputDatatype::Bytes => {
            check_count(contents.bytes_contents, count).map(InputPictures::Files)
        }
    }
}

fn to_contents(values: OutputValues) -> InferTensorContents {
    match values {
        OutputValues::Fp32(fp32_contents) => {
            InferTensorContents { fp32_contents, ..Default::default() }
        }
        OutputValues::Int64(int64_contents) => {
            InferTensorContents { int64_contents, ..Default::default() }
        }
        OutputValues::Bytes(texts) => InferTensorContents {
            bytes_contents: texts.into_iter().map(Bytes::from).collect(),
            ..Default::default()
        },
    }
}
