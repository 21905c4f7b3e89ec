//! The Open Inference Protocol V2 over gRPC.

/// Messages, client and server of `inference.proto`, made by `tools/grpc`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod proto {
    include!("generated.rs");
}

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use tonic::Status;

use self::proto::grpc_inference_service_server::{
    GrpcInferenceService, GrpcInferenceServiceServer,
};
use self::proto::model_infer_request::InferInputTensor;
use self::proto::model_infer_response::InferOutputTensor;
use self::proto::model_metadata_response::TensorMetadata;
use self::proto::{
    InferTensorContents, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse, ServerLiveRequest,
    ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
    ServerReadyResponse,
};
use super::Shared;
use super::refusal::{Kind, Refusal};
use super::tensors::{
    self, Datatype, INPUTS, Input, MODEL, Output, PLATFORM, SERVER, VERSION, Values, counted,
    from_fp32, from_raw, from_uint8, refuse_extensions,
};

/// Everything over gRPC.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    // The body's own bound comes first; tonic's default of 4 MiB must not undercut it.
    let service = GrpcInferenceServiceServer::new(Service(shared.clone()))
        .max_decoding_message_size(usize::MAX);
    tonic::service::Routes::new(service)
        .into_axum_router()
        .layer(from_fn_with_state(shared, around))
}

/// What surrounds every request: its body read within bounds, its outcome counted.
async fn around(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().to_owned());
    let response = match shared.bodies.read(request).await {
        Ok((request, _held)) => next.run(request).await,
        Err(refusal) => Status::from(refusal).into_http::<Body>(),
    };
    // A refusal comes in the headers; an answer ends in a trailer that says 0.
    let status = response.headers().get(Status::GRPC_STATUS);
    let status = status.and_then(|status| status.to_str().ok()?.parse().ok()).unwrap_or(0);
    let took = start.elapsed();
    shared.metrics.request("grpc", status, took);
    if let Some(path) = path {
        tracing::debug!(
            request = path,
            status,
            milliseconds = took.as_secs_f64() * 1e3,
            "answered"
        );
    }
    response
}

struct Service(Arc<Shared>);

type Outcome<T> = Result<tonic::Response<T>, Status>;

fn done<T>(message: T) -> Outcome<T> {
    Ok(tonic::Response::new(message))
}

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(
        &self,
        _: tonic::Request<ServerLiveRequest>,
    ) -> Outcome<ServerLiveResponse> {
        done(ServerLiveResponse { live: true })
    }

    async fn server_ready(
        &self,
        _: tonic::Request<ServerReadyRequest>,
    ) -> Outcome<ServerReadyResponse> {
        done(ServerReadyResponse { ready: self.0.is_ready() })
    }

    async fn model_ready(
        &self,
        request: tonic::Request<ModelReadyRequest>,
    ) -> Outcome<ModelReadyResponse> {
        let ModelReadyRequest { name, version } = request.into_inner();
        check_model(&name, &version)?;
        done(ModelReadyResponse { ready: self.0.is_ready() })
    }

    async fn server_metadata(
        &self,
        _: tonic::Request<ServerMetadataRequest>,
    ) -> Outcome<ServerMetadataResponse> {
        done(ServerMetadataResponse {
            name: SERVER.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: Vec::new(),
        })
    }

    async fn model_metadata(
        &self,
        request: tonic::Request<ModelMetadataRequest>,
    ) -> Outcome<ModelMetadataResponse> {
        let ModelMetadataRequest { name, version } = request.into_inner();
        check_model(&name, &version)?;
        let tensor = |tensor: tensors::TensorMetadata| TensorMetadata {
            name: tensor.name.to_owned(),
            datatype: tensor.datatype.to_owned(),
            shape: tensor.shape.to_vec(),
        };
        done(ModelMetadataResponse {
            name: MODEL.to_owned(),
            versions: vec![VERSION.to_owned()],
            platform: PLATFORM.to_owned(),
            inputs: INPUTS.map(tensor).into(),
            outputs: Output::ALL.map(|output| tensor(output.metadata())).into(),
        })
    }

    async fn model_infer(
        &self,
        request: tonic::Request<ModelInferRequest>,
    ) -> Outcome<ModelInferResponse> {
        let request = request.into_inner();
        check_model(&request.model_name, &request.model_version)?;
        let wanted = wanted(&request)?;
        // Whoever sends raw contents gets raw contents.
        let is_raw = !request.raw_input_contents.is_empty();
        let input = input(request.inputs, request.raw_input_contents)?;
        let answer = self.0.answer(input).await?;

        let count = answer.predictions.len();
        let mut raw_output_contents = Vec::new();
        let mut outputs = Vec::with_capacity(wanted.len());
        for output in wanted {
            let metadata = output.metadata();
            let values = output.values(&answer.predictions);
            let contents = if is_raw {
                raw_output_contents.push(Bytes::from(values.raw()));
                None
            } else {
                Some(contents(values))
            };
            outputs.push(InferOutputTensor {
                name: metadata.name.to_owned(),
                datatype: metadata.datatype.to_owned(),
                shape: output.shape(count),
                parameters: Default::default(),
                contents,
            });
        }
        done(ModelInferResponse {
            model_name: MODEL.to_owned(),
            model_version: VERSION.to_owned(),
            id: request.id,
            parameters: Default::default(),
            outputs,
            raw_output_contents,
        })
    }
}

