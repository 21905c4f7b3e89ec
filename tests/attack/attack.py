"""Attacks a server of its own in every way that tests/attack/README.md lists.

    python3 tests/attack/attack.py --program target/release/burn-digits

Prints a table, then a sentence for each thing that went wrong. Exit code 1 if there is one.
"""

import argparse
import concurrent.futures
import random
import re
import sys
import threading
import time
import traceback

# All of them add attacks to the table, in this order.
import access  # noqa: F401
import amplification  # noqa: F401
import connections
import decoding  # noqa: F401
import http2_abuse  # noqa: F401
import operation  # noqa: F401
import shutdown
import tls  # noqa: F401
from measure import HonestClients
from server import TLS_FLAGS, MemoryGroup, Server
from trial import ATTACKS, Attack, Trial

ATTACK_SECONDS = 90
# How many times longer a step may take in the endurance part, where two attacks run at once.
ENDURANCE_PATIENCE = 3
ROW = "{:<44} {:>6} {:>5} {:>7} {:>7} {:>6}  {}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default="target/release/burn-digits")
    parser.add_argument("--only", metavar="REGEX", help="only attacks whose name matches")
    parser.add_argument("--list", action="store_true", help="describe all attacks and exit")
    parser.add_argument("--tls", action="store_true", help="all servers use TLS")
    parser.add_argument("--seconds", type=float, default=30, help="length of the endurance part")
    parser.add_argument("--minutes", type=float, default=0, help="the same in minutes")
    parser.add_argument("--shutdowns", type=int, help="only stop the server under load, N times")
    parser.add_argument(
        "--limit-memory", metavar="SIZE", type=size, help="run in a control group, as 512M"
    )
    parser.add_argument("--max-memory", type=float, default=400, help="largest peak in MiB")
    parser.add_argument(
        "--p99", type=float, default=500, help="largest p99 of honest clients in ms"
    )
    return parser.parse_args()


def size(text: str) -> int:
    """A number of bytes from a text such as 512M."""
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:], 0)
    return int(text[:-1] if shift else text) << shift


class Report:
    """Prints the table and keeps the failures."""

    def __init__(self, options: argparse.Namespace, group: MemoryGroup | None) -> None:
        self.options, self.group = options, group
        self.failures: list[str] = []
        print(ROW.format("attack", "", "s", "MiB", "p99 ms", "stop s", "answers"), flush=True)

    def judge(self, name: str, trial: Trial, may_repeat: bool = False) -> bool:
        """Adds what every trial must fulfil, and prints its row.

        False if only latencies were too long and the attack may be repeated: another program on
        the machine can be the reason.
        """
        peak, p99, must_repeat = trial.server.peak_mib, 0.0, False
        limit = self.options.max_memory
        trial.expect(peak <= limit, f"the server took {peak:.0f} MiB, more than {limit:.0f}")
        for client, seen in trial.honest.finish().items():
            p99 = max(p99, seen["p99"])
            told = f"{seen['failures']} in {seen['requests']} requests"
            trial.expect(not seen["failures"], f"the honest client of {client} saw {told}")
            slow = f"p99 of the honest client of {client} was {seen['p99']:.0f} ms"
            is_slow = seen["p99"] > self.options.p99
            trial.expect(not is_slow or (may_repeat and not trial.failures), slow)
            must_repeat |= is_slow and not trial.failures
        answers = ", ".join(f"{answer} ×{n}" for answer, n in sorted(trial.replies.items()))
        if must_repeat and not trial.failures:
            return False
        failed = [*dict.fromkeys(trial.failures)]
        self.row(name, failed, answers, trial.seconds(), peak, p99, trial.stop_seconds)
        return True

    def row(
        self,
        name: str,
        failed: list[str],
        answers: str = "",
        seconds: float = 0,
        peak: float = 0,
        p99: float = 0,
        stop: float | None = None,
    ) -> None:
        result = "FAILED" if failed else "ok"
        shown = f"{p99:.1f}" if p99 else "", f"{stop:.1f}" if stop is not None else ""
        print(
            ROW.format(name, result, f"{seconds:.1f}", f"{peak:.0f}", *shown, answers), flush=True
        )
        told = failed[:5] + ([f"and {len(failed) - 5} more failures"] if len(failed) > 5 else [])
        self.failures += [f"{name}: {sentence}" for sentence in told]


