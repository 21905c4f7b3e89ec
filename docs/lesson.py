"""Runs every command of the lesson and updates its output and figures.

    cargo build --release && python3 docs/lesson.py         (about five minutes on two cores)

A block that begins with `$ burn-digits …` in docs/lesson.md or docs/lesson.zh-TW.md consists of a
command and its output. Each command runs once; both pages get its output. Plots are written where
the commands' flags say: docs/lesson/. Figures within the text are not updated; check them by hand.
"""

import pathlib
import re
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/burn-digits"
LESSONS = [ROOT / "docs/lesson.md", ROOT / "docs/lesson.zh-TW.md"]
FIGURES = ROOT / "docs/lesson"
RUN = ROOT / "artifacts/runs/lesson"
WIDE_RUN = ROOT / "artifacts/runs/lesson-wide"
BLOCK = re.compile(r"```console\n\$ burn-digits (?P<command>[^\n]*)\n.*?```", re.DOTALL)

outputs = {}


def run(command):
    """The standard output of a command, which runs once."""
    if command not in outputs:
        print("burn-digits", command, flush=True)
        line = [PROGRAM, *shlex.split(command)]
        done = subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        outputs[command] = done.stdout
    return outputs[command]


def block(match):
    lines = [line.rstrip() for line in run(match["command"]).strip("\n").splitlines()]
    return "\n".join(["```console", f"$ burn-digits {match['command']}", *lines, "```"])


def main():
    # `train --out` requires a folder that does not exist yet.
    for folder in (RUN, WIDE_RUN):
        shutil.rmtree(folder, ignore_errors=True)
    for lesson in LESSONS:
        lesson.write_text(BLOCK.sub(block, lesson.read_text()))
    shutil.copy(RUN / "curves.svg", FIGURES / "curves.svg")


main()
