"""The model in PyTorch: python examples/load_in_pytorch.py artifacts/model/digits.safetensors"""

import sys
from torch import nn
from safetensors.torch import load_file

net, widths = nn.Sequential(), [784, 256, 128, 64, 10]
for n in range(1, 5):
    net.add_module(f"fc{n}", nn.Linear(widths[n - 1], widths[n]))
    net.add_module(f"act{n}", nn.Hardswish() if n < 4 else nn.Identity())
print(net.load_state_dict(load_file(sys.argv[1])))
