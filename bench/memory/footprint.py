"""What zseval takes of a small machine: time to start, resident memory, processor time.

    python -m bench.memory.footprint [--minutes 5]

It measures the zseval installed beside the Python that runs it, and Prometheus where there is one on PATH.
Resident memory counts shared libraries in full (RSS), as `ps` and container limits do. Linux only.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import zseval
from bench.processes import cpu_seconds, rss_mib, running, wait_ready

ZSEVAL = [sys.executable, "-m", "zseval"]
ALERTS = Path(zseval.__file__).with_name("zerostate") / "alerts.yml"
# The kernel's own account of the process: ru_maxrss would be that of the process it was forked from.
WITH_PEAK = """\
import re, sys
from zseval.cli.main import main
code = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(code)
"""
METRICS = 'up{job="a"} 1\nup{job="b"} 0\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the nodes run")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "metrics.txt").write_text(METRICS)
        commands(folder)
        servers(folder, minutes)


def commands(folder: Path) -> None:
    """Wall time (the best of five) and peak resident memory of commands that end by themselves."""
    for arguments in (
        ["--version"],
        ["check", "rules", str(ALERTS)],
        ["query", "up", "--file", "metrics.txt"],
    ):
        runs = [_run(arguments, folder) for _ in range(5)]
        words = " ".join(Path(word).name for word in arguments)
        print(f"zseval {words:<32} {min(runs)[0]:6.2f} s {max(run[1] for run in runs):6.0f} MiB peak")


def _run(arguments: Sequence[str], folder: Path) -> tuple[float, float]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WITH_PEAK, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, int(done.stderr.split()[-1]) / 1024


def servers(folder: Path, minutes: float) -> None:
    """A node with nothing to do, and nodes that scrape the simulated network every 15 seconds."""
    first = _free_ports(1)[0]
    with running([*ZSEVAL, "simulate", "--listen", f"127.0.0.1:{first}"]):
        targets = [f"127.0.0.1:{first + offset}" for offset in range(4)]
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 15s, evaluation_interval: 15s}\n"
            f"rule_files: [{ALERTS}]\n"
            f"scrape_configs: [{{job_name: node, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        (folder / "idle.yml").write_text("global: {}\n")
        listen = [f"127.0.0.1:{port}" for port in _free_ports(3)]
        cases = {
            "zseval, idle": [*ZSEVAL, "--config", "idle.yml", "--listen", listen[0]],
            "zseval, 4 targets, 25 rules": [*ZSEVAL, "--config", str(config), "--listen", listen[1]],
        }
        prometheus = shutil.which("prometheus")
        if prometheus:
            cases["prometheus, 4 targets, 25 rules"] = [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={listen[2]}",
                "--log.level=error",
            ]
        for (name, command), address in zip(cases.items(), listen, strict=False):
            _server(name, command, address, folder, minutes)


def _server(name: str, command: Sequence[str], address: str, folder: Path, minutes: float) -> None:
    began = time.perf_counter()
    with running(command, folder) as process:
        wait_ready(address)
        ready = time.perf_counter() - began
        time.sleep(5)  # what is done once at the start is not what a minute costs
        before = cpu_seconds(process.pid)
        time.sleep(minutes * 60)
        cpu = (cpu_seconds(process.pid) - before) / (minutes * 60)
        print(f"{name:<32} ready {ready:5.2f} s {rss_mib(process.pid):6.0f} MiB {cpu:8.2%} of one processor")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    main()
