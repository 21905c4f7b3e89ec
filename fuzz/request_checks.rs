//! Properties that hold for arbitrary requests to the server, over HTTP and gRPC.
#![allow(dead_code)] // each fuzz target uses one of them

mod requests;

use std::collections::HashMap;
use std::mem::size_of;

use arbitrary::{Arbitrary, Unstructured};
use burn_digits::serve::fuzzing::{
    self, InferParameter, InferTensorContents, ModelInferRequest, ModelReadyRequest, ParsedRequest,
    RejectedRequest, ServerLiveRequest, infer_parameter::ParameterChoice,
};
use prost::Message;
use prost::bytes::Bytes;

use self::requests::{Change, Content, Inference, change};

/// Statuses of requests that are at fault themselves, or that a limit rejects. Never 500.
const STATUSES: [u16; 10] = [400, 403, 404, 405, 413, 415, 422, 429, 503, 504];
/// The longest text of an error: a kilobyte and an ellipsis.
const MAX_MESSAGE_BYTES: usize = 1027;

/// The separator of the parts of a form.
const BOUNDARY: &str = "fuzz";

/// Bytes of a request over HTTP, and how they differ from a valid one.
#[derive(Arbitrary, Debug)]
struct HttpRequest {
    inference: Inference,
    is_binary: bool,
    is_column: bool,
    json_length: Option<Vec<u8>>,
    content_type: Option<Vec<u8>>,
    changes: Vec<(u16, Change)>,
}

/// A request over gRPC, and how its bytes differ from a valid one.
#[derive(Arbitrary, Debug)]
struct GrpcRequest {
    inference: Inference,
    is_raw: bool,
    model: Option<(String, String)>,
    more_contents: Vec<Vec<u8>>,
    changes: Vec<(u16, Change)>,
}

/// Bytes are rejected by each of the HTTP parsers, or give pictures; and a valid request gives the
/// same pictures in each form.
pub fn rest(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    checked(fuzzing::open_inference(body.clone(), None));
    let end = bytes.iter().rposition(|&byte| byte == b'}').map_or(0, |at| at + 1);
    checked(fuzzing::open_inference(body.clone(), Some(end.to_string().as_bytes())));
    checked(fuzzing::tensorflow(bytes));
    checked(fuzzing::picture_text(bytes));
    checked(fuzzing::form(body, content_type().as_bytes()));
    if let Ok(request) = HttpRequest::arbitrary_take_rest(Unstructured::new(bytes)) {
        check_http(&request);
    }
}

fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

fn check_http(request: &HttpRequest) {
    let inference = &request.inference;
    let [plain, binary] = [false, true].map(|is_binary| {
        let (json, binary) = inference.open_inference(is_binary);
        let length = json.len().to_string();
        let body = [json.as_bytes(), &binary].concat();
        checked(fuzzing::open_inference(body.into(), Some(length.as_bytes())))
    });
    if inference.input.has_own_datatype() {
        assert_eq!(plain, binary, "the same request as JSON and in binary");
    }
    let tensorflow = inference.tensorflow(request.is_column).into_bytes();
    let form = form(inference.file());
    let has_pixels = inference.input.content == Content::Fp32;
    let has_pixels = has_pixels && inference.input.has_own_datatype();
    let same = checked(fuzzing::tensorflow(&tensorflow));
    if let Some(plain) = plain.filter(|_| has_pixels) {
        assert_eq!(same.expect("the same pixels are valid").pictures, plain.pictures);
    }
    let file = checked(fuzzing::form(form.clone().into(), content_type().as_bytes()));
    if !inference.file().windows(BOUNDARY.len()).any(|part| part == BOUNDARY.as_bytes()) {
        assert_eq!(file.expect("the form is valid").files, [inference.file()]);
    }

    let (json, binary) = inference.open_inference(request.is_binary);
    let length = json.len().to_string().into_bytes();
    let length = request.json_length.as_ref().or(request.is_binary.then_some(&length));
    let changed = |mut bytes: Vec<u8>| {
        change(&mut bytes, &request.changes);
        bytes
    };
    let body = changed([json.into_bytes(), binary].concat());
    checked(fuzzing::open_inference(body.into(), length.map(Vec::as_slice)));
    checked(fuzzing::tensorflow(&changed(tensorflow)));
    let content_type = request.content_type.clone().unwrap_or_else(|| content_type().into());
    checked(fuzzing::form(changed(form).into(), &content_type));
}

