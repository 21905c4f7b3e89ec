#!/usr/bin/env python3
"""Draws docs/number.png, a note with a number, and docs/number-read.png, what `infer --many` reads.

    cargo build --release && python3 docs/number.py      (needs numpy and Pillow)

The digits are MNIST training images, drawn on ruled paper with a shadow across it.
"""

import gzip
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NUMBER = "31415926"


def mnist(name, header):
    with gzip.open(ROOT / "artifacts/mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


images = mnist("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
labels = mnist("train-labels-idx1-ubyte.gz", 8)

rng = np.random.default_rng(7)
height, width = 170, 620
ink = np.zeros((height, width))
x = 30
for place, digit in enumerate(NUMBER):
    index = 10 + int(np.flatnonzero(labels[10:] == int(digit))[place % 3])
    size = int(80 * rng.uniform(0.9, 1.1))
    shown = np.array(Image.fromarray(images[index]).resize((size, size), Image.BICUBIC)) / 255
    y = 45 + int(rng.integers(-8, 9))
    ink[y : y + size, x : x + size] = np.maximum(ink[y : y + size, x : x + size], shown)
    x += 68
for y in range(22, height, 42):
    ink[y : y + 2] = np.maximum(ink[y : y + 2], 0.25)

across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
light = 1 - 0.45 / (1 + np.exp(-6 * (across + 0.4 * down - 0.3)))
paper = np.array([244, 239, 224]) / 255
pen = np.array([38, 46, 92]) / 255
picture = paper + (pen - paper) * np.clip(ink, 0, 1)[..., None]
picture = picture * light[..., None] + rng.normal(0, 0.012, (height, width, 1))
Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8)).save(ROOT / "docs/number.png")

subprocess.run(
    [ROOT / "target/release/burn-digits", "infer", "--many", "docs/number.png"]
    + ["--model", "shipped", "--annotate", "docs/number-read.png"],
    cwd=ROOT,
    check=True,
)
