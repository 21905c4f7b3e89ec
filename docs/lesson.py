"""Runs every command of the lesson and updates its output, code and figures.

    cargo build --release --features serve --bins --examples
    pip install matplotlib 'tritonclient[grpc]'
    python3 docs/lesson.py            (about ten minutes on two cores; ports 8080 and 8081 are free)
    python3 docs/lesson.py --code     (only the code; seconds, needs nothing but Python)
    python3 docs/lesson.py --check    (changes nothing; likewise)

docs/lesson.md and docs/lesson.zh-TW.md have the same commands and the same code. A block that begins
with `$ COMMAND` consists of the command and its output. Each command runs once; both pages get its
output. Plots are written where the commands' flags say: docs/lesson/.

A comment `<!-- FILE: NAME -->` before a block of code says where it is copied from: the lines
between `ANCHOR: NAME` and `ANCHOR_END: NAME` in FILE, or with `all` for NAME the whole file.

Numbers within the text are not updated. At the end the script lists those that no output contains;
check them by hand.

`--check` compares the code with its source and the two pages with each other, and looks for Markdown
that is not displayed as meant: emphasis next to full-width punctuation, a paragraph's line that begins
like an item of a list, and line breaks within a Chinese paragraph, which browsers display as spaces.
"""

import argparse
import contextlib
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import unicodedata
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHINESE = ROOT / "docs/lesson.zh-TW.md"
LESSONS = [ROOT / "docs/lesson.md", CHINESE]
FIGURES = ROOT / "docs/lesson"
RUNS = ROOT / "artifacts/runs"
SERVER = "http://127.0.0.1:8080/v2/health/ready"

