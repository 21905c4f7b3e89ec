"""Checks ONNX models with ONNX's own checker, and runs them in ONNX Runtime beside numbers given.

    python onnx_agrees.py FOLDER...        (needs what requirements.txt lists)

Each folder holds model.onnx, pixels.f32 and logits.f32, and probabilities.f32 where the model puts
them out: rows of 784 or 10 little-endian float32. Prints one JSON object per folder: the number of
pictures, the largest absolute difference of each output, the same for pictures run one by one, and
the model's metadata.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def rows(path, width):
    return np.fromfile(path, dtype="<f4").reshape(-1, width)


def examine(folder):
    path = folder / "model.onnx"
    onnx.checker.check_model(onnx.load(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pixels = rows(folder / "pixels.f32", 784)
    outputs = [output.name for output in session.get_outputs()]
    together = session.run(outputs, {"image": pixels})
    alone = [session.run(outputs, {"image": row[None]}) for row in pixels[:20]]

    report = {"pictures": len(pixels), "difference": {}, "difference_alone": {}}
    for index, name in enumerate(outputs):
        expected = rows(folder / f"{name}.f32", 10)
        one_by_one = np.concatenate([answer[index] for answer in alone])
        report["difference"][name] = float(np.abs(together[index] - expected).max())
        report["difference_alone"][name] = float(np.abs(one_by_one - expected[:20]).max())
    report["metadata"] = session.get_modelmeta().custom_metadata_map
    return report


for argument in sys.argv[1:]:
    print(json.dumps(examine(Path(argument))))
