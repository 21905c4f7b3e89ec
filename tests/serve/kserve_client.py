"""Sends requests with KServe's SDK over both versions of its protocol, over HTTP and gRPC, and compares
the results with `infer`.

    pip install kserve
    python kserve_client.py HTTP_ADDRESS GRPC_ADDRESS PICTURE PIXELS EXPECTED

The arguments are those of triton_client.py.
"""

import asyncio
import base64
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

http_address, grpc_address, picture_path, pixels_path, expected_path = sys.argv[1:]
pixels = np.fromfile(pixels_path, np.float32).reshape(1, 784)
expected = json.load(open(expected_path))
probabilities = np.array(expected["probabilities"], np.float32)
url = f"http://{http_address}"


async def check_v1():
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    assert await client.is_server_live(url)
    assert await client.is_model_ready(url, "digits")
    picture = base64.b64encode(open(picture_path, "rb").read()).decode()
    for instance in [{"image_bytes": {"b64": picture}, "key": "1"}, pixels[0].tolist()]:
        answer = await client.infer(url, {"instances": [instance]}, model_name="digits")
        np.testing.assert_array_equal(np.float32(answer["predictions"][0]), probabilities)


def request(raw):
    image = InferInput("image", list(pixels.shape), "FP32")
    image.set_data_from_numpy(pixels, binary_data=raw)
    return InferRequest("digits", [image])


def check(response):
    assert response.model_name == "digits", response
    outputs = {output.name: output.as_numpy() for output in response.outputs}
    np.testing.assert_array_equal(outputs["probabilities"].reshape(-1), probabilities)
    assert outputs["digit"].tolist() == [expected["digit"]]


async def check_v2():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, "digits")
    for raw in (False, True):
        check(await client.infer(url, request(raw), model_name="digits"))
    grpc = InferenceGRPCClient(grpc_address)
    assert await grpc.is_server_live() and await grpc.is_server_ready()
    assert await grpc.is_model_ready("digits")
    check(await grpc.infer(request(True)))
    check(await grpc.infer(request(False)))


asyncio.run(check_v1())
asyncio.run(check_v2())
