"""ONNX Runtime behind FastAPI, written the usual way, for comparison.

    python peer.py MODEL.safetensors OUT.onnx                 writes the ONNX file
    MODEL=OUT.onnx uvicorn --app-dir benches/serve peer:app --workers 2

The network has the layers and weights of the pretrained model, but ReLU, which is cheaper, instead
of hard-swish: it serves to compare speed, not predictions.
"""

import json
import os
import sys

import numpy as np

LAYERS = ["fc1", "fc2", "fc3", "fc4"]


def to_onnx(path, out):
    """Four Gemm nodes with ReLU between them; the batch size is dynamic."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    weights = load_file(path)
    nodes, flow = [], "image"
    for index, layer in enumerate(LAYERS):
        last = index == len(LAYERS) - 1
        result = "logits" if last else f"{layer}.out"
        inputs = [flow, f"{layer}.weight", f"{layer}.bias"]
        nodes.append(helper.make_node("Gemm", inputs, [result], transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [result], [f"{layer}.relu"]))
            flow = f"{layer}.relu"
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))

    def tensor(name, width):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])

    constants = [numpy_helper.from_array(np.array(value), name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes, "digits", [tensor("image", 784)],
        [tensor("logits", 10), tensor("probabilities", 10)], constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, out)


if __name__ == "__main__":
    to_onnx(*sys.argv[1:])
    sys.exit()

import onnxruntime
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

options = onnxruntime.SessionOptions()
# One thread per worker.
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["MODEL"], options, providers=["CPUExecutionProvider"]
)
app = FastAPI()


@app.post("/v2/models/digits/infer")
async def infer(request: Request):
    body = await request.body()
    length = request.headers.get("inference-header-content-length")
    header = json.loads(body[: int(length)] if length else body)
    tensor = header["inputs"][0]
    if tensor["name"] != "image":
        raise HTTPException(400, "no such input")
    if length:
        image = np.frombuffer(body[int(length) :], np.uint8).astype(np.float32) / np.float32(255)
    else:
        image = np.array(tensor["data"], np.float32)
    logits, probabilities = session.run(None, {"image": image.reshape(-1, 784)})
    outputs = [
        {"name": "logits", "datatype": "FP32", "shape": logits.shape, "data": logits.ravel().tolist()},
        {"name": "probabilities", "datatype": "FP32", "shape": probabilities.shape,
         "data": probabilities.ravel().tolist()},
        {"name": "digit", "datatype": "INT64", "shape": [len(logits)],
         "data": logits.argmax(axis=1).tolist()},
    ]
    return JSONResponse({"model_name": "digits", "model_version": "1", "outputs": outputs})
