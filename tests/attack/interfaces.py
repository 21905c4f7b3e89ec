"""Attacks on compression, TensorFlow's tensors, watches, reflection, and the models of a folder."""

import gzip
import json
import struct
import time
import zlib

import grpc
import http1
import http2
from amplification import INFER, post, rejected, repeat_to_limit
from http2 import Http2
from trial import REJECTED, REJECTED_GRPC, Trial, at_once, attack

PREDICTION_SERVICE = "/tensorflow.serving.PredictionService"
HEALTH_SERVICE = "/grpc.health.v1.Health"
REFLECTION_SERVICE = "/grpc.reflection.v1.ServerReflection"
# What the server allows.
WATCHES_OF_A_CONNECTION = 8
REFLECTION_STREAMS = 32


def bomb(size: int) -> bytes:
    """Gzip of so many spaces, a thousandth of their length."""
    return gzip.compress(b" " * size, 9)


@attack()
def compressed_bodies(trial: Trial) -> None:
    """Bodies of up to a megabyte that unpack to up to a gigabyte, at all interfaces.

    The server must reject them as soon as they exceed the limit of bodies, within its memory.
    """
    once = bomb(1 << 30)
    cases = {
        "a gigabyte": ("gzip", once),
        "a gigabyte in zlib": ("deflate", zlib.compress(bytes(1 << 30), 9)),
        "many members": ("gzip", bomb(1 << 20) * 900),
        "gzip in gzip": ("gzip", gzip.compress(once, 9)),
    }
    for what, (coding, body) in cases.items():
        for path in ("/predict", INFER, "/v1/models/digits:predict", "/v2/repository/index"):
            rejected(trial, f"{what} at {path}", path, body, Content_Encoding=coding)
    # As large as a body may be, in JSON that takes many times its length in memory.
    numbers = gzip.compress(b'{"instances":[' + repeat_to_limit(b"0,") + b"0]}", 9)
    rejected(
        trial, "a million numbers", "/v1/models/digits:predict", numbers, Content_Encoding="gzip"
    )
    for body in (b"", b"\x1f\x8b", once[:1000], b"\x1f\x8b\x08\x04\0\0\0\0\0\0\xff\xff"):
        outcome = post(trial, INFER, body, {"Content-Encoding": "gzip"})
        trial.expect_in(outcome, REJECTED, "damaged gzip")
    for coding in ("br", "gzip, gzip", "\x80", "x" * 9000):
        outcome = post(trial, INFER, b"x", {"Content-Encoding": coding})
        trial.expect_in(outcome, REJECTED, "unknown coding")


@attack()
def compressed_messages(trial: Trial) -> None:
    """The same over gRPC, where each message says whether it is compressed.

    The server must reject them within its memory.
    """
    headers = {"grpc-encoding": "gzip", "grpc-accept-encoding": "gzip"}

    def send(data: bytes) -> None:
        body = grpc.message(data, is_compressed=True)
        status = grpc.call(trial.server.grpc, body, headers=headers, timeout=20)
        trial.expect_in(grpc.name(status), REJECTED_GRPC, "compressed message")

    for data in (bomb(1 << 30), bomb(1 << 20) * 900, b"", b"\x1f\x8b", bomb(1 << 20)[:500]):
        at_once([lambda data=data: send(data)] * 4)
    empty_inputs = gzip.compress(b"\x2a\0" * (8 << 20), 9)
    at_once([lambda: send(empty_inputs)] * 4)
    good = gzip.compress(grpc.infer_pixels(1))
    status = grpc.call(
        trial.server.grpc, grpc.message(good, is_compressed=True), headers=headers
    )
    trial.expect_in(grpc.name(status), ["grpc 0"], "a correct compressed message")


def tensor(dtype: int, sizes: list[int], values: bytes) -> bytes:
    """`TensorProto`."""
    dims = b"".join(grpc.field(2, b"\x08" + grpc.varint(size)) for size in sizes)
    return b"\x08" + grpc.varint(dtype) + grpc.field(2, dims) + values


def predict(*inputs: bytes) -> bytes:
    """`PredictRequest` for the model."""
    named = (grpc.field(2, grpc.field(1, b"image") + grpc.field(2, input)) for input in inputs)
    return grpc.field(1, grpc.field(1, b"digits")) + b"".join(named)


@attack()
def tensors_of_tensorflow(trial: Trial) -> None:
    """One value that stands for a tensor of any size, and millions of dimensions, inputs and names.

    The server must reject what its queue can't hold, within its memory.
    """
    half = grpc.field(5, struct.pack("<f", 0.5))
    cases = {
        "1,025 pictures of one value": predict(tensor(1, [1025, 784], half)),
        "2^40 pictures of one value": predict(tensor(1, [2**40, 784], half)),
        "2^63 pictures of one value": predict(tensor(1, [2**63, 28, 28], half)),
        "a million dimensions": predict(tensor(1, [1] * 1_000_000, half)),
        "dimensions without a size": predict(grpc.field(2, b"\x12\0" * (4 << 20))),
        "a million inputs": predict(*[b""] * 400_000),
        "a million filters": predict(tensor(1, [1, 784], half)) + b"\x1a\0" * (4 << 20),
        "empty files": predict(tensor(7, [4 << 20], b"\x42\0" * (4 << 20))),
        "a type that is unknown": predict(tensor(99, [1, 784], half)),
        "a shape of zeros": predict(tensor(1, [0, 784], half)),
    }
    for what, message in cases.items():

        def send() -> None:
            body = grpc.message(message)
            status = grpc.call(
                trial.server.grpc, body, "Predict", timeout=20, service=PREDICTION_SERVICE
            )
            trial.expect_in(grpc.name(status), REJECTED_GRPC, what)

        at_once([send] * 4)
    most = grpc.message(predict(tensor(1, [1024, 784], half)))

    def send_most() -> None:
        status = grpc.call(trial.server.grpc, most, "Predict", service=PREDICTION_SERVICE)
        trial.expect_in(grpc.name(status), ["grpc 0", *REJECTED_GRPC], "1,024 of one value")

    at_once([send_most] * 16)


