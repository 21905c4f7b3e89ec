"""Runs every command of the lesson anew, and puts what it said and drew back into the lesson.

    cargo build --release && python3 docs/lesson.py         (about five minutes on two cores)

A block that begins with `$ burn-digits …` in docs/lesson.md or docs/lesson.zh-TW.md is a command and what
it said; it is run once, for both. The plots go where the command's own flags say, into docs/lesson/.
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
BLOCK = re.compile(r"```console\n\$ burn-digits (?P<command>[^\n]*)\n.*?```", re.DOTALL)

said = {}


def run(command):
    """What a command says on standard output, run once."""
    if command not in said:
        print("burn-digits", command, flush=True)
        line = [PROGRAM, *shlex.split(command)]
        said[command] = subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return said[command]


def block(match):
    lines = [line.rstrip() for line in run(match["command"]).strip("\n").splitlines()]
    return "\n".join(["```console", f"$ burn-digits {match['command']}", *lines, "```"])


def main():
    # A run wants a folder of its own.
    shutil.rmtree(RUN, ignore_errors=True)
    for lesson in LESSONS:
        lesson.write_text(BLOCK.sub(block, lesson.read_text()))
    shutil.copy(RUN / "curves.svg", FIGURES / "curves.svg")


main()
