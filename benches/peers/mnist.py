"""MNIST's training set for the other programs: f32 in [0, 1], loaded before any timing starts."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "artifacts/mnist"


def read(name, header):
    with gzip.open(FOLDER / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def images():
    pixels = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    return pixels.astype(np.float32) / 255


def labels():
    return read("train-labels-idx1-ubyte.gz", 8).astype(np.int32)
