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


def plot():
    scaling = figures["scaling"]
    ink, ours, faint = "#6e7781", "#0a7ea4", "#b0b7bf"
    plt.rcParams.update(
        {"font.size": 9, "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": faint,
         "xtick.color": ink, "ytick.color": ink, "svg.hashsalt": "burn-digits"}
    )  # fmt: skip
    _, (images, width, batch) = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
    for axes, key, label in [
        (images, "images", "images in the epoch"),
        (width, "width", "widths, times 256-128-64"),
        (batch, "batch", "images per step"),
    ]:
        points = [(int(x), y) for x, y in scaling[key].items()]
        axes.plot(*zip(*points), "o-", color=ours, markersize=4)
        axes.set_xscale("log", base=2)
        axes.set_xticks([x for x, _ in points], [f"{x:,}" for x, _ in points])
        axes.minorticks_off()
        axes.set_xlabel(label)
        axes.set_ylim(0, max(y for _, y in points) * 1.15)
        axes.spines[["top", "right"]].set_visible(False)
    count = scaling["multiplications"]
    first = scaling["width"]["1"] / count["1"]
    arithmetic = [(int(w), first * count[w]) for w in count]
    width.plot(*zip(*arithmetic), "--", color=faint)
    width.annotate("its arithmetic", arithmetic[-1], (0.45, 0.9), textcoords="axes fraction")
    images.set_ylabel("µs per image of training")
    plt.savefig(ROOT / "docs/speed.svg", transparent=True, metadata={"Date": None})


write_between(ROOT / "docs/performance.md", "speed", "benches/peers/run", tables())
plot()