CONSOLE = re.compile(r"```console\n\$ (?P<command>[^\n]*)\n.*?```", re.DOTALL)
EXCERPT = re.compile(r"<!-- (?P<file>\S+): (?P<name>\w+) -->\n```(?P<language>\w+)\n.*?```", re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def excerpt(match):
    """A block of code as it is in its source now."""
    text = (ROOT / match["file"]).read_text()
    if match["name"] != "all":
        name = match["name"]
        lines = re.search(rf"ANCHOR: {name}\n(.*?\n)[^\n]*ANCHOR_END: {name}\n", text, re.DOTALL)
        if lines is None:
            sys.exit(f"{match['file']} has no anchor {name}")
        text = textwrap.dedent(lines[1])
    header = f"<!-- {match['file']}: {match['name']} -->"
    return "\n".join([header, f"```{match['language']}", text.strip("\n"), "```"])


class Commands:
    """Runs each command once."""

    def __init__(self, program):
        self.program = program
        self.outputs = {}
        self.servers = contextlib.ExitStack()

    def block(self, match):
        """A command and its output."""
        command = match["command"]
        if command not in self.outputs:
            print(command, flush=True)
            self.outputs[command] = self.run(shlex.split(command))
        lines = [line.rstrip() for line in self.outputs[command].strip("\n").splitlines()]
        return "\n".join(["```console", f"$ {command}", *lines, "```"])

    def run(self, words):
        """The standard output of a command; none of a server, which is left running."""
        if words[0] == "cargo":
            # The example as it is already built, beside the program.
            name = words[words.index("--example") + 1]
            words = [str(self.program.parent / "examples" / name), *words[words.index("--") + 1 :]]
        names = {"burn-digits": str(self.program), "python3": sys.executable}
        words = [names.get(words[0], words[0]), *words[1:]]
        if words[1] == "serve":
            server = subprocess.Popen(words, cwd=ROOT)
            self.servers.callback(server.wait)
            self.servers.callback(server.terminate)
            return wait_until_ready(server)
        done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


def wait_until_ready(server):
    for _ in range(100):
        if server.poll() is not None:
            sys.exit("the server does not start: are the ports 8080 and 8081 free?")
        with contextlib.suppress(OSError), urllib.request.urlopen(SERVER):
            return ""
        time.sleep(0.1)
    sys.exit("the server is not ready after 10 s")


def draw_activations(path):
    """Draws the activation functions and their derivatives, for light and dark pages."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    import numpy as np

    # Text stays text, and the same input gives the same file.
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lesson", "font.size": 13})
    x = np.linspace(-4, 4, 401)
    sigmoid = 1 / (1 + np.exp(-x))
    # A jump is drawn as a gap.
    jump = np.where(np.abs(x) < 1e-9, np.nan, 0)
    functions = [
        ("step: 1 if x > 0, else 0", (x > 0) + jump, jump),
        ("sign: 1 if x > 0, −1 if x < 0", np.sign(x) + jump, jump),
        ("sigmoid: 1 / (1 + e⁻ˣ)", sigmoid, sigmoid * (1 - sigmoid)),
        ("tanh: (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)", np.tanh(x), 1 - np.tanh(x) ** 2),
        ("ReLU: max(0, x)", np.maximum(0, x), (x > 0) + jump),
        ("leaky ReLU: x if x > 0, else 0.01 x", np.where(x > 0, x, 0.01 * x), np.where(x > 0, 1, 0.01) + jump),
    ]
    figure, axes = plt.subplots(3, 2, figsize=(8.4, 7.8), sharex=True, sharey=True, layout="constrained")
    for axis, (title, values, slopes) in zip(axes.flat, functions):
        axis.plot(x, values, color="#2f7ed8", linewidth=2.2, label="f(x)")
        axis.plot(x, slopes, color="#cc6a12", linewidth=2.2, linestyle="--", label="slope f′(x)")
        axis.set_title(title, fontsize=13, color="#333333")
        axis.set_ylim(-1.25, 2.25)
        axis.set_xticks(range(-4, 5, 2))
        axis.set_yticks(range(-1, 3))
        axis.tick_params(color="#333333", labelcolor="#333333")
        axis.tick_params(labelbottom=True, labelleft=True)
        axis.grid(color="#e5e5e5")
        for spine in axis.spines.values():
            spine.set_color("#333333")
        axis.legend(loc="upper left", frameon=False, labelcolor="#333333", fontsize=13)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    # The dark colours are those of the program's plots. Matplotlib writes colours as inline styles.
    style = (
        "svg text{font-family:system-ui,sans-serif!important}@media screen and (prefers-color-scheme:dark){"
        'svg [style*="fill: #ffffff"]{fill:#15181d!important}'
        'svg [style*="fill: #333333"]{fill:#e4e6e9!important}'
        'svg [style*="stroke: #333333"]{stroke:#9aa1aa!important}'
        'svg [style*="stroke: #e5e5e5"]{stroke:#32373f!important}}'
    )
    svg = path.read_text()
    path.write_text(svg.replace("<defs>", f"<style>{style}</style>\n <defs>", 1))


def unconfirmed(page):
    """The numbers with decimals in the text of a page that no output on it contains."""
    outputs = " ".join(FENCED.findall(page))
    numbers = re.findall(r"\d+\.\d+", FENCED.sub("", page))
    return [number for number in dict.fromkeys(numbers) if number not in outputs]


def update(program):
    # `train --out` requires a folder that does not exist yet.
    for run in RUNS.glob("lesson*"):
        shutil.rmtree(run)
    commands = Commands(program)
    with commands.servers:
        for lesson in LESSONS:
            page = EXCERPT.sub(excerpt, lesson.read_text())
            page = CONSOLE.sub(commands.block, page)
            lesson.write_text(page)
            print(f"{lesson.name}: check by hand:", *unconfirmed(page))
    shutil.copy(RUNS / "lesson/curves.svg", FIGURES / "curves.svg")
    draw_activations(FIGURES / "activations.svg")


def is_boundary(character):
    """Whether CommonMark takes a character for whitespace or punctuation (section 6.2)."""
    return character == "" or character.isspace() or unicodedata.category(character)[0] in "PS"


def emphasis_problems(paragraph):
    """Asterisks that CommonMark displays as they are."""
    text = re.sub(r"`[^`]*`", "", paragraph)
    for match in re.finditer(r"\*\*(.+?)\*\*", text):
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        inside = match[1]
        opens = not inside[0].isspace() and (not is_boundary(inside[0]) or is_boundary(before))
        closes = not inside[-1].isspace() and (not is_boundary(inside[-1]) or is_boundary(after))
        if not (opens and closes):
            yield f"{match[0]} is displayed with its asterisks"


def check():
    problems = []
    for lesson in LESSONS:
        page = lesson.read_text()
        for match in EXCERPT.finditer(page):
            if match[0] != excerpt(match):
                problems.append(f"{lesson.name}: the code is not that of {match['file']}: {match['name']}")
        for paragraph in FENCED.sub("", page).split("\n\n"):
            problems += (f"{lesson.name}: {problem}" for problem in emphasis_problems(paragraph))
            markup = ("<", "- ", "|", "    ")
            lines = [line for line in paragraph.strip("\n").splitlines() if not line.startswith(markup)]
            is_list = all(re.match(r"\d+\. ", line) for line in lines)
            # Only the number 1 begins a list within a paragraph.
            if not is_list and any(line.startswith("1. ") for line in lines):
                problems.append(f"{lesson.name}: 1 at the start of a line makes a list: {lines[0]}")
            elif lesson == CHINESE and len(lines) > 1 and not is_list:
                problems.append(f"{lesson.name}: line break in a paragraph: {lines[0]}")
    english, chinese = (FENCED.findall(lesson.read_text()) for lesson in LESSONS)
    for one, other in zip(english, chinese):
        if one != other:
            problems.append(f"the pages differ in the block {one.splitlines()[1]}")
    if len(english) != len(chinese):
        problems.append(f"{len(english)} blocks in English, {len(chinese)} in Chinese")
    if problems:
        sys.exit("\n".join(problems) + "\nrun docs/lesson.py (--code if only code differs), or correct the text")
    print(f"{len(english)} blocks")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--code", action="store_true", help="update the code; run no command")
    arguments.add_argument("--check", action="store_true", help="check the pages; change nothing")
    arguments.add_argument(
        "--program", type=pathlib.Path, default=ROOT / "target/release/burn-digits", help="the program to run"
    )
    options = arguments.parse_args()
    if options.check:
        check()
    elif options.code:
        for lesson in LESSONS:
            lesson.write_text(EXCERPT.sub(excerpt, lesson.read_text()))
    else:
        update(options.program.resolve())


main()
