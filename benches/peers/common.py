"""What the measurements have in common: running a side, taking turns, and writing tables."""

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
    """What a command prints; its errors end this program."""
    done = subprocess.run(
        list(map(str, command)), cwd=HERE, env=env, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def train(program, epochs, *flags, env=None):
    """Seconds of each epoch of the `train` command, the first left out, and the last loss."""
    with tempfile.TemporaryDirectory() as folder:
        lines = output(
            *program, "train", "--json", "--out", f"{folder}/run", "--epochs", epochs,
            "--train-on", "all", *flags, env=env,
        )  # fmt: skip
    rows = [json.loads(line) for line in lines.splitlines()]
    seconds, rows = zip(*[(row["train_seconds"], row) for row in rows if "train_seconds" in row])
    return {"first": seconds[0], "seconds": seconds[1:], "loss": rows[-1]["train_loss"]}


def in_turns(sides, rounds):
    """Each side once a round: all that they told, by side."""
    told = {name: [] for name in sides}
    for number in range(rounds):
        for name, measure in sides.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            told[name].append(measure())
    return told


def median_seconds(told):
    return statistics.median(second for turn in told for second in turn["seconds"])


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_between(name, command, text):
    """Puts the text between the README's two markers of this name."""
    readme = ROOT / "README.md"
    marked = rf"(<!-- {name}: {re.escape(command)} -->\n).*(<!-- /{name} -->)"
    whole, count = re.subn(
        marked, lambda m: f"{m[1]}{text}\n{m[2]}", readme.read_text(), flags=re.DOTALL
    )
    assert count == 1, f"README.md has the two markers of {name}"
    readme.write_text(whole)
