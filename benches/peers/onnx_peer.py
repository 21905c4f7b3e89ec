"""Inference of the exported pretrained model in ONNX Runtime.

    onnx_peer.py MODEL.onnx            a batch of 10,000 images, and one image at a time
    onnx_peer.py MODEL.onnx PICTURE    classifies one picture file, to time the whole process

The first form prints one JSON line: images per second, and the median microseconds of one image,
both of the network only.
"""

import json
import os
import sys
import time

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["THREADS"])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name

if len(sys.argv) > 2:
    from PIL import Image

    picture = np.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)), np.float32)
    print(session.run(None, {name: picture.reshape(1, 784) / 255})[0].argmax())
    sys.exit()

from mnist import images

x = images()[:10_000]


def median(run, repeats):
    """Median seconds over `repeats` runs, after one warm-up run."""
    run()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]


many = median(lambda: session.run(None, {name: x}), 20)
one = median(lambda: session.run(None, {name: x[:1]}), 3000)
print(json.dumps({"images_per_second": len(x) / many, "one_us": one * 1e6}))
