//! TensorFlow Serving's services over gRPC.

use prost::Message;
use tonic::{Code, Status};

use crate::grpc::proto::tensorflow::serving::model_service_client::ModelServiceClient;
use crate::grpc::proto::tensorflow::serving::model_spec::VersionChoice;
use crate::grpc::proto::tensorflow::serving::model_version_status::State;
use crate::grpc::proto::tensorflow::serving::prediction_service_client::PredictionServiceClient;
use crate::grpc::proto::tensorflow::serving::{
    GetModelMetadataRequest, GetModelStatusRequest, ModelSpec, PredictRequest, PredictResponse,
    SignatureDefMap,
};
use crate::grpc::proto::tensorflow::tensor_shape_proto::Dim;
use crate::grpc::proto::tensorflow::{DataType, TensorProto, TensorShapeProto};
use crate::grpc::with_channel;
use crate::server::{SEVEN, TestServer, file, floats, infer, pixels};

fn tensor(dtype: DataType, sizes: &[i64]) -> TensorProto {
    let dim = sizes.iter().map(|&size| Dim { size, ..Default::default() }).collect();
    let tensor_shape = Some(TensorShapeProto { dim, unknown_rank: false });
    TensorProto { dtype: dtype.into(), tensor_shape, ..Default::default() }
}

fn spec(version: Option<VersionChoice>) -> Option<ModelSpec> {
    Some(ModelSpec {
        name: "digits".to_owned(),
        version_choice: version,
        signature_name: String::new(),
    })
}

fn predict(server: &TestServer, request: PredictRequest) -> Result<PredictResponse, Status> {
    let answer = with_channel(server, async |channel, origin| {
        PredictionServiceClient::with_origin(channel, origin).predict(request).await
    });
    answer.map(tonic::Response::into_inner)
}

fn request(tensor: TensorProto) -> PredictRequest {
    PredictRequest {
        model_spec: spec(None),
        inputs: [("image".to_owned(), tensor)].into(),
        output_filter: Vec::new(),
    }
}

#[test]
fn content_typed_values_and_image_files_get_the_probabilities_of_infer() {
    let server = TestServer::start();
    let raw: Vec<u8> = pixels(SEVEN).iter().flat_map(|value| value.to_le_bytes()).collect();
    let expected = floats(&infer(SEVEN)["probabilities"]);
    for tensor in [
        TensorProto { tensor_content: raw.into(), ..tensor(DataType::DtFloat, &[1, 28, 28]) },
        TensorProto { float_val: pixels(SEVEN), ..tensor(DataType::DtFloat, &[1, 28, 28, 1]) },
        TensorProto { string_val: vec![file(SEVEN).into()], ..tensor(DataType::DtString, &[1]) },
    ] {
        let answer = predict(&server, request(tensor)).unwrap();
        let found = answer.model_spec.unwrap();
        assert_eq!(found.name, "digits");
        assert_eq!(found.version_choice, Some(VersionChoice::Version(1)));
        let output = &answer.outputs["probabilities"];
        let sizes: Vec<_> =
            output.tensor_shape.as_ref().unwrap().dim.iter().map(|dim| dim.size).collect();
        assert_eq!((output.dtype(), sizes), (DataType::DtFloat, vec![1, 10]));
        let (values, _) = output.tensor_content.as_chunks::<4>();
        let values: Vec<_> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        assert_eq!(values, expected);
    }
}

#[test]
fn an_invalid_request_gets_a_status_that_says_why() {
    let server = TestServer::start();
    let blank = || TensorProto { float_val: vec![0.0], ..tensor(DataType::DtFloat, &[1, 784]) };
    let other = |change: fn(&mut PredictRequest)| {
        let mut request = request(blank());
        change(&mut request);
        request
    };
    for (request, code, reason) in [
        (other(|request| request.model_spec = None), Code::InvalidArgument, "model_spec"),
        (
            other(|request| request.model_spec.as_mut().unwrap().name = "letters".into()),
            Code::NotFound,
            "the models are digits",
        ),
        (
            other(|request| request.model_spec = spec(Some(VersionChoice::Version(2)))),
            Code::NotFound,
            "its versions are 1",
        ),
        (
            other(|request| {
                request.model_spec = spec(Some(VersionChoice::VersionLabel("stable".into())));
            }),
            Code::NotFound,
            "stable",
        ),
        (other(|request| request.inputs.clear()), Code::InvalidArgument, "0 inputs"),
        (
            other(|request| request.output_filter = vec!["digit".into()]),
            Code::InvalidArgument,
            "unknown output \"digit\"",
        ),
        (request(tensor(DataType::DtDouble, &[1, 784])), Code::InvalidArgument, "DT_DOUBLE"),
        (
            // One value that stands for three thousand pictures, in a message of fifty bytes.
            request(TensorProto {
                float_val: vec![0.5],
                ..tensor(DataType::DtFloat, &[3000, 784])
            }),
            Code::InvalidArgument,
            "the queue holds 1024",
        ),
        (
            request(TensorProto {
                float_val: vec![0.5],
                ..tensor(DataType::DtFloat, &[i64::MAX, 784])
            }),
            Code::InvalidArgument,
            "the queue holds 1024",
        ),
    ] {
        let status = predict(&server, request).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(reason), "{status}");
    }
    predict(&server, request(blank())).unwrap();
}

#[test]
fn metadata_and_status_have_the_form_of_tensorflow_serving() {
    let server = TestServer::start();
    with_channel(&server, async |channel, origin| {
        let mut models = ModelServiceClient::with_origin(channel.clone(), origin.clone());
        let request = GetModelStatusRequest { model_spec: spec(None) };
        let status = models.get_model_status(request).await.unwrap().into_inner();
        let [version] = status.model_version_status.as_slice() else { panic!("{status:?}") };
        assert_eq!((version.version, version.state()), (1, State::Available));
        assert_eq!(version.status.as_ref().unwrap().error_code, 0);
        let none = Some(VersionChoice::Version(5));
        let request = GetModelStatusRequest { model_spec: spec(none) };
        let error = models.get_model_status(request).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);

        let mut prediction = PredictionServiceClient::with_origin(channel, origin);
        let metadata = |field: &str| GetModelMetadataRequest {
            model_spec: spec(None),
            metadata_field: vec![field.to_owned()],
        };
        let answer = prediction.get_model_metadata(metadata("signature_def")).await.unwrap();
        let any = &answer.get_ref().metadata["signature_def"];
        assert_eq!(any.type_url, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
        let signatures = SignatureDefMap::decode(any.value.as_slice()).unwrap();
        let signature = &signatures.signature_def["serving_default"];
        assert_eq!(signature.method_name, "tensorflow/serving/predict");
        assert_eq!(signature.inputs["image"].dtype(), DataType::DtFloat);
        assert_eq!(signature.outputs["probabilities"].dtype(), DataType::DtFloat);
        let error = prediction.get_model_metadata(metadata("other")).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    });
}
