"""Picture files made from nothing."""

import functools
import random
import struct
import zlib


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_file(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """`rows` are compressed with zlib already, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


@functools.cache
def grey_png(width: int, height: int) -> bytes:
    """A vertical stroke, dark ink on a light page, 8 bits per pixel."""
    left, thick = width * 2 // 5, max(width // 8, 1)
    blank = b"\0" + b"\xf0" * width
    inked = b"\0" + b"\xf0" * left + b"\x10" * thick + b"\xf0" * (width - left - thick)
    packer = zlib.compressobj(1)
    stroke = range(height // 8, height * 7 // 8)
    rows = [packer.compress(inked if y in stroke else blank) for y in range(height)]
    return png_file(width, height, 8, 0, b"".join(rows) + packer.flush())


@functools.cache
def wide_groups_png(side: int = 1200) -> bytes:
    """400 striped blocks, wider than high: each is cut into two digits and more in several ways."""

    def is_ink(x: int, y: int) -> bool:
        is_block = 5 <= x < 55 and 5 <= y < 50
        is_stripe = 8 <= x < 52 and 10 <= y < 45 and (y - 10) % 4 == 0
        return is_block and not is_stripe

    row = [b"\0" + bytes(0 if is_ink(x % 60, y) else 255 for x in range(side)) for y in range(60)]
    rows = b"".join(row[y % 60] for y in range(side))
    return png_file(side, side, 8, 0, zlib.compress(rows))


@functools.cache
def noise_png(side: int = 1200) -> bytes:
    """Ink everywhere at random: thousands of components."""
    noise = random.Random(1)
    rows = b"".join(b"\0" + noise.randbytes(side) for _ in range(side))
    return png_file(side, side, 8, 0, zlib.compress(rows))


def small_png() -> bytes:
    return grey_png(28, 28)


def padded(picture: bytes, size: int) -> bytes:
    """The same picture with a comment chunk, so that the file has `size` bytes."""
    comment = png_chunk(b"tEXt", b"x\0" + b"x" * max(size - len(picture) - 14, 0))
    return picture[:33] + comment + picture[33:]


def tiny_pbm() -> bytes:
    """15 bytes: a bitmap of 8 × 8 pixels with ink."""
    return b"P4\n8 8\n" + bytes([0, 24, 24, 24, 24, 24, 24, 0])


def bytes_tensor(files: list[bytes]) -> bytes:
    """Elements of a BYTES tensor, each after its length."""
    return b"".join(struct.pack("<I", len(file)) + file for file in files)
