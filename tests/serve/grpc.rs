//! The Open Inference Protocol over gRPC.

use burn_digits::serve::grpc::proto::grpc_inference_service_client::GrpcInferenceServiceClient;
use burn_digits::serve::grpc::proto::model_infer_request::{
    InferInputTensor, InferRequestedOutputTensor,
};
use burn_digits::serve::grpc::proto::{
    InferTensorContents, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
    ModelReadyRequest, ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::server::{Server, file, floats, infer, pixels};

const SEVEN: &str = "image.png";

/// Calls with one connection's client.
fn with_client<T>(
    server: &Server,
    calls: impl AsyncFnOnce(
        GrpcInferenceServiceClient<
            tower::util::BoxCloneSyncService<
                http::Request<Body>,
                http::Response<hyper::body::Incoming>,
                hyper::Error,
            >,
        >,
    ) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.grpc).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, connection) =
            hyper::client::conn::http2::handshake::<_, _, Body>(TokioExecutor::new(), io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let send = tower::service_fn(move |request| sender.clone().send_request(request));
        let service = tower::util::BoxCloneSyncService::new(send);
        let origin = format!("http://{}", server.grpc).parse().unwrap();
        calls(GrpcInferenceServiceClient::with_origin(service, origin)).await
    })
}

fn image(
    datatype: &str,
    shape: &[i64],
    contents: Option<InferTensorContents>,
) -> ModelInferRequest {
    ModelInferRequest {
        model_name: "digits".to_owned(),
        id: "a name".to_owned(),
        inputs: vec![InferInputTensor {
            name: "image".to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
            contents,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn call(server: &Server, request: ModelInferRequest) -> Result<ModelInferResponse, Status> {
    let answer = with_client(server, async |mut client| client.model_infer(request).await);
    answer.map(tonic::Response::into_inner)
}

fn expected() -> Vec<f32> {
    floats(&infer(SEVEN)["probabilities"])
}

#[test]
fn live_ready_and_metadata_are_as_the_protocol_has_them() {
    let server = Server::start();
    with_client(&server, async |mut client| {
        assert!(client.server_live(ServerLiveRequest {}).await.unwrap().into_inner().live);
        assert!(client.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
        let metadata = client.server_metadata(ServerMetadataRequest {}).await.unwrap().into_inner();
        assert_eq!(metadata.name, "burn-digits");
        let (name, version) = ("digits".to_owned(), String::new());
        let named = ModelReadyRequest { name: name.clone(), version: version.clone() };
        assert!(client.model_ready(named).await.unwrap().into_inner().ready);
        let named = ModelMetadataRequest { name, version };
        let metadata = client.model_metadata(named).await.unwrap().into_inner();
        let tensors = metadata.inputs.iter().chain(&metadata.outputs);
        let tensors: Vec<_> = tensors
            .map(|tensor| json!([tensor.name, tensor.datatype, tensor.shape]).to_string())
            .collect();
        assert_eq!(
            tensors,
            [
                "[\"image\",\"FP32\",[-1,784]]",
                "[\"picture\",\"BYTES\",[-1]]",
                "[\"logits\",\"FP32\",[-1,10]]",
                "[\"probabilities\",\"FP32\",[-1,10]]",
                "[\"digit\",\"INT64\",[-1]]",
            ]
        );
        let other = ModelReadyRequest { name: "letters".to_owned(), version: String::new() };
        assert_eq!(client.model_ready(other).await.unwrap_err().code(), Code::NotFound);
    });
}

#[test]
fn typed_contents_get_typed_contents_with_the_numbers_of_infer() {
    let server = Server::start();
    let contents = InferTensorContents { fp32_contents: pixels(SEVEN), ..Default::default() };
    let answer = call(&server, image("FP32", &[1, 28, 28], Some(contents))).unwrap();
    assert_eq!((answer.model_name.as_str(), answer.id.as_str()), ("digits", "a name"));
    assert!(answer.raw_output_contents.is_empty());
    let [logits, probabilities, digit] = answer.outputs.as_slice() else { panic!("{answer:?}") };
    let values =
        |tensor: &burn_digits::serve::grpc::proto::model_infer_response::InferOutputTensor| {
            tensor.contents.clone().unwrap()
        };
    assert_eq!(logits.shape, [1, 10]);
    assert_eq!(values(probabilities).fp32_contents, expected());
    assert_eq!(values(digit).int64_contents, [7]);
}

#[test]
fn raw_contents_get_raw_contents_and_pictures_go_the_way_of_infer() {
    let server = Server::start();
    let raw: Vec<u8> = pixels(SEVEN).iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut pixels = image("FP32", &[1, 784], None);
    pixels.raw_input_contents = vec![raw.into()];
    let mut picture = image("BYTES", &[1], None);
    picture.inputs[0].name = "picture".to_owned();
    let encoded = file(SEVEN);
    let length = u32::try_from(encoded.len()).unwrap().to_le_bytes();
    picture.raw_input_contents = vec![[length.as_slice(), &encoded].concat().into()];
    for mut request in [pixels, picture] {
        let named = |name: &str| InferRequestedOutputTensor {
            name: name.to_owned(),
            parameters: Default::default(),
        };
        request.outputs = vec![named("digit"), named("probabilities")];
        let answer = call(&server, request).unwrap();
        assert!(answer.outputs.iter().all(|output| output.contents.is_none()));
        assert_eq!(answer.raw_output_contents[0], 7_i64.to_le_bytes().as_slice());
        let (values, _) = answer.raw_output_contents[1].as_chunks::<4>();
        let values: Vec<_> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        assert_eq!(values, expected());
    }
}

#[test]
fn a_wrong_request_is_refused_with_the_reason() {
    let server = Server::start();
    let full =
        |value| InferTensorContents { uint_contents: vec![value; 784], ..Default::default() };
    let nan = InferTensorContents { fp32_contents: vec![f32::NAN; 784], ..Default::default() };
    let mut both = image("UINT8", &[1, 784], Some(full(0)));
    both.raw_input_contents = vec![vec![0; 784].into()];
    let mut other = image("UINT8", &[1, 784], Some(full(0)));
    other.model_name = "letters".to_owned();
    for (request, code, reason) in [
        (image("UINT8", &[1, 784], Some(full(256))), Code::InvalidArgument, "above 255"),
        (image("FP32", &[1, 784], Some(nan)), Code::InvalidArgument, "value NaN"),
        (image("UINT8", &[2, 784], Some(full(0))), Code::InvalidArgument, "784 values"),
        (image("UINT8", &[i64::MAX, 784], Some(full(0))), Code::InvalidArgument, "784 values"),
        (image("UINT8", &[1, 784], None), Code::InvalidArgument, "either contents"),
        (both, Code::InvalidArgument, "either contents"),
        (other, Code::NotFound, "letters"),
        (
            ModelInferRequest { model_name: "digits".into(), ..Default::default() },
            Code::InvalidArgument,
            "0 inputs",
        ),
    ] {
        let status = call(&server, request).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(reason), "{status}");
    }
}

#[test]
fn a_message_over_the_limit_is_refused_and_the_connection_goes_on() {
    let server = Server::with(&["--model", "shipped", "--largest-body", "1"]);
    let mut large = image("UINT8", &[2000, 784], None);
    large.raw_input_contents = vec![vec![0; 2000 * 784].into()];
    let mut small = image("UINT8", &[1000, 784], None);
    small.raw_input_contents = vec![vec![0; 1000 * 784].into()];
    with_client(&server, async |mut client| {
        let status = client.model_infer(large).await.unwrap_err();
        assert!(status.message().contains("1048576 bytes"), "{status}");
        let answer = client.model_infer(small).await.unwrap().into_inner();
        assert_eq!(answer.outputs[0].shape, [1000, 10]);
    });
}
