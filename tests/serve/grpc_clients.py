"""gRPC's own clients for Python: health checks, and requests to TensorFlow Serving's services made of
what reflection tells.

    pip install grpcio-health-checking grpcio-reflection
    python grpc_clients.py GRPC_ADDRESS PIXELS EXPECTED

PIXELS and EXPECTED are those of triton_client.py.
"""

import json
import sys

import grpc
import numpy as np
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

address, pixels_path, expected_path = sys.argv[1:]
pixels = np.fromfile(pixels_path, np.float32)
expected = json.load(open(expected_path))
channel = grpc.insecure_channel(address)

health = health_pb2_grpc.HealthStub(channel)
serving = health_pb2.HealthCheckResponse.SERVING
for service in ("", "inference.GRPCInferenceService"):
    assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == serving
watch = health.Watch(health_pb2.HealthCheckRequest())
assert next(watch).status == serving
watch.cancel()

database = ProtoReflectionDescriptorDatabase(channel)
services = set(database.get_services())
assert services >= {
    "grpc.health.v1.Health",
    "inference.GRPCInferenceService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
}, services
pool = DescriptorPool(database)


def call(service, method, **fields):
    described = pool.FindServiceByName(service).FindMethodByName(method)
    request, response = map(GetMessageClass, (described.input_type, described.output_type))
    stub = channel.unary_unary(
        f"/{service}/{method}", request.SerializeToString, response.FromString
    )
    return stub(request(**fields))


image = {
    "dtype": 1,
    "tensor_shape": {"dim": [{"size": 1}, {"size": 784}]},
    "tensor_content": pixels.tobytes(),
}
spec = {"name": "digits", "version": {"value": 1}}
answer = call(
    "tensorflow.serving.PredictionService", "Predict", model_spec=spec, inputs={"image": image}
)
found = np.frombuffer(answer.outputs["probabilities"].tensor_content, np.float32)
np.testing.assert_array_equal(found, np.float32(expected["probabilities"]))
assert answer.model_spec.version.value == 1
status = call("tensorflow.serving.ModelService", "GetModelStatus", model_spec={"name": "digits"})
assert [(v.version, v.state) for v in status.model_version_status] == [(1, 30)], status
metadata = call("inference.GRPCInferenceService", "ModelMetadata", name="digits")
assert metadata.parameters["version"].string_param == "1"

# Compressed by grpcio itself.
ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
assert ready(b"", compression=grpc.Compression.Gzip) == b"\x08\x01"
