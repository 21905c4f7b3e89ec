"""Writes figures.json as the tables in docs/performance.md and as docs/speed.svg."""

import json

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

from common import HERE, ROOT, table, write_between  # noqa: E402

figures = json.loads((HERE / "figures.json").read_text())


def tables():
    training = figures["training"]["seconds_per_epoch"]
    jax = training["JAX, epoch compiled"]
    rows = sorted(training.items(), key=lambda row: row[1])
    epochs = table(
        ["training, 60,000 images, batch 128", "s per epoch", "× JAX"],
        [[name, f"{seconds:.3f}", f"{seconds / jax:.2f}"] for name, seconds in rows],
    )
    inference = figures["inference"]
    many, one = inference["images_per_second"], inference["one_image_us"]
    network = table(
        ["network only", "batch of 10,000: images/s", "one image: µs"],
        [[name, f"{many[name]:,.0f}", f"{one[name]:.1f}"] for name in many],
    )
    ms, mb = inference["process_ms"], inference["process_mb"]
    names = {"burn-digits, folder": "burn-digits, a folder of 10,000"}
    processes = table(
        ["whole process, one picture", "ms", "MB"],
        [[names.get(name, name), f"{ms[name]:.1f}", f"{mb[name]:.0f}"] for name in ms],
    )
    machine = f"Measured on {figures['machine']}, medians of {figures['rounds']} interleaved rounds."
    return "\n\n".join([machine, epochs, network, processes])


# The colours of text and axes on a light and on a dark page, of the axes' lines, and of the curves,
# which are visible on both.
INK, DARK_INK, FAINT, OURS = "#24292f", "#d0d7de", "#8c959f", "#0a7ea4"
DARK_STYLE = f"""<style>@media (prefers-color-scheme: dark) {{
[style*="{INK}"] {{ fill: {DARK_INK} !important }} }}</style>"""


def plot():
    scaling = figures["scaling"]
    plt.rcParams.update(
        {"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT,
         "xtick.color": FAINT, "ytick.color": FAINT, "xtick.labelcolor": INK,
         "ytick.labelcolor": INK, "svg.hashsalt": "burn-digits", "svg.fonttype": "none"}
    )  # fmt: skip
    _, (images, width, batch) = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    for axes, key, title, label in [
        (images, "images", "Size of the data set", "images in the epoch"),
        (width, "width", "Size of the network", "widths, times 256-128-64"),
        (batch, "batch", "Batch size", "images per step"),
    ]:
        points = [(int(x), y) for x, y in scaling[key].items()]
        axes.plot(*zip(*points), "o-", color=OURS, markersize=4, label="measured")
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log", base=2)
        axes.set_xticks([x for x, _ in points], [f"{x:,}" for x, _ in points])
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylabel("training, µs per image")
        axes.spines[["top", "right"]].set_visible(False)
    count = scaling["multiplications"]
    first = scaling["width"]["1"] / count["1"]
    arithmetic = [(int(w), first * count[w]) for w in count]
    width.plot(*zip(*arithmetic), "--", color=FAINT, label="if it grew like the\nmultiplications")
    width.legend(loc="upper left", frameon=False)
    for axes in (images, width, batch):
        axes.set_ylim(0, max(y for line in axes.lines for y in line.get_ydata()) * 1.1)
    file = ROOT / "docs/speed.svg"
    plt.savefig(file, transparent=True, metadata={"Date": None})
    svg = file.read_text()
    assert INK in svg, "matplotlib writes colours as they are"
    start = svg.index(">", svg.index("<svg")) + 1
    file.write_text(svg[:start] + "\n" + DARK_STYLE + svg[start:])


write_between(ROOT / "docs/performance.md", "speed", "benches/peers/run", tables())
plot()
