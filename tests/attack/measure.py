"""Two honest clients, which must hardly notice an attack on their server.

    python measure.py HTTP_PORT [tls] [TOKEN]

The first sends a small picture to /predict every 20 ms, the second asks for readiness as often,
each on its own connection that it keeps. They run in a process of their own, so that the work of
the attackers does not delay them, until their standard input ends. Then they print latencies in
milliseconds and failures as JSON.
"""

import collections
import json
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import http1
import pictures

INTERVAL = 0.02
TIMEOUT = 5.0


@dataclass
class Latencies:
    """What one client saw."""

    milliseconds: list[float] = field(default_factory=list)
    failures: collections.Counter[str] = field(default_factory=collections.Counter)

    def summary(self) -> dict[str, object]:
        values = sorted(self.milliseconds) or [0.0]
        return {
            "requests": len(self.milliseconds) + self.failures.total(),
            "median": round(statistics.median(values), 2),
            "p99": round(values[min(len(values) * 99 // 100, len(values) - 1)], 2),
            "max": round(values[-1], 2),
            "failures": dict(self.failures),
        }


def client(port: int, request: bytes, stop: threading.Event, seen: Latencies) -> None:
    connection = None
    while not stop.is_set():
        start = time.monotonic()
        try:
            if connection is None:
                connection = http1.Connection(port, TIMEOUT)
            connection.send(request)
            reply = connection.reply()
            seen.milliseconds.append((time.monotonic() - start) * 1e3)
            if reply.status != 200:
                seen.failures[f"status {reply.status}"] += 1
            if reply.closes():
                connection.close()
                connection = None
        except (http1.Ended, OSError) as error:
            seen.failures[str(error)] += 1
            if connection:
                connection.close()
            connection = None
        stop.wait(max(INTERVAL - (time.monotonic() - start), 0))


def main() -> None:
    port = int(sys.argv[1])
    for setting in sys.argv[2:]:
        if setting == "tls":
            http1.TLS_PORTS.add(port)
        else:
            http1.TOKENS[port] = setting
    requests = {
        "predict": http1.request("POST", "/predict", port, pictures.small_png()),
        "ready": http1.request("GET", "/v2/health/ready", port),
    }
    stop, seen = threading.Event(), {name: Latencies() for name in requests}
    threads = [
        threading.Thread(target=client, args=(port, request, stop, seen[name]))
        for name, request in requests.items()
    ]
    for thread in threads:
        thread.start()
    # An attack may take all connections. Those of honest clients are open before it starts.
    while not all(latencies.milliseconds or latencies.failures for latencies in seen.values()):
        time.sleep(0.01)
    print("started", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({name: latencies.summary() for name, latencies in seen.items()}))


class HonestClients:
    """The two clients, in their own process, from now until `finish`."""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, str(Path(__file__).resolve()), str(port)),
                *["tls"] * (port in http1.TLS_PORTS),
                *filter(None, [http1.TOKENS.get(port)]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.process.stdout.readline()
        self.result: dict[str, dict] = {}

    def finish(self) -> dict[str, dict]:
        """Ends them. What each of them saw, by its name."""
        if not self.result:
            output, _ = self.process.communicate("", timeout=60)
            self.result = json.loads(output)
        return self.result


if __name__ == "__main__":
    main()
