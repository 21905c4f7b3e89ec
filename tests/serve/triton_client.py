"""Sends requests with Triton's client, over HTTP and gRPC, and compares the results with `infer`.

    pip install 'tritonclient[http,grpc]'
    python triton_client.py HTTP_ADDRESS GRPC_ADDRESS PICTURE PIXELS EXPECTED

PICTURE is an image file, PIXELS its 784 values as raw FP32, EXPECTED the JSON of
`burn-digits infer --json PICTURE`.
"""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

http_address, grpc_address, picture_path, pixels_path, expected_path = sys.argv[1:]
pixels = np.fromfile(pixels_path, np.float32).reshape(1, 784)
picture = np.array([open(picture_path, "rb").read()], dtype=np.object_)
expected = json.load(open(expected_path))
probabilities = np.array(expected["probabilities"], np.float32)


def check(result, count=1):
    """Checks that the result has the predictions of `infer` for `count` copies of the picture."""
    found = result.as_numpy("probabilities")
    assert found.dtype == np.float32 and found.shape == (count, 10), found
    if count == 1:
        assert np.array_equal(found[0], probabilities), (found, probabilities)
    np.testing.assert_allclose(found, np.tile(probabilities, (count, 1)), atol=1e-6)
    digit = result.as_numpy("digit")
    assert digit.dtype == np.int64 and digit.tolist() == [expected["digit"]] * count, digit


def tensor(module, name, values, datatype):
    created = module.InferInput(name, list(values.shape), datatype)
    created.set_data_from_numpy(values)
    return created


def check_transport(module, client):
    """The checks that HTTP and gRPC have in common."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("digits") and client.is_model_ready("digits", "1")

    def infer(name, values, datatype, **more):
        return client.infer("digits", [tensor(module, name, values, datatype)], **more)

    check(infer("image", pixels, "FP32"))
    check(infer("image", pixels.reshape(1, 28, 28), "FP32", model_version="1"))
    check(infer("picture", picture, "BYTES"))
    check(infer("image", np.tile(pixels, (100, 1)), "FP32"), count=100)
    bytes_0_to_255 = np.rint(pixels * 255).astype(np.uint8)
    assert infer("image", bytes_0_to_255, "UINT8").as_numpy("digit").tolist() == [expected["digit"]]

    result = infer(
        "image", pixels, "FP32", request_id="a name",
        outputs=[module.InferRequestedOutput("logits")],
    )
    logits = result.as_numpy("logits")
    assert logits.shape == (1, 10) and int(logits.argmax()) == expected["digit"], logits
    assert result.as_numpy("probabilities") is None

    top = module.InferRequestedOutput("probabilities", class_count=3)
    classes = infer("image", pixels, "FP32", outputs=[top]).as_numpy("probabilities")
    assert classes.shape == (1, 3), classes
    value, index = classes[0][0].decode().split(":")[:2]
    assert int(index) == expected["digit"] and abs(float(value) - probabilities.max()) < 1e-6

    for name, values, datatype, expected_message in [
        ("image", pixels[:, :783], "FP32", "expected [n, 784], [n, 28, 28]"),
        ("image", pixels * np.nan, "FP32", "the value NaN"),
        ("image", pixels * 255, "FP32", "must be from 0 to 1"),
        ("other", pixels, "FP32", "unknown input \"other\""),
        ("picture", np.array([b"no picture"], dtype=np.object_), "BYTES", "PNG, JPEG"),
    ]:
        try:
            infer(name, values, datatype)
        except InferenceServerException as error:
            assert expected_message in error.message(), error
        else:
            raise AssertionError(f"{name} {values.shape} was not rejected")
    try:
        client.infer("letters", [tensor(module, "image", pixels, "FP32")])
    except InferenceServerException as error:
        assert "letters" in error.message(), error
    else:
        raise AssertionError("another model was not rejected")


def check_concurrent(results):
    """Checks the results of requests that were sent at once."""
    results = list(results)
    assert len(results) == 50
    for result in results:
        np.testing.assert_allclose(result.as_numpy("probabilities")[0], probabilities, atol=1e-6)


client = tritonclient.http.InferenceServerClient(http_address, concurrency=8)
check_transport(tritonclient.http, client)
metadata = client.get_server_metadata()
assert "binary_tensor_data" in metadata["extensions"], metadata
model = client.get_model_metadata("digits")
assert [tensor["name"] for tensor in model["inputs"]] == ["image", "picture"], model
# JSON instead of binary tensors.
json_input = tritonclient.http.InferInput("image", [1, 784], "FP32")
json_input.set_data_from_numpy(pixels, binary_data=False)
names = ["probabilities", "digit"]
outputs = [tritonclient.http.InferRequestedOutput(name, binary_data=False) for name in names]
check(client.infer("digits", [json_input], outputs=outputs))
inputs = [tensor(tritonclient.http, "image", pixels, "FP32")]
for coding in ("gzip", "deflate"):
    check(client.infer("digits", inputs, request_compression_algorithm=coding))
many = [tensor(tritonclient.http, "image", np.tile(pixels, (100, 1)), "FP32")]
check(client.infer("digits", many, response_compression_algorithm="gzip"), count=100)
config = client.get_model_config("digits")
assert config["name"] == "digits" and config["input"][0]["dims"] == [784], config
(statistics,) = client.get_inference_statistics("digits", "1")["model_stats"]
assert statistics["inference_count"] > 200 and statistics["execution_count"] > 5, statistics
(entry,) = client.get_model_repository_index()
assert (entry["name"], entry["version"], entry["state"]) == ("digits", "1", "READY"), entry
requests = [client.async_infer("digits", inputs) for _ in range(50)]
check_concurrent(request.get_result() for request in requests)
print("http: same predictions as infer")

client = tritonclient.grpc.InferenceServerClient(grpc_address)
check_transport(tritonclient.grpc, client)
metadata = client.get_server_metadata()
assert metadata.name == "burn-digits", metadata
model = client.get_model_metadata("digits")
assert [tensor.name for tensor in model.outputs] == ["logits", "probabilities", "digit"], model
inputs = [tensor(tritonclient.grpc, "image", pixels, "FP32")]
for coding in ("gzip", "deflate"):
    check(client.infer("digits", inputs, compression_algorithm=coding))
config = client.get_model_config("digits").config
assert config.name == "digits" and list(config.input[0].dims) == [784], config
assert config.output[0].data_type == 11 and config.version_policy.HasField("all"), config
(statistics,) = client.get_inference_statistics("digits").model_stats
assert statistics.inference_stats.success.count > 5, statistics
(entry,) = client.get_model_repository_index().models
assert (entry.name, entry.version, entry.state) == ("digits", "1", "READY"), entry
for order in (client.load_model, client.unload_model):
    try:
        order("digits")
    except InferenceServerException as error:
        assert "--models" in error.message(), error
    else:
        raise AssertionError("a single model was loaded or unloaded")
results_queue = queue.Queue()
for _ in range(50):
    client.async_infer("digits", inputs, lambda result, error: results_queue.put((result, error)))
results = [results_queue.get(timeout=60) for _ in range(50)]
assert not any(error for _, error in results), results
check_concurrent(result for result, _ in results)
print("grpc: same predictions as infer")
