"""A client for HTTP/1.1 that shows exactly what arrived, or how the connection ended."""

import socket
import ssl
import time
from pathlib import Path
from typing import NamedTuple

# No honest answer is longer. An attack on the size of answers stops reading here.
LONGEST_BODY = 64 << 20


# Ports of servers with TLS. Connections to them are encrypted.
TLS_PORTS: set[int] = set()
# Tokens of servers that need one, by their port. Requests to them have it.
TOKENS: dict[int, str] = {}
CERTIFICATES = Path(__file__).resolve().parent.parent / "fixtures" / "tls"


def tls_context() -> ssl.SSLContext:
    """A client of TLS that knows the authority of the tests."""
    return ssl.create_default_context(cafile=str(CERTIFICATES / "authority.pem"))


# Of the honest clients and of all others that do not attack TLS itself. It has a certificate.
TLS = tls_context()
TLS.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key")


class Ended(Exception):
    """No complete answer: the message is `closed`, `reset` or `no reply`."""


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def closes(self) -> bool:
        """Whether the server will close the connection after this answer."""
        return self.headers.get("connection", "").lower() == "close"


def request(
    method: str,
    path: str,
    port: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a request, with a correct `Host` and `Content-Length` unless given."""
    fields = {"Host": f"localhost:{port}", "Content-Length": str(len(body))}
    if port in TOKENS:
        fields["Authorization"] = f"Bearer {TOKENS[port]}"
    fields |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


class Connection:
    """One connection. Every wait ends after `timeout` seconds with `Ended("no reply")`."""

    def __init__(self, port: int, timeout: float = 10, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if port in TLS_PORTS:
            self.socket = TLS.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Sends everything, unless the server stops reading. Its answer may be there even then."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def finish_sending(self) -> None:
        # Also with TLS without the message that announces the end, as programs do that just stop.
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def fill(self) -> None:
        """Waits for more bytes."""
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError as error:
            raise Ended("no reply") from error
        except OSError as error:
            raise Ended("reset") from error
        if not data:
            raise Ended("closed")
        self.buffer += data

    def line(self) -> str:
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LONGEST_BODY:
                raise Ended("endless line")
            self.fill()
        text = self.buffer[:end].decode("latin-1").rstrip("\r")
        del self.buffer[: end + 1]
        return text

    def exactly(self, count: int) -> bytes:
        if count > LONGEST_BODY:
            raise Ended(f"answer of {count >> 20} MiB")
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def reply(self) -> Reply:
        """The next answer. Interim answers (100 Continue) are skipped."""
        while True:
            status = int(self.line().split(" ")[1])
            headers: dict[str, str] = {}
            while text := self.line():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            if status >= 200:
                return Reply(status, headers, self.body(headers))

    def body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            chunks = bytearray()
            while size := int(self.line().split(";")[0], 16):
                chunks += self.exactly(size)
                self.line()
            self.line()
            return bytes(chunks)
        return self.exactly(int(headers.get("content-length", "0")))

    def wait_until_closed(self, seconds: float) -> bool:
        """Whether the server ends the connection within this time, whatever it sends before."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                self.fill()
            except Ended as ended:
                return str(ended) != "no reply"
        return False


def exchange(
    port: int, data: bytes, timeout: float = 10, source: str = "127.0.0.1"
) -> Reply | str:
    """Sends `data` on a connection of its own. The answer, or in a word why there is none."""
    try:
        with Connection(port, timeout, source) as connection:
            connection.send(data)
            return connection.reply()
    except Ended as ended:
        return str(ended)
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "reset"


def outcome(
    port: int, data: bytes, timeout: float = 10, source: str = "127.0.0.1"
) -> int | str:
    """The status of `exchange`, or in a word why there is none."""
    reply = exchange(port, data, timeout, source)
    return reply.status if isinstance(reply, Reply) else reply
