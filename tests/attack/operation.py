"""The process: its log, its environment, its limits, and the `Host` of requests."""

import contextlib
import functools
import time

import http1
import http2
import pictures
from connections import Connection, live, predict
from http1 import request
from trial import Timer, Trial, at_once, attack

DEBUG = ("--log", "debug")


def many_log_lines(trial: Trial) -> None:
    """300 requests whose log lines have 3 KB each, then some that must still be answered."""
    port = trial.server.http
    path = "/" + "a" * 3000
    with contextlib.suppress(http1.Ended, OSError), Connection(port, 2) as client:
        for _ in range(300):
            client.send(request("GET", path, port))
            client.reply()
    for _ in range(3):
        trial.expect_in(http1.outcome(port, live(port), 1), [200], "a request with a stuck log")
        trial.expect_in(http1.outcome(port, predict(port), 1), [200], "a request with a stuck log")
    trial.stop()


@attack(*DEBUG, log="unread")
def log_that_nobody_reads(trial: Trial) -> None:
    """Standard error is a pipe that nobody reads, and 900 KB of log.

    The server must drop lines and keep answering, and SIGTERM must end it. An old one stopped.
    """
    many_log_lines(trial)


@attack(*DEBUG, log="full")
def log_on_a_full_device(trial: Trial) -> None:
    """Standard error is /dev/full, where each write fails. The server must keep answering."""
    many_log_lines(trial)


@attack(*DEBUG, log="closed")
def log_that_is_closed(trial: Trial) -> None:
    """Standard error is closed. The server must keep answering.

    Nothing that it opens later may take the number 2 either, or the log would be written to it.
    """
    many_log_lines(trial)


@attack("--memory", "64", "--largest-body", "4")
def little_memory(trial: Trial) -> None:
    """`--memory 64`, and 60 bodies of 3 MiB at once, half of them never completed.

    The process must not grow by more than 64 MiB and some for connections, and small bodies must be
    accepted. An old server had no such limit.
    """
    port, before = trial.server.http, trial.server.resident_mib()
    body = bytes(3 << 20)

    def send(number: int) -> None:
        length = len(body) + number % 2
        headers = {"Content-Length": str(length)}
        data = request("POST", "/predict", port, body, headers)
        trial.count(http1.outcome(port, data, 2))

    at_once([functools.partial(send, number) for number in range(60)])
    trial.expect_in(http1.outcome(port, predict(port), 2), [200], "a small body")
    growth = trial.server.peak_mib - before
    trial.expect(growth < 96, f"the server grew by {growth:.0f} MiB with --memory 64")


@attack(environment={"TOKIO_WORKER_THREADS": "0"})
def no_worker_threads(trial: Trial) -> None:
    """TOKIO_WORKER_THREADS is 0. The server must serve. An old one panicked at its start."""
    port = trial.server.http
    trial.expect_in(http1.outcome(port, predict(port)), [200], "a picture")


@attack(environment={"TOKIO_WORKER_THREADS": "many", "RUST_LOG": "=,="})
def odd_environment(trial: Trial) -> None:
    """Variables with values that are not valid. The server must serve. An old one panicked."""
    port = trial.server.http
    trial.expect_in(http1.outcome(port, predict(port)), [200], "a picture")


@attack(max_files=64)
def few_open_files(trial: Trial) -> None:
    """`ulimit -Sn 64`, a higher hard limit, and 200 connections.

    The server must raise its limit, or keep serving the first connections, without a busy loop. An
    old one waited for files and could not accept.
    """
    port = trial.server.http
    with contextlib.ExitStack() as stack:
        served, timer = 0, Timer()
        for _ in range(200):
            if timer.seconds() < 5:
                with contextlib.suppress(http1.Ended, OSError):
                    client = stack.enter_context(Connection(port, 1))
                    client.send(live(port))
                    served += client.reply().status == 200
        trial.count(f"{served} of 200 served")
        trial.expect(served == 200, f"{served} of 200 connections were served; ulimit -Sn is 64")
        before = trial.server.cpu_seconds()
        time.sleep(1)
        used = trial.server.cpu_seconds() - before
        trial.expect(used < 0.6, f"the server used {used:.1f} s of a CPU in a second without work")


def host_outcomes(trial: Trial, hosts: dict[str, list[int]], port: int) -> None:
    for host, allowed in hosts.items():
        for path in ("/v2/health/live", "/metrics", "/"):
            data = request("GET", path, port, headers={"Host": host})
            trial.expect_in(http1.outcome(port, data, 2), allowed, f"Host: {host}, {path}")
        data = predict(port, {"Host": host})
        trial.expect_in(http1.outcome(port, data, 2), allowed, f"Host: {host}")
        fields = {":authority": host}
        stream = http2.exchange(port, "POST", "/predict", pictures.small_png(), fields, 2)
        outcome = stream if isinstance(stream, str) else stream.outcome()
        # An :authority that is not one breaks the rules of HTTP/2.
        resets = ["stream reset"] if 400 in allowed else []
        trial.expect_in(outcome, [*allowed, *resets], f":authority {host}")


@attack()
def names_of_other_hosts(trial: Trial) -> None:
    """`Host` and `:authority` of an attacker's name that resolves to 127.0.0.1 (DNS rebinding).

    A server on a loopback address must answer 403 with a reason, and serve the names of loopback.
    An old one served every name, so that a web page could read it.
    """
    port = trial.server.http
    good = [f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "localhost", "LOCALHOST"]
    bad = ["attacker.example", f"attacker.example:{port}", f"localhost.attacker.example:{port}"]
    bad += [f"localhost@attacker.example:{port}", f"attacker.example:{port}#localhost"]
    host_outcomes(trial, {**dict.fromkeys(good, [200]), **dict.fromkeys(bad, [403, 400])}, port)
    data = request("GET", "/", port, headers={"Host": "attacker.example"})
    reply = http1.exchange(port, data)
    is_explained = isinstance(reply, http1.Reply) and b'"error"' in reply.body
    trial.expect(is_explained, "the answer to a wrong Host has no reason")
    old = b"GET /v2/health/live HTTP/1.0\r\n\r\n"
    trial.expect_in(http1.outcome(port, old, 2), [200], "HTTP/1.0 without Host")
    twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: attacker.example\r\n\r\n"
    trial.expect_in(http1.outcome(port, twice, 2), [403, 400], "two Hosts")


@attack("--allow-host", "digits.example")
def names_of_allowed_hosts(trial: Trial) -> None:
    """The same with `--allow-host digits.example`, which lets that name in and no other."""
    hosts = {
        "digits.example": [200],
        f"digits.example:{trial.server.http}": [200],
        "attacker.example": [403, 400],
        "digits.example.attacker.example": [403, 400],
    }
    host_outcomes(trial, hosts, trial.server.http)
