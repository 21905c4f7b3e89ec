"""SIGTERM in the middle of the work: no request is lost, and the end comes in time."""

import asyncio
import collections
import contextlib
import random
import time
from dataclasses import dataclass, field

import grpc
import http1
import pictures
from connections import connections, live
from http2 import Http2
from server import GRACE, MemoryGroup, Server
from trial import STOP_MARGIN, Trial, attack

CLIENTS = 16
# The code of RST_STREAM for a request that was not begun.
REFUSED_STREAM = 7
# With nothing to finish. Connections that are idle may still be about to send a request.
IDLE_STOP_SECONDS = 1.0


@attack(is_alone=True)
def stop_with_idle_connections(trial: Trial) -> None:
    """50 connections that were used once and kept, 10 of HTTP/2, and 10 never used; then SIGTERM.

    The server must end within a second. An old one waited for connections that had sent nothing.
    """
    port = trial.server.http
    with connections(port, 60) as clients, contextlib.ExitStack() as stack:
        for client in clients[:50]:
            client.send(live(port))
            trial.count(client.reply().status)
        for _ in range(10):
            client2 = stack.enter_context(Http2(port))
            trial.count(client2.wait(client2.headers("GET", "/v2/health/live")).outcome())
        trial.stop(IDLE_STOP_SECONDS)


@attack("--time-limit", "60s")
def stop_with_stuck_requests(trial: Trial) -> None:
    """20 requests whose bodies never end, of HTTP/1.1 and HTTP/2; then SIGTERM.

    The server must end when `--grace`, 2 seconds, is over.
    """
    port = trial.server.http
    with connections(port, 10) as clients, contextlib.ExitStack() as stack:
        for client in clients:
            client.send(http1.request("POST", "/predict", port, headers={"Content-Length": "999"}))
        for _ in range(10):
            stack.enter_context(Http2(port)).headers("POST", "/predict", end=False)
        time.sleep(0.3)
        trial.stop(GRACE)


@dataclass
class Shutdowns:
    """What the clients of all shutdowns saw."""

    answered: int = 0
    lost: collections.Counter[str] = field(default_factory=collections.Counter)
    seconds: list[float] = field(default_factory=list)
    codes: set[int | None] = field(default_factory=set)
    peak_mib: float = 0

    def failures(self) -> list[str]:
        """A sentence for each thing that must not happen."""
        sentences = []
        if total := self.lost.total():
            kinds = ", ".join(f"{kind}: {count}" for kind, count in self.lost.most_common())
            sent = total + self.answered
            sentences.append(f"{total} of {sent} requests were lost during shutdowns ({kinds})")
        limit = IDLE_STOP_SECONDS + STOP_MARGIN
        if (slowest := max(self.seconds, default=0)) > limit:
            sentences.append(f"a shutdown took {slowest:.1f} s, expected at most {limit:.1f} s")
        if self.codes - {0}:
            sentences.append(f"exit codes after SIGTERM: {self.codes}")
        return sentences


class BusyClient:
    """Sends requests one after another until the server refuses connections.

    It honours `Connection: close` and does not use a connection whose end it has seen. Any request
    that it has written must be answered completely.
    """

    def __init__(self, port: int, data: bytes, is_kept: bool, kind: str, seen: Shutdowns) -> None:
        self.port, self.data, self.is_kept = port, data, is_kept
        self.kind, self.seen = kind, seen

    async def run(self) -> None:
        streams = None
        while True:
            if streams is None or streams[0].at_eof():
                if streams:
                    streams[1].close()
                try:
                    streams = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    return
            reader, writer = streams
            try:
                writer.write(self.data)
                await writer.drain()
                is_last = await asyncio.wait_for(self.reply(reader), 10)
                self.seen.answered += 1
            except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
                partial = getattr(error, "partial", b"")
                how = f"{type(error).__name__}{' within the answer' if partial else ''}"
                self.seen.lost[f"{self.kind}, {how}"] += 1
                is_last = True
            if is_last or not self.is_kept:
                writer.close()
                streams = None

    @staticmethod
    async def reply(reader: asyncio.StreamReader) -> bool:
        """Whether the connection will close after this answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        return fields.get(b"connection") == b"close"


async def slow_client(port: int, seen: Shutdowns, stopping: asyncio.Event) -> None:
    """Its request has begun before SIGTERM and ends 0.2 s after."""
    data = http1.request("POST", "/predict", port, pictures.small_png())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data[:-10])
    await stopping.wait()
    await asyncio.sleep(0.2)
    try:
        writer.write(data[-10:])
        await asyncio.wait_for(BusyClient.reply(reader), 10)
        seen.answered += 1
    except (OSError, EOFError, TimeoutError) as error:
        seen.lost[f"unfinished at SIGTERM, {type(error).__name__}"] += 1
    writer.close()


def http2_client(port: int, seen: Shutdowns) -> None:
    """Calls over gRPC, one after another. The server may tell it which streams it has refused."""
    body, path = grpc.message(grpc.infer_pixels(1)), f"{grpc.SERVICE}/ModelInfer"
    while True:
        try:
            client = Http2(port)
        except OSError:
            return
        with client:
            number = 0
            try:
                while client.goaway is None:
                    number = client.headers("POST", path, grpc.HEADERS, end=False)
                    client.data(number, body)
                    stream = client.wait(number)
                    if stream.reset not in (None, REFUSED_STREAM):
                        raise http1.Ended(f"reset {stream.reset}")
                    seen.answered += stream.reset is None
            except (http1.Ended, OSError) as error:
                is_refused = client.goaway is not None and number > client.last_stream
                if not is_refused:
                    seen.lost[f"call over gRPC, {error}"] += 1


async def shutdown_once(server: Server, seen: Shutdowns) -> None:
    port = server.http
    small = http1.request("POST", "/predict", port, pictures.small_png())
    clients = []
    for number in range(CLIENTS):
        data, name = (small, "picture") if number % 2 else (live(port), "liveness")
        is_kept = number % 4 < 2
        kind = f"{name} on a {'kept' if is_kept else 'new'} connection"
        clients.append(BusyClient(port, data, is_kept, kind, seen))
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(client.run()) for client in clients]
    tasks += [asyncio.create_task(slow_client(port, seen, stopping)) for _ in range(2)]
    tasks += [
        asyncio.create_task(asyncio.to_thread(http2_client, server.grpc, seen)) for _ in range(2)
    ]
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    await asyncio.sleep(random.uniform(0.2, 0.4))
    ending = asyncio.create_task(asyncio.to_thread(server.stop))
    stopping.set()
    seconds, code = await ending
    seen.seconds.append(seconds)
    seen.codes.add(code)
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()


def run(program: str, count: int, group: MemoryGroup | None) -> Shutdowns:
    """Starts a server and stops it under load, `count` times."""
    seen = Shutdowns()
    for _ in range(count):
        server = Server(program, group=group)
        try:
            asyncio.run(shutdown_once(server, seen))
        finally:
            server.kill()
        seen.peak_mib = max(seen.peak_mib, server.peak_mib)
    return seen