/// Refuses every model but this one; an empty version is any.
fn check_model(name: &str, version: &str) -> Result<(), Refusal> {
    if name != MODEL {
        let reason = format!("there is no model {name:?}; the one served is {MODEL}");
        return Err(Refusal::new(Kind::NotFound, reason));
    }
    match version {
        "" | VERSION => Ok(()),
        other => {
            let reason = format!("{MODEL} has no version {other:?}; it has version {VERSION}");
            Err(Refusal::new(Kind::NotFound, reason))
        }
    }
}

fn wanted(request: &ModelInferRequest) -> Result<Vec<Output>, Refusal> {
    if request.outputs.is_empty() {
        return Ok(Output::ALL.into());
    }
    let one = |output: &proto::model_infer_request::InferRequestedOutputTensor| {
        refuse_extensions(output.parameters.keys())?;
        Output::named(&output.name)
    };
    request.outputs.iter().map(one).collect()
}

fn input(inputs: Vec<InferInputTensor>, raw: Vec<Bytes>) -> Result<Input, Refusal> {
    let inputs: [InferInputTensor; 1] =
        inputs.try_into().map_err(|inputs: Vec<_>| tensors::not_one_input(inputs.len()))?;
    let [tensor] = inputs;
    let (datatype, count) = tensors::input(&tensor.name, &tensor.datatype, &tensor.shape)?;
    refuse_extensions(tensor.parameters.keys())?;
    match (raw.len(), tensor.contents) {
        (1, None) => from_raw(datatype, raw.into_iter().next().unwrap_or_default(), count),
        (0, Some(contents)) => from_contents(datatype, contents, count),
        _ => Err(Refusal::invalid("an input has either contents or one of raw_input_contents")),
    }
}

fn from_contents(
    datatype: Datatype,
    contents: InferTensorContents,
    count: usize,
) -> Result<Input, Refusal> {
    match datatype {
        Datatype::Fp32 => from_fp32(&contents.fp32_contents, count).map(Input::Pixels),
        Datatype::Uint8 => {
            let bytes = contents.uint_contents.iter().map(|&value| u8::try_from(value));
            let bytes = bytes
                .collect::<Result<Vec<u8>, _>>()
                .map_err(|_| Refusal::invalid("image holds a value above 255, where UINT8 ends"))?;
            from_uint8(&bytes, count).map(Input::Pixels)
        }
        Datatype::Bytes => counted(contents.bytes_contents, count).map(Input::Encoded),
    }
}

fn contents(values: Values) -> InferTensorContents {
    match values {
        Values::Fp32(fp32_contents) => InferTensorContents { fp32_contents, ..Default::default() },
        Values::Int64(int64_contents) => {
            InferTensorContents { int64_contents, ..Default::default() }
        }
    }
}
