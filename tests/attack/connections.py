"""HTTP/1.1 connections that are malformed, slow, half closed, too many, or never read."""

import contextlib
import functools
import threading
import time
from collections.abc import Iterator

import http1
import pictures
from http1 import Connection, request
from trial import Timer, Trial, at_once, attack

# Two of them are the honest clients'.
FEW_SLOTS = ("--connections", "16", "--idle", "1s", "--time-limit", "1s")
SHORT_TIMES = ("--idle", "1s", "--time-limit", "1s")
# A connection that does nothing must end after its idle time or the time limit, 1 s each here.
CLOSED_SECONDS = 5.0


def live(port: int) -> bytes:
    return request("GET", "/v2/health/live", port)


def predict(port: int, headers: dict[str, str] | None = None) -> bytes:
    return request("POST", "/predict", port, pictures.small_png(), headers)


def served(port: int, seconds: float) -> int | str:
    """The answer to a picture from a client that tries again for so many seconds."""
    timer = Timer()
    while True:
        outcome = http1.outcome(port, predict(port), max(seconds - timer.seconds(), 0.2))
        if outcome == 200 or timer.seconds() > seconds:
            return outcome
        time.sleep(0.1)


@contextlib.contextmanager
def connections(port: int, count: int) -> Iterator[list[Connection]]:
    """Open connections, closed in the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Connection(port)) for _ in range(count)]


@attack()
def line_feed_after_a_request(trial: Trial) -> None:
    """`Connection: close` and then bytes that are no further request: a line feed, or several.

    The answer must arrive at once. On an old server it waited until the client had closed.
    """
    port = trial.server.http
    for end in (b"\n", b"\r\n", b"\r\n\r\n", b"\n\n\n", b"G", b"\0", b"GET / HTT"):
        for first in (predict(port, {"Connection": "close"}), live(port)):
            trial.expect_in(http1.outcome(port, first + end, 2), [200], f"followed by {end!r}")


@attack()
def malformed_heads(trial: Trial) -> None:
    """Request lines and headers that are not HTTP, or too long, with more bytes behind them.

    The answer 400, 414, 431 or 505 must arrive. On an old server the bytes that it had not read
    became a reset, which deleted the answer.
    """
    port = trial.server.http
    host = f"Host: localhost:{port}\r\n".encode()
    get = b"GET / HTTP/1.1\r\n" + host
    cases = {
        b"GET /\r\n\r\n": [400, 505],
        b"GET / HTTP/1.1 x\r\n" + host + b"\r\n": [400],
        b"GET / HTTP/9.9\r\n" + host + b"\r\n": [400, 505],
        b"G\0T / HTTP/1.1\r\n" + host + b"\r\n": [400],
        b"GET  / HTTP/1.1\r\n" + host + b"\r\n": [400],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500): [400],
        get + b"X\0: y\r\n\r\n": [400],
        get + b"X : y\r\n\r\n": [400],
        get + b"Content-Length: -1\r\n\r\n": [400],
        get + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n": [400],
        get + b"Transfer-Encoding: x\r\n\r\n": [400, 501],
        get + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n": [400, 405, 200],
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + host + b"\r\n": [414, 431],
        get + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n": [431],
        get + b"X: y\r\n" * 5000 + b"\r\n": [431],
        b"GET /" + b"a" * 2_000_000: [414, 431],
    }
    for head, allowed in cases.items():
        for rest in (b"", b"x" * 200_000):
            outcome = http1.outcome(port, head + rest, 3)
            trial.expect_in(outcome, allowed, f"{head[:30]!r} and {len(rest)} bytes")


@attack()
def pipelined_requests_never_read(trial: Trial) -> None:
    """20 MB of requests for /openapi.json on each of 8 connections; no answer is read.

    The server must stop reading. An old one took hundreds of MiB for answers.
    """
    port = trial.server.http
    requests = request("GET", "/openapi.json", port) * 3000

    def send() -> None:
        with Connection(port, 1) as client:
            is_sent = all(client.send(requests) for _ in range(100))
            trial.count("all sent" if is_sent else "stopped reading")
            time.sleep(0.5)

    at_once([send] * 8)


@attack()
def half_closed_connections(trial: Trial) -> None:
    """Clients that close their sending side right after the request, as `nc` and proxies do.

    The answer must arrive. An old server gave up requests to /predict without one.
    """
    port = trial.server.http
    # No picture, and so large that other attacks may have taken its memory.
    large = request("POST", "/predict", port, bytes(1 << 20))
    for data in [live(port), predict(port), large] * 10:
        with Connection(port, 5) as client:
            client.send(data)
            client.finish_sending()
            try:
                outcome: int | str = client.reply().status
            except http1.Ended as ended:
                outcome = str(ended)
            expected = [415, 503] if data is large else [200]
            trial.expect_in(outcome, expected, "a half-closed connection")


@attack()
def bodies_over_the_limit(trial: Trial) -> None:
    """32 MiB with Content-Length, in chunks, and after `Expect: 100-continue`.

    A client that sends everything before it reads must get 413 with a reason. On an old server it
    often got a reset.
    """
    port = trial.server.http
    body = bytes(32 << 20)
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    head = f"POST /predict HTTP/1.1\r\nHost: localhost:{port}\r\n".encode()
    requests = {
        "Content-Length": request("POST", "/predict", port, body),
        "chunks": head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 32 + b"0\r\n\r\n",
        "Expect": head + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
        "10^18 bytes": head + b"Content-Length: 1000000000000000000\r\n\r\n" + bytes(1 << 20),
    }
    for _ in range(3):
        for what, data in requests.items():
            reply = http1.exchange(port, data, 10)
            status = reply.status if isinstance(reply, http1.Reply) else reply
            trial.expect_in(status, [413, 503], f"a large body with {what}")
            has_reason = isinstance(reply, http1.Reply) and b'"error"' in reply.body
            trial.expect(has_reason, f"a large body with {what}: no reason in the answer")


@attack()
def unfinished_bodies(trial: Trial) -> None:
    """40 connections send 15 of 16 MiB and then nothing; 400 more send half of 64 KiB.

    The honest clients' small bodies must be accepted all the time. On an old server the unfinished
    ones took all the memory for bodies, and others got 503.
    """
    port = trial.server.http
    large = request("POST", "/predict", port, headers={"Content-Length": str(16 << 20)})
    medium = request("POST", "/predict", port, headers={"Content-Length": "65536"})
    with connections(port, 440) as clients:

        def send(share: list[Connection]) -> None:
            for client in share:
                client.socket.settimeout(2)
                is_large = clients.index(client) < 40
                client.send(large + bytes(15 << 20) if is_large else medium + bytes(1 << 15))

        at_once([functools.partial(send, clients[n::8]) for n in range(8)])
        time.sleep(1)
        for _ in range(20):
            trial.expect_in(http1.outcome(port, predict(port), 2), [200], "a small body")


def drip(client: Connection, data: bytes, interval: float = 0.2) -> bool:
    """Sends byte by byte. Whether the server ends the connection, or answers, within 5 s.

    The settings that a server of HTTP/2 sends at the start are no answer.
    """
    client.socket.settimeout(interval)
    timer = Timer()
    for byte in data:
        if timer.seconds() > CLOSED_SECONDS or not client.send(bytes([byte])):
            break
        try:
            client.fill()
            if client.buffer.startswith(b"HTTP/"):
                return True
        except http1.Ended as ended:
            if str(ended) != "no reply":
                return True
    return timer.seconds() < CLOSED_SECONDS


@attack(*SHORT_TIMES)
def bytes_one_by_one(trial: Trial) -> None:
    """Request lines, headers, bodies, chunks, and the start of HTTP/2, at 5 bytes per second.

    The server must end each after its time limit of a second. On an old one a start of HTTP/2 could
    take for ever.
    """
    port = trial.server.http
    head = f"POST /predict HTTP/1.1\r\nHost: localhost:{port}\r\n".encode()
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    cases = {
        "request line": (b"", head),
        "headers": (head, b"X: " + b"y" * 100),
        "body": (head + b"Content-Length: 100\r\n\r\n", bytes(100)),
        "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 20),
        "start of HTTP/2": (b"", preface + bytes(80)),
        "frame of HTTP/2": (preface, bytes([0, 64, 0, 4, 0, 0, 0, 0, 0]) + bytes(91)),
        "frame after settings": (
            preface + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
            b"\0\x40" + bytes(98),
        ),
        "line feeds": (b"", b"\r\n" * 50),
    }

    def run(what: str, port: int, start: bytes, rest: bytes) -> None:
        with Connection(port) as client:
            client.send(start)
            is_ended = drip(client, rest)
            trial.count("ended" if is_ended else "still open")
            trial.expect(is_ended, f"{what}: open after {CLOSED_SECONDS:.0f} s of single bytes")

    jobs = [(what, port, *case) for what, case in cases.items()]
    jobs += [(f"{what} (gRPC port)", trial.server.grpc, *case) for what, case in cases.items()]
    at_once([functools.partial(run, *job) for job in jobs])


@attack(*SHORT_TIMES)
def answers_read_slowly(trial: Trial) -> None:
    """A client asks 500 times for the page and reads a byte of the answers every 0.2 s.

    The server must end the connection, and so did the old one.
    """
    port = trial.server.http
    with Connection(port) as client:
        client.socket.setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF
        client.socket.settimeout(0.2)
        client.send(request("GET", "/", port) * 500)
        deadline, is_ended = time.monotonic() + 8, False
        while time.monotonic() < deadline and not is_ended:
            time.sleep(0.2)
            try:
                is_ended = not client.socket.recv(1) or not client.send(b"\r\n")
            except TimeoutError:
                pass
            except OSError:
                is_ended = True
        trial.count("ended" if is_ended else "still open")
        trial.expect(is_ended, "a client that reads a byte now and then is connected after 8 s")


@attack(*FEW_SLOTS)
def liveness_when_all_slots_are_taken(trial: Trial) -> None:
    """Busy connections take all 16 slots, and 64 more wait.

    `GET /v2/health/live` on a new connection must be answered within a second: otherwise the
    platform restarts a server that is only busy. An old one left it in the backlog.
    """
    port = trial.server.http
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            try:
                with Connection(port, 2) as client:
                    while not stop.is_set() and client.send(live(port)):
                        client.reply()
                        time.sleep(0.1)
            except (http1.Ended, OSError):
                time.sleep(0.1)

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(80)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    for _ in range(5):
        trial.expect_in(http1.outcome(port, live(port), 1), [200], "liveness with all slots taken")
    stop.set()


@attack(*FEW_SLOTS)
def idle_connections_give_their_slots_back(trial: Trial) -> None:
    """Connections that send nothing, or half a request, take all 16 slots, and more wait.

    A new client must be served within 5 seconds, since the idle time is one. On an old server,
    silent connections kept their slots for three seconds.
    """
    port = trial.server.http
    with connections(port, 40) as clients:
        for client in clients[::2]:
            client.send(predict(port)[:-1])
        trial.expect_in(served(port, CLOSED_SECONDS), [200], "a picture after the idle time")
