"""Starting: from the command to an answer at /-/ready, beside a Python that only imports what it needs."""

from __future__ import annotations

import compileall
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import zseval
from bench.peers.client import Client
from bench.peers.measure import summary
from bench.peers.reach import IMPORTS
from bench.peers.results import Case
from bench.peers.rows.context import Context
from bench.peers.servers import PROMETHEUS, ZSEVAL, free_port, python_environment

__all__ = ["measure_start"]

_IMPORTS = "import numpy, aiohttp.web, lark, yaml"
_POLL_S = 0.002


def measure_start(context: Context) -> list[Case]:
    """Wall and CPU time; each round starts all three, the best of two."""
    compileall.compile_dir(Path(zseval.__file__).parent, quiet=1)  # as an installer does
    home = context.home / "start"
    home.mkdir()
    (home / "empty.yml").write_text("global: {}\n")
    walls: dict[str, list[float]] = {ZSEVAL: [], IMPORTS: [], PROMETHEUS: []}
    spent: dict[str, list[float]] = {ZSEVAL: [], IMPORTS: [], PROMETHEUS: []}
    for number in range(context.pairs + 1):
        port = free_port()
        ours = [sys.executable, "-m", "zseval", "--config=empty.yml", f"--listen=127.0.0.1:{port}", "--plain"]
        peer_port = free_port()
        theirs = ["prometheus", "--config.file=empty.yml", f"--web.listen-address=127.0.0.1:{peer_port}"]
        runs = {
            ZSEVAL: [_until_ready(ours, home, port) for _ in range(2)],
            IMPORTS: [_until_end([sys.executable, "-c", _IMPORTS], home) for _ in range(2)],
            PROMETHEUS: [
                _until_ready([*theirs, f"--storage.tsdb.path=data-{number}-{again}"], home, peer_port)
                for again in range(2)
            ],
        }
        if number == 0:  # the first one reads the files from the disk
            continue
        for name, taken in runs.items():
            walls[name].append(min(wall for wall, _ in taken))
            spent[name].append(min(cpu for _, cpu in taken))
    case = Case("start", "s", walls, spent, _IMPORTS)
    context.say(summary(case))
    return [case]


def _until_ready(command: Sequence[str], home: object, port: int) -> tuple[float, float]:
    """Seconds until it answers, and its CPU seconds until then."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=str(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=python_environment()
    )
    try:
        while process.poll() is None:
            client = Client(f"127.0.0.1:{port}")
            try:
                if client.get("/-/ready").status == 200:
                    return time.perf_counter() - began, time.clock_gettime(~process.pid << 3 | 2)
            except OSError:
                pass
            finally:
                client.close()
            time.sleep(_POLL_S)
        raise RuntimeError(f"{command} ended with {process.returncode} before it was ready")
    finally:
        process.terminate()
        process.wait(30)


def _until_end(command: Sequence[str], home: object) -> tuple[float, float]:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, cwd=str(home), check=True, env=python_environment())
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
