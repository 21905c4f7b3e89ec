"""What an attack gets and reports to, and the list of all attacks."""

import collections
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from measure import HonestClients
from server import GRACE, Server

# Beyond the period of grace, for the end of the process.
STOP_MARGIN = 0.5
# Answers that reject a request: by its content, its size, its number, or for now.
REJECTED = (400, 408, 413, 414, 415, 422, 429, 431, 503)
# The same over gRPC: invalid argument, deadline exceeded, resource exhausted, out of range,
# unimplemented, unavailable.
REJECTED_GRPC = ("grpc 3", "grpc 4", "grpc 8", "grpc 11", "grpc 12", "grpc 14")


@dataclass
class Attack:
    """An attack, and the server that it is for."""

    run: "Callable[[Trial], None]"
    flags: tuple[str, ...] = ()
    log: str = "file"
    environment: dict[str, str] | None = None
    max_files: int | None = None
    # Whether it stops the server, or measures something that other attacks would disturb.
    is_alone: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__

    def is_for_any_server(self) -> bool:
        """Whether it can run on a server that other attacks share."""
        is_special = self.flags or self.environment or self.max_files or self.log != "file"
        return not (is_special or self.is_alone)


ATTACKS: list[Attack] = []


def attack(*flags: str, **options: object) -> "Callable[[Callable], Callable]":
    """Adds a function to the list of attacks, with flags of its server and fields of `Attack`."""

    def add(run: "Callable[[Trial], None]") -> "Callable[[Trial], None]":
        ATTACKS.append(Attack(run, flags, **options))  # type: ignore[arg-type]
        return run

    return add


@dataclass
class Trial:
    """One attack on one server."""

    server: Server
    honest: HonestClients
    replies: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    stop_seconds: float | None = None
    # How many times longer a step may take, because other attacks run at the same time.
    patience: float = 1
    start: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        return time.monotonic() - self.start

    def expect(self, holds: bool, sentence: str) -> None:
        """Notes a failure unless the condition holds."""
        if not holds:
            self.failures.append(sentence)

    def count(self, outcome: object) -> None:
        self.replies[str(outcome)] += 1

    def expect_in(self, outcome: object, allowed: Iterable[object], what: str) -> None:
        """Counts an outcome and notes a failure unless it is one of the allowed ones."""
        self.count(outcome)
        allowed = list(allowed)
        expected = ", ".join(map(str, allowed))
        for rejections in (REJECTED, REJECTED_GRPC):
            expected = expected.replace(", ".join(map(str, rejections)), "a rejection")
        self.expect(outcome in allowed, f"{what}: {outcome}; expected {expected}")

    def stop(self, seconds: float = GRACE) -> None:
        """SIGTERM, which must end the server within `seconds` and half a second more."""
        if self.stop_seconds is not None:
            return
        self.honest.finish()
        self.stop_seconds, code = self.server.stop()
        limit = seconds + STOP_MARGIN
        ended = f"the server took {self.stop_seconds:.1f} s to end after SIGTERM"
        self.expect(self.stop_seconds <= limit, f"{ended}, expected at most {limit:.1f} s")
        self.expect(code == 0, f"the exit code after SIGTERM was {code}")


class Timer:
    """Measures a step that must be quick."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.start


def at_once(jobs: list[Callable[[], None]]) -> None:
    """Runs all jobs, each in a thread, to the end."""
    errors: list[Exception] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
