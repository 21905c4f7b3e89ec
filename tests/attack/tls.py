"""TLS: old versions, handshakes that are never finished or very many, and wrong certificates."""

import functools
import socket
import ssl
import struct
import time

import http1
from connections import CLOSED_SECONDS, FEW_SLOTS, SHORT_TIMES, connections, live, served
from server import TLS_FLAGS
from trial import Trial, at_once, attack

HANDSHAKE, APPLICATION_DATA = 22, 23
CLIENTS = (*TLS_FLAGS, "--tls-client-ca", str(http1.CERTIFICATES / "authority.pem"))


def record(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """A record of TLS, perhaps with a length that is wrong."""
    size = len(payload) if length is None else length
    return struct.pack(">BHH", kind, 0x0301, size) + payload


def client_hello() -> bytes:
    """The first message of a correct client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = http1.TLS.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def raw(port: int, timeout: float = 5) -> socket.socket:
    """A connection without TLS of its own."""
    return socket.create_connection(("127.0.0.1", port), timeout)


def ends(client: socket.socket, seconds: float) -> bool:
    """Whether the server closes a connection within this time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        client.settimeout(left)
        try:
            if not client.recv(1 << 16):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


def handshake(port: int, context: ssl.SSLContext, data: bytes) -> str:
    """What comes of a request, in a word."""
    try:
        with context.wrap_socket(raw(port), server_hostname="localhost") as client:
            client.sendall(data)
            return client.recv(12).decode("latin-1") or "closed"
    except (OSError, ValueError):
        return "refused"


@attack(*TLS_FLAGS)
def old_versions_of_tls(trial: Trial) -> None:
    """TLS 1.0 and 1.1, ciphers without forward secrecy, without encryption or with RC4 and 3DES.

    The server must refuse all of them, on both ports, and accept TLS 1.2 and 1.3.
    """
    for port in (trial.server.http, trial.server.grpc):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = http1.tls_context()
            context.minimum_version = context.maximum_version = version
            answer = handshake(port, context, live(port))
            trial.expect(answer.startswith("HTTP/1.1"), f"{version.name} got {answer!r}")
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = http1.tls_context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            trial.expect_in(handshake(port, context, live(port)), ["refused"], version.name)
        for ciphers in ("AES128-SHA", "AES256-GCM-SHA384", "NULL-SHA256", "ADH-AES128-SHA256"):
            context = http1.tls_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
            trial.expect_in(handshake(port, context, live(port)), ["refused"], ciphers)


@attack(*TLS_FLAGS)
def plain_http_to_a_port_with_tls(trial: Trial) -> None:
    """HTTP/1, HTTP/2 and other protocols without TLS. HTTP must get 400 with the reason."""
    port = trial.server.http
    for data in (live(port), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HTTP/1.1\r\n"):
        with raw(port) as client:
            client.sendall(data)
            answer = client.recv(4096)
            is_explained = answer.startswith(b"HTTP/1.1 400") and b"https://" in answer
            trial.expect(is_explained, f"{data[:20]!r} got {answer[:60]!r}")
            trial.expect(ends(client, CLOSED_SECONDS), "the connection is open after the answer")
    for data in (b"\x80\x2e\x01\0\x02", b"\0" * 100, b"SSH-2.0-x\r\n", b"\xff" * 70_000):
        with raw(port) as client:
            client.sendall(data)
            trial.expect(ends(client, CLOSED_SECONDS), f"{data[:20]!r} keeps a connection")


@attack(*TLS_FLAGS, *SHORT_TIMES)
def records_that_are_wrong(trial: Trial) -> None:
    """Records that are too long, empty, of unknown types, cut, or one byte each.

    Each connection must be closed, by an alert or after the time limit.
    """
    port, hello = trial.server.http, client_hello()
    message = hello[5:]
    cases = [
        record(HANDSHAKE, bytes(100), 0xFFFF),
        record(HANDSHAKE, b"\x01\xff\xff\xff" + bytes(16_000)) * 8,
        record(HANDSHAKE, b"") * 10_000,
        record(99, b"x"),
        record(APPLICATION_DATA, bytes(16_384)),
        record(21, b"\x01\x00") * 10_000,
        record(20, b"\x01") * 10_000,
        hello + record(APPLICATION_DATA, bytes(64)) * 1000,
        hello + hello,
        hello[: len(hello) // 2],
        b"".join(record(HANDSHAKE, message[at : at + 1]) for at in range(len(message))),
        record(HANDSHAKE, message.replace(b"\x13\x01", b"\x5a\x5a")[:-50]),
    ]

    def run(data: bytes) -> None:
        with raw(port) as client:
            try:
                client.sendall(data)
            except OSError:
                return trial.count("closed")
            is_closed = ends(client, CLOSED_SECONDS)
            trial.count("closed" if is_closed else "open")
            trial.expect(is_closed, f"the records {data[:16].hex()} keep a connection")

    at_once([functools.partial(run, data) for data in cases * 4])


@attack(*TLS_FLAGS, *FEW_SLOTS)
def handshakes_that_are_never_finished(trial: Trial) -> None:
    """14 connections, all the slots there are, without a handshake, or with half of one.

    They must be closed after the idle time, health must be answered meanwhile, and a new client must
    get its slot.
    """
    port, hello = trial.server.http, client_hello()
    for start in (b"", hello[:3], hello[:-1], hello):
        clients = [raw(port) for _ in range(14)]
        for client in clients:
            client.sendall(start)
        trial.expect_in(trial.server.get("/v2/health/live", 3), [200], "liveness without a slot")
        closed = sum(ends(client, CLOSED_SECONDS) for client in clients)
        trial.count(f"{closed} of 14 closed")
        trial.expect(closed == 14, f"{14 - closed} handshakes are open, after {len(start)} bytes")
        trial.expect_in(served(port, 2), [200], "a picture after the idle time")


@attack(*TLS_FLAGS)
def handshakes_byte_by_byte(trial: Trial) -> None:
    """200 clients that send a byte of their handshake every 0.5 s. Others must be served."""
    with connections(trial.server.http, 1):
        clients = [raw(trial.server.http) for _ in range(200)]
        hello = client_hello()
        for byte in hello[:10]:
            for client in clients:
                client.sendall(bytes([byte]))
            time.sleep(0.5)
        trial.expect_in(served(trial.server.http, 1), [200], "a picture meanwhile")
        for client in clients:
            client.close()


@attack(*TLS_FLAGS)
def floods_of_handshakes(trial: Trial) -> None:
    """For 5 s, as many handshakes as 8 threads can make, half of them given up after a request.

    Honest clients must hardly notice.
    """
    port = trial.server.http

    def run(number: int) -> None:
        deadline = time.monotonic() + 5
        done = 0
        while time.monotonic() < deadline:
            if number % 2:
                done += http1.outcome(port, live(port), 5) == 200
            else:
                with raw(port) as client:
                    client.sendall(client_hello())
                    client.recv(100)
                    done += 1
        trial.count(f"{done // 100 * 100}+ handshakes")

    at_once([functools.partial(run, number) for number in range(8)])


@attack(*TLS_FLAGS)
def large_handshakes(trial: Trial) -> None:
    """300 unfinished handshakes of 60 KB each, held open. Memory must stay bounded."""
    message = b"\x01" + (60_000).to_bytes(3, "big") + bytes(59_000)
    parts = [message[at : at + 16_000] for at in range(0, len(message), 16_000)]
    data = b"".join(record(HANDSHAKE, part) for part in parts)
    clients = [raw(trial.server.http) for _ in range(300)]
    for client in clients:
        try:
            client.sendall(data)
        except OSError:
            trial.count("refused")
    time.sleep(1)
    trial.expect_in(served(trial.server.http, 1), [200], "a picture meanwhile")
    for client in clients:
        client.close()


@attack(*CLIENTS, is_alone=True)
def wrong_certificates_of_clients(trial: Trial) -> None:
    """No certificate, an expired one, one of an unknown authority, one of a server.

    None of them may get an answer; the right one must. (The honest clients have it.)
    """
    for port in (trial.server.http, trial.server.grpc):
        for name in (None, "expired", "stranger", "server"):
            context = http1.tls_context()
            if name:
                context.load_cert_chain(*paths(name))
            trial.expect_in(handshake(port, context, live(port)), ["refused", "closed"], f"{name}")


def paths(name: str) -> tuple[str, str]:
    folder = http1.CERTIFICATES
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")
