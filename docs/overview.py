"""Draws docs/overview.png: the sample pictures, their 28×28 pixels, and the predictions.

    cargo build --release && python3 docs/overview.py      (needs Pillow)
"""

import json
import pathlib
import subprocess

from PIL import Image, ImageDraw, ImageFont

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/burn-digits"
SHADES = " ░▒▓█"
CELL, GAP, TEXT = 112, 12, 44
INK, FAINT, GROUND = (34, 34, 34), (110, 110, 110), (255, 255, 255)


def infer(picture, *flags):
    command = [PROGRAM, "infer", picture, "--model", "shipped", *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def network_input(picture):
    """The 28×28 pixels, read from the output of --show (two characters per pixel)."""
    lines = infer(picture, "--show").splitlines()[:28]
    image = Image.new("L", (28, 28))
    image.putdata([SHADES.index(c) * 255 // 4 for line in lines for c in line[::2]])
    return image.resize((CELL, CELL), Image.NEAREST)


def thumbnail(picture):
    """The picture itself, on white where it is transparent."""
    image = Image.open(picture).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    paper.thumbnail((CELL, CELL))
    return paper.convert("RGB")


def main():
    pictures = [ROOT / "image.png", *sorted((ROOT / "artifacts/samples").glob("[0-9]*"))]
    size = (len(pictures) * (CELL + GAP) + GAP, 2 * (CELL + GAP) + GAP + TEXT)
    sheet = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(sheet)
    large, small = (ImageFont.load_default(size=points) for points in (24, 13))
    for column, picture in enumerate(pictures):
        x = GAP + column * (CELL + GAP)
        image = thumbnail(picture)
        place = (x + (CELL - image.width) // 2, GAP + (CELL - image.height) // 2)
        sheet.paste(image, place)
        draw.rectangle((x - 1, GAP - 1, x + CELL, GAP + CELL), outline=(225, 225, 225))
        sheet.paste(network_input(picture), (x, 2 * GAP + CELL))
        answer = json.loads(infer(picture, "--json"))
        y = 3 * GAP + 2 * CELL
        draw.text((x, y), str(answer["digit"]), INK, font=large)
        draw.text((x + 24, y + 9), f"{100 * answer['confidence']:.2f} %", FAINT, font=small)
    sheet.save(ROOT / "docs/overview.png", optimize=True)


main()