fn form(file: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"3.png\"\r\n\r\n"
    );
    [head.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

/// The parts of a valid request; `None` for an error, whose status and length are checked.
fn checked(result: Result<ParsedRequest, RejectedRequest>) -> Option<ParsedRequest> {
    match result {
        Ok(request) => {
            assert!(!request.pictures.is_empty() || !request.files.is_empty());
            assert!((1..=3).contains(&request.outputs.len()), "{:?}", request.outputs);
            for picture in &request.pictures {
                assert!(picture.as_slice().iter().all(|pixel| (0.0..=1.0).contains(pixel)));
            }
            Some(request)
        }
        Err(error) => {
            check_error(&error);
            None
        }
    }
}

fn check_error(error: &RejectedRequest) {
    assert!(STATUSES.contains(&error.http_status), "{error:?}");
    assert!((1..=MAX_MESSAGE_BYTES).contains(&error.message.len()), "{error:?}");
}

/// Bytes are rejected as the body of each gRPC request, or are decoded to no more than they are
/// charged; and a valid request gives the same pictures in each form, and over HTTP.
pub fn grpc(bytes: &[u8]) {
    for method in ["ModelInfer", "ModelReady", "ServerLive"] {
        check_body(method, bytes.to_vec());
        check_body(method, framed(bytes));
    }
    checked(fuzzing::grpc_predict(bytes, 1024));
    if let Ok(request) = GrpcRequest::arbitrary_take_rest(Unstructured::new(bytes)) {
        check_grpc(request);
    }
}

/// A message as the body of a request: not compressed, its length, and the message.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("inputs are short").to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// The parts of a valid request of `ModelInfer`. What is charged for a message is enough, and what
/// is charged at all can be decoded.
fn check_body(method: &str, body: Vec<u8>) -> Option<ParsedRequest> {
    let body = Bytes::from(body);
    let (message, cost) = match fuzzing::grpc_message(method, &body) {
        Ok((message, cost)) => (body.slice_ref(message), cost),
        Err(error) => {
            check_error(&error);
            return None;
        }
    };
    const DECODED: &str = "what is charged can be decoded";
    match method {
        "ModelInfer" => {
            let request = ModelInferRequest::decode(message).expect(DECODED);
            let taken = request_bytes(&request);
            assert!(taken <= cost, "{taken} bytes, charged {cost}: {request:?}");
            checked(fuzzing::grpc_infer(request))
        }
        "ModelReady" => {
            let request = ModelReadyRequest::decode(message).expect(DECODED);
            assert!(request.name.capacity() + request.version.capacity() <= cost);
            None
        }
        _ => {
            ServerLiveRequest::decode(message).expect(DECODED);
            None
        }
    }
}

fn check_grpc(request: GrpcRequest) {
    let inference = request.inference;
    let [typed, raw] = [false, true].map(|is_raw| {
        let message = inference.grpc(is_raw).encode_to_vec();
        fuzzing::grpc_message("ModelInfer", &framed(&message)).expect("the message is valid");
        check_body("ModelInfer", framed(&message))
    });
    if inference.input.has_own_datatype() {
        assert_eq!(typed, raw, "the same request with typed and with raw contents");
        // Over HTTP, more of a request is checked: the types of parameters, and lengths of lists.
        let (json, _) = inference.open_inference(false);
        if let Some(rest) = checked(fuzzing::open_inference(json.into(), None)) {
            assert_eq!(Some(rest), typed, "the same request over HTTP and gRPC");
        }
    }

    let mut message = inference.grpc(request.is_raw);
    if let Some((name, version)) = request.model {
        (message.model_name, message.model_version) = (name, version);
    }
    message.raw_input_contents.extend(request.more_contents.into_iter().map(Bytes::from));
    let mut body = framed(&message.encode_to_vec());
    check_body("ModelInfer", body.clone());
    change(&mut body, &request.changes);
    check_body("ModelInfer", body.clone());
    check_body("ModelInfer", framed(body.get(5..).unwrap_or_default()));
}

/// Memory that a decoded message has allocated. Bytes are part of the body, which is charged before.
fn request_bytes(request: &ModelInferRequest) -> usize {
    let mut bytes = [&request.model_name, &request.model_version, &request.id]
        .map(String::capacity)
        .iter()
        .sum::<usize>();
    bytes += map_bytes(&request.parameters);
    bytes += list_bytes(&request.inputs) + list_bytes(&request.outputs);
    bytes += list_bytes(&request.raw_input_contents);
    for input in &request.inputs {
        bytes += input.name.capacity() + input.datatype.capacity() + list_bytes(&input.shape);
        bytes += map_bytes(&input.parameters);
        bytes += input.contents.as_ref().map_or(0, contents_bytes);
    }
    for output in &request.outputs {
        bytes += output.name.capacity() + map_bytes(&output.parameters);
    }
    bytes
}

fn contents_bytes(contents: &InferTensorContents) -> usize {
    list_bytes(&contents.bool_contents)
        + list_bytes(&contents.int_contents)
        + list_bytes(&contents.int64_contents)
        + list_bytes(&contents.uint_contents)
        + list_bytes(&contents.uint64_contents)
        + list_bytes(&contents.fp32_contents)
        + list_bytes(&contents.fp64_contents)
        + list_bytes(&contents.bytes_contents)
}

fn list_bytes<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// Memory of a map: the standard library's has 4, 8, 16, … places, of which an eighth stays free,
/// one byte per place, and 16 more.
fn map_bytes(map: &HashMap<String, InferParameter>) -> usize {
    let places = match map.capacity() {
        0 => return 0,
        1..=3 => 4,
        4..=7 => 8,
        capacity => capacity / 7 * 8,
    };
    let texts = map.iter().map(|(name, parameter)| {
        name.capacity()
            + match &parameter.parameter_choice {
                Some(ParameterChoice::StringParam(text)) => text.capacity(),
                _ => 0,
            }
    });
    places * (size_of::<(String, InferParameter)>() + 1) + 16 + texts.sum::<usize>()
}
