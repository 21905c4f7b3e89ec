"""Pictures that take long to decode, or much memory."""

import time
from collections.abc import Callable

import grpc
import http1
import pictures
from amplification import INFER, LENGTH, binary, post
from connections import connections
from server import GRACE
from trial import REJECTED, Trial, at_once, attack


def large_batch(count: int = 230, size: int = 70_000) -> tuple[bytes, dict[str, str]]:
    """Pictures of 3000 × 3000 pixels, 16 MB of files. Decoding takes seconds."""
    files = [pictures.padded(pictures.grey_png(3000, 3000), size)] * count
    tensor = {"name": "picture", "datatype": "BYTES", "shape": [count]}
    body, length = binary(tensor, pictures.bytes_tensor(files))
    return body, {LENGTH.replace("_", "-"): length}


def send_and_leave(trial: Trial, body: bytes, headers: dict[str, str]) -> Callable[[], None]:
    """A client that sends a request, waits half a second, and disconnects."""
    port = trial.server.http

    def run() -> None:
        with http1.Connection(port) as client:
            client.send(http1.request("POST", INFER, port, body, headers))
            client.socket.settimeout(0.5)
            try:
                trial.count(client.reply().status)
            except http1.Ended:
                trial.count("left")

    return run


@attack()
def large_batches_of_clients_that_leave(trial: Trial) -> None:
    """Two clients send 230 large pictures each and disconnect, twice.

    The honest clients must be served quickly all the time. An old server decoded on for the clients
    that had left, and the others waited for it.
    """
    body, headers = large_batch()
    for _ in range(2):
        at_once([send_and_leave(trial, body, headers)] * 2)
        time.sleep(0.5)


@attack(is_alone=True)
def stop_while_decoding(trial: Trial) -> None:
    """Two clients send 230 large pictures each, then the server gets SIGTERM.

    It must end when `--grace`, 2 seconds, is over.
    """
    body, headers = large_batch()
    port = trial.server.http
    with connections(port, 2) as clients:
        for client in clients:
            client.send(http1.request("POST", INFER, port, body, headers))
        time.sleep(0.3)
        trial.stop(GRACE)


@attack()
def large_batches_over_grpc(trial: Trial) -> None:
    """Four clients send 230 large pictures each over gRPC, with a deadline of a second.

    They must get an answer about then. The old server had no deadlines.
    """
    files = [pictures.padded(pictures.grey_png(3000, 3000), 70_000)] * 230
    raw = grpc.field(7, pictures.bytes_tensor(files))
    message = grpc.infer(grpc.field(5, grpc.tensor("picture", "BYTES", [230])), raw)

    def send() -> None:
        start = time.monotonic()
        headers = {"grpc-timeout": "1S"}
        status = grpc.call(trial.server.grpc, grpc.message(message), headers=headers)
        allowed = ["grpc 4", "grpc 3", "grpc 8", "grpc 14"]
        trial.expect_in(grpc.name(status), allowed, "a batch with a deadline")
        seconds = time.monotonic() - start
        trial.expect(
            seconds < 4 * trial.patience, f"a call with a deadline of 1 s took {seconds:.1f} s"
        )

    at_once([send] * 4)


@attack()
def largest_pictures(trial: Trial) -> None:
    """Pictures that are just below or above the largest size, 256 MB decoded, eight at a time.

    Each must be rejected or decoded when there is memory for it. On an old server every processor
    decoded one of 256 MB at the same time.
    """
    for side in (15_900, 16_100):
        file = pictures.grey_png(side, side)

        def send() -> None:
            trial.expect_in(post(trial, "/predict", file), [200, *REJECTED], "a large picture")

        at_once([send] * 8)


@attack()
def numbers_that_can_be_cut_in_many_ways(trial: Trial) -> None:
    """Pictures of 400 wide blocks, or of noise, with `many=true`, eight at a time.

    Each takes up to half a second and 66 MiB beside the picture. The server must read as many at
    once as it has memory for, and answer the honest clients meanwhile.
    """
    for file in (pictures.wide_groups_png(), pictures.noise_png()):

        def send(file: bytes = file) -> None:
            status = post(trial, "/predict?many=true", file)
            trial.expect_in(status, [200, *REJECTED], "a number")

        at_once([send] * 8)


@attack()
def lying_pictures(trial: Trial) -> None:
    """Headers of many formats that announce sizes up to 4 billion pixels a side, without pixels.

    The server must reject them by their header. The old one did.
    """
    big = b"\xff\xff\xff\xff"
    files = [
        pictures.png_file(2**31 - 1, 2**31 - 1, 16, 6, b""),
        pictures.png_file(16_000, 16_000, 8, 0, b"\x78\x9c"),
        b"P5 100000 100000 255\n",
        b"P5 4294967295 4294967295 65535\n",
        b"GIF89a" + big + bytes(6),
        b"BM" + bytes(12) + b"\x28\0\0\0" + b"\xff\xff\xff\x7f" * 2 + b"\1\0\x20\0" + bytes(24),
        b"II*\0\x08\0\0\0\x02\0\0\1\4\0\1\0\0\0" + big + b"\1\1\4\0\1\0\0\0" + big + bytes(4),
        b"RIFF" + big + b"WEBPVP8L" + big + b"\x2f" + big + bytes(8),
        b"\xff\xd8\xff\xc2\0\x11\x08\xff\xff\xff\xff\3" + bytes(9),
        b"qoif" + big * 2 + b"\4\0",
    ]
    for file in files:
        for _ in range(8):
            trial.expect_in(post(trial, "/predict", file), REJECTED, "a lying picture")
