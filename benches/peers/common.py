"""Shared by the benchmarks: run a command, interleave rounds, write tables."""

import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
IMAGES = 60_000


def output(*command, env=None):
    """The standard output of a command; exits if the command fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=HERE, env=env, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def train(program, epochs, *flags, env=None):
    """Seconds per epoch of the `train` command, the first listed apart, and the last loss."""
    with tempfile.TemporaryDirectory() as folder:
        lines = output(
            *program, "train", "--json", "--out", f"{folder}/run", "--epochs", epochs,
            "--train-on", "all", *flags, env=env,
        )  # fmt: skip
    rows = [json.loads(line) for line in lines.splitlines()]
    seconds, rows = zip(*[(row["train_seconds"], row) for row in rows if "train_seconds" in row])
    return {"first": seconds[0], "seconds": seconds[1:], "loss": rows[-1]["train_loss"]}


def interleaved(contenders, rounds):
    """Runs every contender once per round; returns the results by contender."""
    results = {name: [] for name in contenders}
    for number in range(rounds):
        for name, measure in contenders.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            results[name].append(measure())
    return results


def median_seconds(results):
    """The median over the epochs of all rounds."""
    return statistics.median(second for result in results for second in result["seconds"])


def table(head, rows):
    """A Markdown table, the first column left-aligned, the others right-aligned."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_between(file, name, command, text):
    """Replaces the text between the file's two markers of this name."""
    marked = rf"(<!-- {name}: {re.escape(command)} -->\n).*(<!-- /{name} -->)"
    whole, count = re.subn(
        marked, lambda m: f"{m[1]}{text}\n{m[2]}", file.read_text(), flags=re.DOTALL
    )
    assert count == 1, f"{file} must contain the two markers of {name} once"
    file.write_text(whole)
