"""Processes under measurement: started, waited for, looked at, and ended. Linux only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

__all__ = ["cpu_seconds", "free_port", "rss_mib", "running", "wait_ready"]

_CPUCLOCK_SCHED = 2  # the kernel's number of the clock that counts a process' time exactly


@contextmanager
def running(command: Sequence[str], folder: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process, from here to the end of the block."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def wait_ready(address: str, seconds: float = 30.0) -> None:
    """Until `/-/ready` says so. Raises TimeoutError where it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urlopen(f"http://{address}/-/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.01)
    raise TimeoutError(f"{address} is not ready after {seconds} s")


def rss_mib(pid: int) -> float:
    """Resident memory, shared libraries in full."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads so far, to the microsecond."""
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
