"""Runs a model in PyTorch, as examples/load_in_pytorch.py loads it, and saves its weights.

    python torch_agrees.py MODEL.safetensors PIXELS.f32 OUT.f32 OUT.pt       (needs torch, safetensors)

PIXELS.f32 holds rows of 784 little-endian float32. OUT.f32 gets the logits, rows of 10; OUT.pt the
state dict.
"""

import runpy
import sys
from pathlib import Path

import torch

_, model, pixels, logits, weights = sys.argv
sys.argv = ["load_in_pytorch.py", model]
root = Path(__file__).resolve().parents[2]
net = runpy.run_path(str(root / "examples" / "load_in_pytorch.py"))["net"]

bits = bytearray(Path(pixels).read_bytes())
with torch.no_grad():
    answers = net(torch.frombuffer(bits, dtype=torch.float32).reshape(-1, 784))
Path(logits).write_bytes(answers.contiguous().numpy().astype("<f4").tobytes())
torch.save(net.state_dict(), weights)
