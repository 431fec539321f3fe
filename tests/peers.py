"""The real programs that tests compare zseval with: found on PATH, run on loopback, ended by process id."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

__all__ = ["free_port", "program", "running", "wait_for_http"]

_PATIENCE_S = 120.0


def program(name: str) -> str:
    """The path of a program; skips the test, by name, where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (see CONTRIBUTING.md for the Debian packages)")
    return path


def free_port() -> int:
    """A TCP port of loopback that nobody listens on just now.

    It is below those the system gives to outgoing connections, one of which could take it before it is used.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no free port")


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, ready_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program from when `ready_url` answers 200 until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for_http(ready_url, process, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)


def wait_for_http(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the URL answers 200; fails with the program's log if it ends or takes too long."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:]
    pytest.fail(f"{process.args!r} did not become ready at {url}:\n{tail}")
