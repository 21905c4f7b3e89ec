"""An epoch in PyTorch: forward, backward and Adam over 60,000 shuffled images held in memory.

    torch_peer.py default|fused [BATCH] [cpu|cuda]

The batch size is 128 by default. Prints one JSON line: seconds per epoch, without the first, which
warms up, and the last loss.
"""

import json
import sys
import time

import torch
from torch import nn

from mnist import images, labels

BATCH = int(sys.argv[2]) if len(sys.argv) > 2 else 128
DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cpu"
EPOCHS = 4

torch.manual_seed(1)
x, y = torch.from_numpy(images()).to(DEVICE), torch.from_numpy(labels()).long().to(DEVICE)
net = nn.Sequential(
    nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
).to(DEVICE)
adam = torch.optim.Adam(net.parameters(), lr=1e-3, fused=sys.argv[1] == "fused")
cross_entropy = nn.CrossEntropyLoss()
seconds = []
for _ in range(EPOCHS + 1):
    total = torch.zeros((), device=DEVICE)
    began = time.perf_counter()
    for places in torch.randperm(len(y), device=DEVICE).split(BATCH):
        adam.zero_grad()
        loss = cross_entropy(net(x[places]), y[places])
        loss.backward()
        adam.step()
        total += loss.detach() * len(places)
    # On a GPU the steps are still running; this waits for them.
    mean_loss = float(total / len(y))
    seconds.append(time.perf_counter() - began)
print(json.dumps({"seconds": seconds[1:], "loss": mean_loss}))
