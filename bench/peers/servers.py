"""The servers of a run: each a child on a free port of loopback, ended by its process id.

CPU time and memory are the kernel's account of the process, all its threads included. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.client import Client

__all__ = [
    "PROMETHEUS",
    "VICTORIA",
    "ZSEVAL",
    "Server",
    "child",
    "cpu_seconds",
    "free_port",
    "peak_mib",
    "prometheus",
    "python_environment",
    "rss_mib",
    "versions",
    "victoria",
    "zseval",
]

ZSEVAL, PROMETHEUS, VICTORIA = "zseval", "prometheus", "victoriametrics"
_PATIENCE_S = 120.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Server:
    """A server that runs. processes: its own, and those that belong to it (vmagent, vmalert)."""

    name: str
    address: str
    processes: list[int]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.address)

    def cpu_seconds(self) -> float:
        """CPU time so far, of all its processes."""
        return sum(map(cpu_seconds, self.processes))

    def rss_mib(self) -> float:
        return sum(map(rss_mib, self.processes))


@contextlib.contextmanager
def zseval(
    home: Path, arguments: Sequence[str] = (), *, config: str = "global: {}\n", launcher: Sequence[str] = ()
) -> Iterator[Server]:
    """zseval of this checkout. launcher: modules to run in place of `zseval`, with their own arguments."""
    file = _config(home / "zseval", config)
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", *(launcher or ["zseval"]), f"--config={file}", f"--listen={address}"]
    command += ["--plain", "--log.level=warn", "--web.enable-lifecycle", *arguments]
    with child(command, file.parent, f"{address}/-/ready") as process:
        yield Server(ZSEVAL, address, [process])


@contextlib.contextmanager
def prometheus(
    home: Path, arguments: Sequence[str] = (), *, config: str = "global: {}\n"
) -> Iterator[Server]:
    file = _config(home / "prometheus", config)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={file.parent / 'data'}",
        "--storage.tsdb.retention.time=15d", f"--web.listen-address={address}", "--log.level=warn",
        "--web.enable-remote-write-receiver", "--web.enable-lifecycle", *arguments,
    ]  # fmt: skip
    with child(command, file.parent, f"{address}/-/ready") as process:
        yield Server(PROMETHEUS, address, [process])


@contextlib.contextmanager
def victoria(home: Path, arguments: Sequence[str] = ()) -> Iterator[Server]:
    folder = home / "victoria"
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "victoria-metrics", f"-storageDataPath={folder / 'data'}", "-retentionPeriod=1y",
        f"-httpListenAddr={address}", "-search.disableCache", "-search.latencyOffset=0s",
        "-search.maxUniqueTimeseries=1000000", "-loggerLevel=ERROR", *arguments,
    ]  # fmt: skip
    with child(command, folder, f"{address}/health") as process:
        yield Server(VICTORIA, address, [process])


@contextlib.contextmanager
def child(command: Sequence[str], folder: Path, ready: str = "") -> Iterator[int]:
    """A process, by its id, from when `ready` (host:port/path) answers 200 until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=python_environment()
        )
    try:
        if ready:
            _wait(process, ready, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def python_environment() -> dict[str, str]:
    """This environment, in which Python finds the checkout first."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": f"{_ROOT}:{path}" if path else str(_ROOT)}


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, to the nanosecond: its CPU clock (clock_getcpuclockid)."""
    return time.clock_gettime(~pid << 3 | 2)


def rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def versions() -> dict[str, str]:
    """What runs, by name; a program that is missing is said to be so, before anything is measured."""
    import aiohttp
    import numpy

    from zseval import __version__

    found = {ZSEVAL: f"{__version__} ({_commit()})", "python": sys.version.split()[0]}
    found |= {"numpy": numpy.__version__, "aiohttp": aiohttp.__version__}
    for name, program, package in (
        (PROMETHEUS, "prometheus", "prometheus"),
        (VICTORIA, "victoria-metrics", "victoria-metrics"),
    ):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed (apt-get install {package})")
        found[name] = _package_version(package)
    return found


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no git"


def _package_version(package: str) -> str:
    if shutil.which("dpkg-query") is None:
        return "unknown"
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _config(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yml"
    file.write_text(text)
    return file


def _wait(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    address, _, path = ready.partition("/")
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        client = Client(address)
        try:
            if client.get(f"/{path}").status == 200:
                return
        except OSError:
            time.sleep(0.02)
        finally:
            client.close()
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args!r} is not ready at {ready}:\n{tail}")
