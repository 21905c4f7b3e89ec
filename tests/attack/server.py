"""Starts the server under attack, watches its memory, and stops it."""

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import http1

# The flags of a server with TLS.
TLS_FLAGS = (
    *("--tls-certificate", str(http1.CERTIFICATES / "server.pem")),
    *("--tls-key", str(http1.CERTIFICATES / "server.key")),
)
# In the flags of a server, its own empty folder.
FOLDER = "{folder}"

# Every server has this period of grace, so that its end can be checked.
GRACE = 2.0
SYSTEMD_RUN = ["systemd-run", "--scope", "--quiet", "-p", "MemorySwapMax=0"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class MemoryGroup:
    """A control group that limits memory: version 1 or 2 where writable, otherwise systemd's.

    Without any of them `prefix` is empty, `reason` says so, and memory is only measured.
    """

    def __init__(self, limit: int) -> None:
        self.folder: Path | None = None
        self.prefix: list[str] = []
        self.reason = ""
        for parent, limit_file in (
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ):
            folder = Path(parent) / f"attack-{os.getpid()}"
            try:
                folder.mkdir()
                (folder / limit_file).write_text(str(limit))
                self.folder = folder
                return
            except OSError:
                if folder.exists():
                    folder.rmdir()
        for user in ([], ["--user"]):
            prefix = [*SYSTEMD_RUN, *user, "-p", f"MemoryMax={limit}"]
            try:
                subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
                self.prefix = prefix
                return
            except (OSError, subprocess.SubprocessError):
                pass
        self.reason = "no control group can be made here: memory is measured and not limited"

    def close(self) -> None:
        if self.folder:
            for _ in range(50):
                try:
                    return self.folder.rmdir()
                except OSError:
                    time.sleep(0.1)  # a process in it is still ending


class Server:
    """A running `burn-digits serve`. `log` is what its standard error is:

    - `file`: a file, whose end a failure shows
    - `unread`: a pipe that is never read
    - `closed`: nothing at all
    - `full`: a device without space
    """

    def __init__(
        self,
        program: str,
        flags: tuple[str, ...] = (),
        log: str = "file",
        environment: dict[str, str] | None = None,
        max_files: int | None = None,
        group: MemoryGroup | None = None,
    ) -> None:
        self.http, self.grpc = free_port(), free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="attack-")
        self.log_path = Path(self.folder.name) / "log"
        flags = tuple(flag.replace(FOLDER, self.folder.name) for flag in flags)
        if "--tls-certificate" in flags:
            http1.TLS_PORTS.update([self.http, self.grpc])
        if "--token-file" in flags:
            tokens = Path(flags[flags.index("--token-file") + 1]).read_text()
            http1.TOKENS[self.http] = tokens.splitlines()[1].split()[-1]
        shell = []
        if max_files:
            shell.append(f"ulimit -Sn {max_files}")
        if group and group.folder:
            shell.append(f"echo $$ > {group.folder}/cgroup.procs")
        shell.append('exec "$@"' + {"closed": " 2>&-", "full": " 2>/dev/full"}.get(log, ""))
        command = [
            *("sh", "-c", "; ".join(shell), "sh", *(group.prefix if group else [])),
            *(str(Path(program).resolve()), "serve", "--model", "shipped"),
            *("--http", f"127.0.0.1:{self.http}", "--grpc", f"127.0.0.1:{self.grpc}"),
            *("--grace", f"{GRACE:.0f}s", *flags),
        ]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder.name,
            env={**os.environ, "RUST_BACKTRACE": "0", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if log == "unread" else self.log_path.open("wb"),
        )
        self.pid = self.process.pid
        self.peak_mib = 0.0
        self.watcher = threading.Thread(target=self.watch_memory, daemon=True)
        self.watcher.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.is_running():
            if self.get("/v2/health/ready", timeout=1) == 200:
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the server did not start: {self.log_end()}")

    def get(self, path: str, timeout: float = 10) -> int | str:
        """The status of a GET on a connection of its own."""
        return http1.outcome(self.http, http1.request("GET", path, self.http), timeout)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def status_mib(self, name: str) -> float:
        """A field of /proc/PID/status, such as VmRSS, in MiB. 0 once the process has ended."""
        try:
            text = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0.0
        fields = dict(line.split(":", 1) for line in text.splitlines())
        return int(fields.get(name, "0").split()[0]) / 1024

    def watch_memory(self) -> None:
        while self.process.returncode is None:
            self.peak_mib = max(self.peak_mib, self.status_mib("VmHWM"))
            time.sleep(0.02)

    def resident_mib(self) -> float:
        return self.status_mib("VmRSS")

    def cpu_seconds(self) -> float:
        """Time of all threads on a CPU so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self, limit: float = 15) -> tuple[float, int | None]:
        """SIGTERM. The seconds until the process has ended, and its exit code, None if killed."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return time.monotonic() - start, None
        return time.monotonic() - start, code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def log_end(self) -> str:
        if not self.log_path.exists():
            return "(no log)"
        text = self.log_path.read_text(errors="replace").strip()
        return " | ".join(text.splitlines()[-3:])[-500:]
