"""A client for HTTP/2 without TLS (RFC 9113) that may send any frame, correct or not."""

import struct
import time
from dataclasses import dataclass, field

from hpack import Decoder, encode
from http1 import Connection, Ended

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)
END_STREAM = ACK = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 4, 5
LARGEST_WINDOW = (1 << 31) - 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *item) for item in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


@dataclass
class Stream:
    """What arrived on one stream. `fields` includes the trailers."""

    window: int
    fields: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    def outcome(self) -> int | str:
        """The HTTP status, or in a word why there is none."""
        if ":status" in self.fields:
            return int(self.fields[":status"])
        return "no reply" if self.reset is None else "stream reset"


class Http2:
    """One connection. By default the server may send as much as it likes."""

    def __init__(self, port: int, timeout: float = 10, window: int = LARGEST_WINDOW) -> None:
        self.port = port
        self.connection = Connection(port, timeout)
        self.decoder = Decoder()
        self.streams: dict[int, Stream] = {}
        self.next_stream = 1
        self.window = self.initial_window = 65535
        # The error code of a GOAWAY, and the last stream that the server will answer.
        self.goaway: int | None = None
        self.last_stream = 0
        self.answers_pings = True
        self.block = bytearray()
        self.block_ends_stream = False
        start = PREFACE + settings({INITIAL_WINDOW_SIZE: window})
        self.send(start + window_update(0, 1 << 30))

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> bool:
        return self.connection.send(data)

    def headers(
        self, method: str, path: str, fields: dict[str, str] | None = None, end: bool = True
    ) -> int:
        """Opens a stream. Returns its number."""
        fields = dict(fields or {})
        head = [
            (":method", method),
            (":scheme", "http"),
            (":path", path),
            (":authority", fields.pop(":authority", f"localhost:{self.port}")),
        ]
        number, self.next_stream = self.next_stream, self.next_stream + 2
        self.streams[number] = Stream(self.initial_window)
        block = encode(head + list(fields.items()))
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), number, block))
        return number

    def data(self, number: int, data: bytes, end: bool = True) -> None:
        """Sends a body as fast as the server's windows allow, until it answers or ends."""
        stream, sent = self.streams[number], 0
        while sent < len(data) or (end and not data):
            size = min(len(data) - sent, self.window, stream.window, 16384)
            if size > 0 or not data:
                is_last = end and sent + size == len(data)
                part = data[sent : sent + size]
                if not self.send(frame(DATA, END_STREAM if is_last else 0, number, part)):
                    return
                sent += size
                self.window -= size
                stream.window -= size
                if is_last:
                    return
            else:
                self.read()
            if stream.ended or stream.reset is not None:
                return

    def read(self) -> int:
        """Waits for one frame and takes note of it. Returns its kind."""
        head = self.connection.exactly(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, number = struct.unpack(">BBI", head[3:])
        payload = self.connection.exactly(length)
        stream = self.streams.get(number)
        if kind == SETTINGS and not flags & ACK:
            self.apply_settings(payload)
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK and self.answers_pings:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            increment = int.from_bytes(payload, "big")
            if number == 0:
                self.window += increment
            elif stream:
                stream.window += increment
        elif kind == GOAWAY:
            self.last_stream = int.from_bytes(payload[:4], "big")
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind in (HEADERS, CONTINUATION):
            self.block += payload
            if kind == HEADERS:
                self.block_ends_stream = bool(flags & END_STREAM)
            if flags & END_HEADERS:
                fields = self.decoder.decode(bytes(self.block))
                self.block.clear()
                if stream:
                    stream.fields.update(fields)
                    stream.ended |= self.block_ends_stream
        elif kind == DATA and stream:
            stream.body += payload
            stream.ended |= bool(flags & END_STREAM)
        elif kind == RST_STREAM and stream:
            stream.reset = int.from_bytes(payload, "big")
        return kind

    def apply_settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HI", payload, at)
            if name == INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.window += value - self.initial_window
                self.initial_window = value

    def wait(self, number: int) -> Stream:
        """Reads until a stream has ended, one way or another."""
        stream = self.streams[number]
        while not stream.ended and stream.reset is None:
            self.read()
        return stream

    def wait_until_closed(self, seconds: float) -> bool:
        """Whether the server ends the connection within this time. Pings are answered meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.connection.socket.settimeout(left)
            try:
                self.read()
            except Ended as ended:
                return str(ended) != "no reply"
            except OSError:
                return True
        return False

    def drain(self, seconds: float) -> str:
        """Reads for this time, or until the end. Says how it ended."""
        is_closed = self.wait_until_closed(seconds)
        if self.goaway is not None:
            return f"goaway {self.goaway}"
        return "closed" if is_closed else "still open"


def exchange(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    fields: dict[str, str] | None = None,
    timeout: float = 10,
) -> Stream | str:
    """One request on a connection of its own. The stream, or in a word why there is no answer."""
    try:
        with Http2(port, timeout) as client:
            number = client.headers(method, path, fields, end=not body)
            if body:
                client.data(number, body)
            return client.wait(number)
    except Ended as ended:
        return str(ended)
    except OSError:
        return "reset"
