"""Classifies one picture file in PyTorch, to time the whole process.

    torch_infer.py MODEL.safetensors PICTURE
"""

import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn.functional import hardswish, linear

weights = load_file(sys.argv[1])
picture = np.asarray(Image.open(sys.argv[2]).convert("L").resize((28, 28)), np.float32)
x = torch.from_numpy(picture.reshape(1, 784) / 255)
for layer in ("fc1", "fc2", "fc3"):
    x = hardswish(linear(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]))
print(linear(x, weights["fc4.weight"], weights["fc4.bias"]).argmax().item())
