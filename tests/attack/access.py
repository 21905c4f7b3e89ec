"""Who may use the server: tokens, limits of each address, smuggled requests, and corrections."""

import collections
import contextlib
import functools
import random
import time
from pathlib import Path

import http1
import pictures
from connections import Connection, live, predict, served
from http1 import request
from server import FOLDER
from trial import Trial, at_once, attack

TOKENS = ("--token-file", str(Path(__file__).resolve().parent / "tokens"))
TOKEN = "dGhlIGF0dGFja3MnIGZpcnN0"
# The honest clients have the address 127.0.0.1.
ATTACKER = "127.0.0.2"


@attack(*TOKENS, "--log", "debug")
def guessed_tokens(trial: Trial) -> None:
    """2,000 tokens that are wrong, almost right, very long, or in several headers.

    None may be accepted, the right one must be, and the log must have none of them.
    """
    port, source = trial.server.http, random.Random(1)
    wrong = [TOKEN[:-1], TOKEN + "A", TOKEN.lower(), "", "x" * 8000, f"{TOKEN},{TOKEN}"]
    wrong += ["".join(source.choices("abcdefgh", k=24)) for _ in range(2000)]

    def run(part: list[str]) -> None:
        with Connection(port, 5) as client:
            for token in part:
                fields = {"Authorization": f"Bearer {token}"}
                client.send(request("GET", "/v2", port, headers=fields))
                trial.expect_in(client.reply().status, [401], f"the token {token[:30]!r}")

    at_once([functools.partial(run, wrong[start::5]) for start in range(5)])
    twice = f"GET /v2 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    twice += f"Authorization: Bearer {TOKEN}\r\n\r\n"
    trial.expect_in(http1.outcome(port, twice.encode()), [401], "the token in two headers")
    trial.expect_in(http1.outcome(port, request("GET", "/v2", port)), [200], "the right token")
    trial.expect(TOKEN not in trial.server.log_path.read_text(), "the log has a token")


@attack("--rate-limit", "200/s")
def more_requests_than_the_limit(trial: Trial) -> None:
    """8 connections of one address that send requests as fast as they can.

    They must get 200 or 429, the honest address must be served, and at most 400 of them in the first
    second and 200 in each one after it may be served.
    """
    port, seen = trial.server.http, collections.Counter()
    start = time.monotonic()

    def run() -> None:
        with Connection(port, 5, ATTACKER) as client:
            while time.monotonic() < start + 3:
                client.send(predict(port))
                reply = client.reply()
                seen[reply.status] += 1
                if reply.status == 429:
                    trial.expect(reply.headers.get("retry-after") == "1", "429 without Retry-After")
                if reply.closes():
                    return

    at_once([run] * 8)
    seconds = time.monotonic() - start
    for status, count in seen.items():
        trial.count(f"{status}: {count // 100 * 100}+")
        trial.expect(status in (200, 429), f"{count} answers {status}")
    limit = 200 * (seconds + 1) + 8
    trial.expect(seen[200] <= limit, f"{seen[200]} were served, more than {limit:.0f}")
    trial.expect(seen[429] > 0, "none were rejected")


@attack("--connections", "64", "--connections-per-address", "32")
def all_connections_of_one_address(trial: Trial) -> None:
    """One address opens 500 connections and sends half a request on each.

    It must have 32 at most, and clients of other addresses must be served at once.
    """
    port = trial.server.http
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(500):
            with contextlib.suppress(OSError):
                client = stack.enter_context(Connection(port, 1, ATTACKER))
                client.send(predict(port)[:-1])
                clients.append(client)
        time.sleep(0.3)
        for _ in range(20):
            trial.expect_in(http1.outcome(port, predict(port), 1), [200], "another address")
        is_open = sum(not client.wait_until_closed(0.01) for client in clients)
        trial.count(f"{is_open} of 500 open")
        trial.expect(is_open <= 32, f"{is_open} connections of one address are open")
    trial.expect_in(served(port, 2), [200], "a picture afterwards")


