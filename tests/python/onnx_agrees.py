"""Checks ONNX models with ONNX's own checker, and runs them in ONNX Runtime beside numbers given.

    python onnx_agrees.py FOLDER...        (needs what requirements.txt lists)

Each folder holds model.onnx, pixels.f32 and NAME.f32 for each output NAME: rows of 784 or 10
little-endian float32. Prints one JSON object per folder:

- pictures: how many
- absolute: per output, the largest |ONNX Runtime - given|
- relative: the same, each divided by the largest |given| of its picture, where that is above 1
- alone: as relative, for 20 pictures run one by one instead of in one batch
- exact: as relative, for |given - float64|, the graph computed in double precision by ONNX's own
  reference evaluator: how much of the difference is rounding on this side
- metadata: the model's properties
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator


def rows(path, width):
    return np.fromfile(path, dtype="<f4").reshape(-1, width)


def relative(difference, given):
    return difference / np.maximum(1, np.abs(given).max(axis=1, keepdims=True))


def in_double_precision(model, pixels):
    wide = [
        numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)
        for tensor in model.graph.initializer
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(wide)
    answers = ReferenceEvaluator(model).run(None, {"image": pixels.astype(np.float64)})
    assert all(answer.dtype == np.float64 for answer in answers)
    return answers


def examine(folder):
    path = folder / "model.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels = rows(folder / "pixels.f32", 784)
    outputs = [output.name for output in session.get_outputs()]
    together = session.run(outputs, {"image": pixels})
    alone = [session.run(outputs, {"image": row[None]}) for row in pixels[:20]]
    exact = in_double_precision(model, pixels)

    report = {"pictures": len(pixels), "absolute": {}, "relative": {}, "alone": {}, "exact": {}}
    for index, name in enumerate(outputs):
        given = rows(folder / f"{name}.f32", 10)
        difference = np.abs(together[index] - given)
        one_by_one = np.concatenate([answer[index] for answer in alone])
        for key, value in [
            ("absolute", difference),
            ("relative", relative(difference, given)),
            ("alone", relative(np.abs(one_by_one - given[:20]), given[:20])),
            ("exact", relative(np.abs(exact[index] - given), given)),
        ]:
            report[key][name] = float(value.max())
    report["metadata"] = session.get_modelmeta().custom_metadata_map
    return report


for argument in sys.argv[1:]:
    print(json.dumps(examine(Path(argument))))
