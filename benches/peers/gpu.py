"""Compares training on a GPU by batch size: burn-digits on wgpu and on the CPU, PyTorch, JAX.

    python3 benches/peers/gpu.py                  about two minutes per round
    python3 benches/peers/gpu.py --table-only     only rewrite the table from gpu.json

Rounds are interleaved; each measurement is a separate process. The result is the median time of an
epoch of 60,000 images, without each process's first epoch. Needs a Python with PyTorch and JAX for
the GPU, and a program with both backends: `cargo build --release --features wgpu,flex`. Writes
benches/peers/gpu.json and the table between the markers in docs/performance.md.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from common import HERE, ROOT, interleaved, median_seconds, output, table, train, write_between

FIGURES = HERE / "gpu.json"
BATCHES = [32, 128, 512, 2048, 8192]
# Full f32 precision for everyone: by default JAX multiplies in TF32.
ENVIRONMENT = os.environ | {"JAX_DEFAULT_MATMUL_PRECISION": "highest"}

arguments = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--program", type=Path, default=ROOT / "target/release/burn-digits")
arguments.add_argument("--table-only", action="store_true")
args = arguments.parse_args()


def python(script, *rest):
    return json.loads(output(sys.executable, HERE / script, *rest, env=ENVIRONMENT))


def contenders(batch):
    ours = lambda backend: train(
        [args.program.resolve()], 5, "--backend", backend, "--batch-size", batch
    )
    return {
        f"burn-digits, wgpu {batch}": lambda: ours("wgpu"),
        f"burn-digits, flex {batch}": lambda: ours("flex"),
        f"PyTorch, fused Adam {batch}": lambda: python("torch_peer.py", "fused", batch, "cuda"),
        f"JAX, epoch compiled {batch}": lambda: python("jax_peer.py", batch),
    }


def machine():
    gpus = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True
    )
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())[1]
    return {"gpu": gpus.stdout.strip(), "cpu": cpu, "cpus": len(os.sched_getaffinity(0))}


def measure():
    everyone = {k: v for batch in BATCHES for k, v in contenders(batch).items()}
    results = interleaved(everyone, args.rounds)
    seconds = {name: median_seconds(runs) for name, runs in results.items()}
    first = {name: runs[0]["first"] for name, runs in results.items() if "first" in runs[0]}
    return {
        "machine": machine(),
        "rounds": args.rounds,
        "seconds_per_epoch": seconds,
        "first_epoch_of_a_process": first,
    }


def write_table(figures):
    seconds = figures["seconds_per_epoch"]
    names = list(dict.fromkeys(name.rpartition(" ")[0] for name in seconds))
    row = lambda batch: [f"{seconds[f'{name} {batch}']:.3f}" for name in names]
    rows = [[f"{batch:,}", *row(batch)] for batch in BATCHES]
    on, rounds = figures["machine"], figures["rounds"]
    processes = "one process" if rounds == 1 else f"{rounds} processes"
    text = (
        f"Seconds per epoch of 60,000 images on an {on['gpu']} (flex: on {on['cpus']} cores of the "
        f"{on['cpu']} of the same machine), medians over the epochs of {processes} each.\n\n"
    )
    text += table(["images per step", *names], rows)
    write_between(ROOT / "docs/performance.md", "gpu", "benches/peers/gpu.py", text)


if not args.table_only:
    FIGURES.write_text(json.dumps(measure(), indent=2) + "\n")
write_table(json.loads(FIGURES.read_text()))