def open_streams(client: Http2, path: str, count: int, body: bytes, end: bool) -> list[int]:
    numbers = []
    for _ in range(count):
        number = client.headers("POST", path, grpc.HEADERS, end=False)
        client.data(number, body, end=end)
        numbers.append(number)
    return numbers


@attack()
def watches(trial: Trial) -> None:
    """300 connections that watch the server's health as often as they can, and read nothing.

    A connection may have a few watches, and the server a few hundred. All others are refused, and
    new clients are served meanwhile.
    """
    clients = []
    try:
        for _ in range(300):
            client = Http2(trial.server.grpc, 5)
            clients.append(client)
            open_streams(client, f"{HEALTH_SERVICE}/Watch", 20, grpc.message(b""), end=True)
        last = clients[-1]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            refused = [s for s in last.streams.values() if grpc.code(s) == grpc.RESOURCE_EXHAUSTED]
            if len(refused) >= 20 - WATCHES_OF_A_CONNECTION:
                break
            last.read()
        else:
            trial.failures.append("watches beyond the limit were not refused")
        status = grpc.call(
            trial.server.grpc, grpc.message(b""), "Check", service=HEALTH_SERVICE
        )
        trial.expect_in(grpc.name(status), ["grpc 0"], "a check beside the watches")
    finally:
        for client in clients:
            client.connection.close()


@attack("--time-limit", "2s")
def streams_of_reflection(trial: Trial) -> None:
    """Streams of reflection that stay open, send 10 MB of questions, or read no answers.

    The server must limit their number, their bytes and their time.
    """
    path = f"{REFLECTION_SERVICE}/ServerReflectionInfo"
    services = grpc.message(grpc.field(7, b"*"))
    with Http2(trial.server.grpc, 10) as client:
        numbers = open_streams(client, path, REFLECTION_STREAMS + 8, services, end=False)
        codes = [grpc.code(client.wait(number)) for number in numbers]
        trial.count(f"{codes.count(grpc.UNAVAILABLE)} refused")
        trial.expect(codes.count(grpc.UNAVAILABLE) >= 8, "all streams were accepted")

    def ask() -> None:
        with Http2(trial.server.grpc, 10, window=0) as client:
            for _ in range(4):
                number = client.headers("POST", path, grpc.HEADERS, end=False)
                client.send(http2.frame(http2.DATA, 0, number, services * 1000))
            trial.count(client.drain(4))

    at_once([ask] * 4)
    with Http2(trial.server.grpc, 10) as client:
        number = client.headers("POST", path, grpc.HEADERS, end=False)
        client.data(number, services * 500_000, end=False)
        trial.expect(client.wait(number).ended, "a stream of 10 MB of questions was read")
    for question in (b"\xff" * 10, grpc.field(4, b"x" * 100_000), b""):
        status = grpc.call(
            trial.server.grpc,
            grpc.message(question),
            "ServerReflectionInfo",
            service=REFLECTION_SERVICE,
        )
        trial.count(grpc.name(status))


@attack()
def names_of_models(trial: Trial) -> None:
    """Models, versions and labels with names that no folder may have, and orders to load them.

    The server must answer 400, 403 or 404, with a short message, or 503 to a large order while others
    have the memory.
    """
    port = trial.server.http
    names = ["..", "%2e%2e%2f%2e%2e%2fetc", "a%00b", "%ff", "digits:", ":", "a" * 8000, "%F0%9F%98%80"]
    paths = ["/v2/models/{}", "/v2/models/digits/versions/{}/infer", "/v1/models/{}:predict",
             "/v1/models/digits/labels/{}:predict", "/v2/repository/models/{}/load"]
    for path in paths:
        for name in names:
            method = "GET" if path == "/v2/models/{}" else "POST"
            request = http1.request(method, path.format(name), port, b"{}")
            reply = http1.exchange(port, request, 10)
            if isinstance(reply, str):
                trial.failures.append(f"{path} with {name[:20]}: {reply}")
                continue
            trial.expect_in(reply.status, [400, 403, 404, 405, 414, 431], f"{path} {name[:20]}")
            trial.expect(len(reply.body) < 4096, f"the error has {len(reply.body)} bytes")
    order = json.dumps({"parameters": {"config": "x" * 1_000_000}}).encode()
    rejected(trial, "a configuration", "/v2/repository/index", b"[" * 10_000)
    outcome = post(trial, "/v2/repository/models/digits/load", order)
    trial.expect_in(outcome, [400, 403, 413, 503], "a model with a configuration")