@attack()
def smuggled_requests(trial: Trial) -> None:
    """Requests whose end a proxy and the server could see at different places.

    Each has a second request, for /smuggled, in what one of the two takes for its body. It must be
    rejected, or its body be read as HTTP defines; the second request must never be answered.
    """
    port = trial.server.http
    inner = f"GET /smuggled HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
    post = f"POST /predict HTTP/1.1\r\nHost: localhost:{port}\r\n"
    length = f"Content-Length: {len(inner) + 5}\r\n"
    chunked = "Transfer-Encoding: chunked\r\n"
    body = "0\r\n\r\n" + inner
    ambiguous = [
        post + length + chunked + "\r\n" + body,
        post + chunked + length + "\r\n" + body,
        post + length + "Transfer-Encoding: xchunked\r\n\r\n" + body,
        post + length + "Transfer-Encoding : chunked\r\n\r\n" + body,
        post + length + "Transfer-Encoding:\x0bchunked\r\n\r\n" + body,
        post + length + " Transfer-Encoding: chunked\r\n\r\n" + body,
        post + length + "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n" + body,
        post + length + "Transfer-Encoding: chunked, identity\r\n\r\n" + body,
        post + "Content-Length: 5\r\n" + length + "\r\n" + body,
        post + "Content-Length: +5\r\n\r\n" + body,
        post + f"Content-Length: 5, {len(inner) + 5}\r\n\r\n" + body,
        post + "Content-Length: 0x5\r\n\r\n" + body,
        post + "Content-Length: 18446744073709551621\r\n\r\n" + body,
        post + chunked + "\r\n" + "-1\r\n" + inner,
        post + chunked + "\r\n" + "10000000000000005\r\n" + body,
        post + chunked + "\r\n" + "5;x=\n\r\nabcde\r\n" + body + inner,
        post + chunked + "\r\n" + "5\nabcde\n" + body,
        post.replace("HTTP/1.1", "HTTP/1.0") + chunked + "\r\n" + body,
        "GET / HTTP/1.1\rHost: a\r\n\r\n" + inner,
        "GET /\x0b HTTP/1.1\r\nX\nHost: a\r\n\r\n" + inner,
    ]
    for data in ambiguous:
        with Connection(port, 2) as client:
            client.send(data.encode("latin-1"))
            client.finish_sending()
            statuses = []
            with contextlib.suppress(http1.Ended, OSError, ValueError, IndexError):
                while True:
                    statuses.append(client.reply().status)
        trial.count("+".join(map(str, statuses)) or "closed")
        trial.expect(404 not in statuses, f"{data[60:140]!r}: the second request was answered")
    trial.expect_in(http1.outcome(port, live(port), 2), [200], "liveness afterwards")


@attack("--collect", FOLDER, "--collect-pictures", "100", "--largest-body", "1")
def too_many_corrections(trial: Trial) -> None:
    """2,000 different pictures, and names and digits that lead out of the folder.

    At most 100 files may be there in the end, each in the folder of its digit and whole.
    """
    port = trial.server.http
    picture = pictures.small_png()

    def run(number: int) -> None:
        for index in range(100):
            # Bytes after the end of a picture are ignored, and make it another file.
            body = picture + f"{number}-{index}".encode()
            data = request("POST", f"/correction?digit={index % 10}", port, body)
            trial.expect_in(http1.outcome(port, data, 5), [201, 507, 503], "a correction")

    at_once([functools.partial(run, number) for number in range(20)])
    for query in ("digit=../../x", "digit=1%2f..", "digit=-1", "digit=1&name=../x", "digit=99"):
        data = request("POST", f"/correction?{query}", port, picture)
        trial.expect_in(http1.outcome(port, data, 5), [400], query)
    attacker = {"Origin": "https://attacker.example"}
    data = request("POST", "/correction?digit=1", port, picture, attacker)
    trial.expect_in(http1.outcome(port, data, 5), [403], "a page of another site")
    folder = Path(trial.server.folder.name)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "log"]
    trial.expect(len(files) == 100, f"{len(files)} files were stored")
    for path in files:
        is_expected = path.parent.parent == folder and path.parent.name in "0123456789"
        is_whole = path.read_bytes().startswith(picture)
        trial.expect(is_expected and is_whole, f"{path.relative_to(folder)} is not a whole picture")
