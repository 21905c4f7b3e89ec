"""Loads and unloads a model of a folder with Triton's client, over HTTP and gRPC.

    pip install 'tritonclient[http,grpc]'
    python triton_repository.py HTTP_ADDRESS GRPC_ADDRESS

The server has the versions 1 and 2 of the model `digits`, and `stable` is a label of version 1.
"""

import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

http_address, grpc_address = sys.argv[1:]


def version(module, result):
    response = result.get_response()
    return response["model_version"] if module is tritonclient.http else response.model_version


for module, address in ((tritonclient.http, http_address), (tritonclient.grpc, grpc_address)):
    client = module.InferenceServerClient(address)
    image = module.InferInput("image", [1, 784], "UINT8")
    image.set_data_from_numpy(np.zeros((1, 784), np.uint8))
    assert version(module, client.infer("digits", [image])) == "2"
    assert version(module, client.infer("digits", [image], model_version="stable")) == "1"
    client.unload_model("digits")
    assert not client.is_model_ready("digits")
    try:
        client.infer("digits", [image])
    except InferenceServerException as error:
        assert "no version" in error.message(), error
    else:
        raise AssertionError("an unloaded model answers")
    client.load_model("digits")
    assert client.is_model_ready("digits") and client.is_model_ready("digits", "1")
    try:
        client.load_model("digits", config="{}")
    except InferenceServerException as error:
        assert "send no parameters" in error.message(), error
    else:
        raise AssertionError("a configuration of the client was accepted")