def in_time(attack: Attack, trial: Trial) -> None:
    """Runs the attack. An error or a hang of it is a failure."""

    def run() -> None:
        try:
            attack.run(trial)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rsplit('/')[-1]}:{place.lineno}"
            trial.failures.append(f"the attack ended early at {where}: {error!r}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ATTACK_SECONDS)
    trial.expect(not thread.is_alive(), f"the attack was not over after {ATTACK_SECONDS} s")


def still_serves(trial: Trial) -> None:
    """The process must be there, and serve a new client."""
    server = trial.server
    code = server.process.poll()
    trial.expect(code is None, f"the server has ended with code {code}: {server.log_end()}")
    if code is None:
        answer = connections.served(server.http, 3)
        trial.expect(answer == 200, f"a new client after the attack: {answer}")
        trial.expect(server.get("/metrics") == 200, "/metrics does not answer after the attack")


def encryption(options: argparse.Namespace, attack: Attack | None = None) -> tuple[str, ...]:
    """The flags that every server has with `--tls`, unless it has them anyway."""
    has_them = attack is not None and "--tls-certificate" in attack.flags
    return TLS_FLAGS if options.tls and not has_them else ()


def run_alone(attack: Attack, report: Report, may_repeat: bool = True) -> None:
    """One attack on a server of its own. It is repeated once if honest clients were slow."""
    options = report.options
    try:
        server = Server(
            options.program,
            attack.flags + encryption(options, attack),
            attack.log,
            attack.environment,
            attack.max_files,
            report.group,
        )
    except RuntimeError as error:
        return report.row(attack.name, [str(error)])
    trial = Trial(server, HonestClients(server.http))
    try:
        time.sleep(0.2)
        in_time(attack, trial)
        if trial.stop_seconds is None:
            still_serves(trial)
            trial.stop()
        is_judged = report.judge(attack.name, trial, may_repeat)
    finally:
        server.kill()
    if not is_judged:
        run_alone(attack, report, may_repeat=False)


def endure(attacks: list[Attack], seconds: float, report: Report) -> None:
    """All attacks that can share a server, two at once in random order, for so many seconds."""
    server = Server(report.options.program, encryption(report.options), group=report.group)
    trial = Trial(server, HonestClients(server.http), patience=ENDURANCE_PATIENCE)
    deadline = time.monotonic() + seconds
    files_before, memory = server.open_files(), []

    def attacker(seed: int) -> None:
        source = random.Random(seed)
        while time.monotonic() < deadline and server.is_running():
            attack = source.choice(attacks)
            part = Trial(server, trial.honest, patience=trial.patience)
            in_time(attack, part)
            trial.replies[attack.name] += 1
            trial.failures += [f"{attack.name}: {sentence}" for sentence in part.failures]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(attacker, seed) for seed in (1, 2)]
        while not all(future.done() for future in running):
            concurrent.futures.wait(running, seconds / 10)
            memory.append(server.resident_mib())
    try:
        still_serves(trial)
        if server.is_running():
            time.sleep(1)
            left = server.open_files() - files_before
            trial.expect(left <= 8, f"{left} more files are open than at the start")
        trial.stop()
        report.judge(f"endurance, {seconds:.0f} s", trial)
    finally:
        server.kill()
    print("resident memory over time, MiB:", *(f"{mib:.0f}" for mib in memory), flush=True)


def stop_under_load(count: int, report: Report) -> None:
    start = time.monotonic()
    seen = shutdown.run(report.options.program, count, report.group)
    seconds = time.monotonic() - start
    answers = f"answered ×{seen.answered}, lost ×{seen.lost.total()}"
    slowest = max(seen.seconds, default=0)
    name = f"{count} shutdowns under load"
    report.row(name, seen.failures(), answers, seconds, seen.peak_mib, stop=slowest)


def main() -> int:
    options, start = arguments(), time.monotonic()
    attacks = [a for a in ATTACKS if not options.only or re.search(options.only, a.name)]
    if options.list:
        for attack in attacks:
            print(f"{attack.name}\n    {attack.run.__doc__}")
        return 0
    group = MemoryGroup(options.limit_memory) if options.limit_memory else None
    if group and group.reason:
        print(group.reason)
    report = Report(options, group)
    try:
        if options.shutdowns is None:
            for attack in attacks:
                run_alone(attack, report)
            shared = [attack for attack in attacks if attack.is_for_any_server()]
            if (seconds := options.minutes * 60 or options.seconds) and shared:
                endure(shared, seconds, report)
        if not options.only:
            stop_under_load(options.shutdowns or 5, report)
    finally:
        if group:
            group.close()
    print()
    for failure in report.failures:
        print(f"FAILED {failure}")
    seconds = time.monotonic() - start
    result = f"{len(report.failures)} failures" if report.failures else "All attacks were withstood"
    print(f"{result}, {seconds:.0f} s.")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
