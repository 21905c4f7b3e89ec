"""Sends requests with TensorFlow Serving's own client, and compares the results with `infer`.

    pip install tensorflow-cpu tensorflow-serving-api
    python tensorflow_client.py GRPC_ADDRESS PICTURE PIXELS EXPECTED

The arguments are those of triton_client.py.
"""

import json
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

address, picture_path, pixels_path, expected_path = sys.argv[1:]
pixels = np.fromfile(pixels_path, np.float32)
expected = np.float32(json.load(open(expected_path))["probabilities"])
channel = grpc.insecure_channel(address)
prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
models = model_service_pb2_grpc.ModelServiceStub(channel)


def predict(tensor, version=None):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    if version is not None:
        request.model_spec.version.value = version
    request.inputs["image"].CopyFrom(tensor)
    answer = prediction.Predict(request, timeout=10)
    assert answer.model_spec.name == "digits" and answer.model_spec.version.value == 1
    return tf.make_ndarray(answer.outputs["probabilities"])


for shape in [(1, 784), (1, 28, 28), (1, 28, 28, 1), (1, 1, 28, 28)]:
    found = predict(tf.make_tensor_proto(pixels.reshape(shape)), version=1)
    np.testing.assert_array_equal(found, [expected])
# Typed values instead of content.
typed = tf.make_tensor_proto(pixels.reshape(1, 784))
typed.ClearField("tensor_content")
typed.float_val.extend(pixels.tolist())
np.testing.assert_array_equal(predict(typed), [expected])
# One value for a whole tensor.
blank = predict(tf.make_tensor_proto(0.0, dtype=tf.float32, shape=(3, 28, 28)))
assert blank.shape == (3, 10)
picture = tf.make_tensor_proto([open(picture_path, "rb").read()], shape=(1,))
np.testing.assert_array_equal(predict(picture), [expected])
as_bytes = np.rint(pixels * 255).astype(np.uint8).reshape(1, 28, 28)
assert predict(tf.make_tensor_proto(as_bytes)).argmax() == expected.argmax()


def code(call, *arguments):
    try:
        call(*arguments, timeout=10)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


try:
    predict(tf.make_tensor_proto(pixels.reshape(1, 784)), version=9)
    sys.exit("version 9 exists")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error

request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
request.model_spec.name = "digits"
answer = prediction.GetModelMetadata(request, timeout=10)
signatures = get_model_metadata_pb2.SignatureDefMap()
assert answer.metadata["signature_def"].Unpack(signatures)
signature = signatures.signature_def["serving_default"]
assert signature.method_name == "tensorflow/serving/predict"
assert [dim.size for dim in signature.inputs["image"].tensor_shape.dim] == [-1, 28, 28]
assert signature.outputs["probabilities"].dtype == tf.float32.as_datatype_enum

request = get_model_status_pb2.GetModelStatusRequest()
request.model_spec.name = "digits"
(status,) = models.GetModelStatus(request, timeout=10).model_version_status
assert (status.version, status.state) == (1, status.AVAILABLE), status

# Methods of other signatures, and reloading by a configuration, are not there.
unimplemented = grpc.StatusCode.UNIMPLEMENTED
assert code(prediction.Classify, classification_pb2.ClassificationRequest()) == unimplemented
reload = model_management_pb2.ReloadConfigRequest()
assert code(models.HandleReloadConfigRequest, reload) == unimplemented
