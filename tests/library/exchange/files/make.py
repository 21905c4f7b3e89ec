"""Writes the PyTorch files in this folder: a network 784 → 4 → 3 → 2 → 10, saved in several ways.

    python make.py        (needs torch; the files are in the repository, this is how they came to be)

Value i of a tensor with n values is ((7919 · i + n) mod 2003 - 1001) / 4096, exact in f32, so that
the tests can compute it too.
"""

import os
import pickle
import zipfile
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def filled(shape):
    count = torch.Size(shape).numel()
    values = [((7919 * i + count) % 2003 - 1001) / 4096 for i in range(count)]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


net = nn.Sequential(
    nn.Linear(784, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 10)
)
net.load_state_dict({name: filled(tensor.shape) for name, tensor in net.state_dict().items()})
torch.save(net.state_dict(), HERE / "sequential.pt")
torch.save(net.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)

weights = net.state_dict()
checkpoint = {
    "epoch": 3,
    "loss": torch.tensor(0.25),
    "model_state_dict": {name: tensor.to(torch.float16) for name, tensor in weights.items()},
    "optimizer_state_dict": {"rates": {"0": torch.zeros(4, 2)}},
}
torch.save(checkpoint, HERE / "checkpoint.pt")


class Hostile:
    """What a loader that executes pickles would run."""

    def __reduce__(self):
        return (os.system, ("touch burn-digits-was-here",))


with zipfile.ZipFile(HERE / "hostile.pt", "w") as archive:
    archive.writestr("hostile/data.pkl", pickle.dumps({"fc1.weight": Hostile()}, protocol=2))
    archive.writestr("hostile/version", "3\n")
    archive.writestr("hostile/byteorder", "little")
