"""Scraping: CPU time per million samples, with the three of them scraping the same pages at the same time."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.peers.client import Client
from bench.peers.measure import summary
from bench.peers.page_server import addresses
from bench.peers.results import Case
from bench.peers.rows.context import Context
from bench.peers.servers import (
    PROMETHEUS,
    VICTORIA,
    ZSEVAL,
    Server,
    child,
    free_port,
    prometheus,
    victoria,
    zseval,
)

__all__ = ["Shape", "measure_scrape", "page_server", "scrape_config", "sent"]

_AGENTS = {"Prometheus": PROMETHEUS, "vm_promscrape": VICTORIA, "zseval": ZSEVAL}
_WINDOW_S, _QUICK_S = 10.0, 5.0
_WARM_S = 8.0


@dataclass(frozen=True, slots=True)
class Shape:
    """So many targets of so many samples, each scraped every `interval_s`."""

    targets: int
    lines: int
    is_packed: bool
    interval_s: int = 1
    churn: float = 0.0

    @property
    def name(self) -> str:
        words = f"{self.targets} x {self.lines:,}, {'gzip' if self.is_packed else 'plain'}"
        return f"{words}, {self.churn:.0%} other series each time" if self.churn else words


_SHAPES = [
    Shape(targets, lines, is_packed, interval_s)
    for targets, lines, interval_s in ((1, 1_000, 1), (10, 1_000, 1), (100, 1_000, 5), (1, 10_000, 1))
    for is_packed in (False, True)
]
_SHAPES += [Shape(500, 20, is_packed=False, interval_s=5), Shape(10, 1_000, is_packed=False, churn=0.2)]


def measure_scrape(context: Context) -> list[Case]:
    return [_shape(context, shape) for shape in _SHAPES]


def _shape(context: Context, shape: Shape) -> Case:
    home = context.home / f"scrape-{shape.targets}-{shape.lines}-{shape.is_packed}-{shape.churn}"
    window = max(_QUICK_S if context.quick else _WINDOW_S, 2.0 * shape.interval_s)
    with page_server(home, shape) as address, scrapers(home, shape, address) as servers:
        time.sleep(_WARM_S + 2 * shape.interval_s)
        _check(servers, shape)
        figures: dict[str, list[float]] = {server.name: [] for server in servers}
        for _ in range(context.pairs):
            before = sent(address), {server.name: server.cpu_seconds() for server in servers}
            time.sleep(window)
            after = sent(address)
            for server in servers:
                samples = (after[server.name] - before[0][server.name]) * shape.lines
                spent = server.cpu_seconds() - before[1][server.name]
                figures[server.name].append(spent / samples * 1e6)
        note = ", ".join(f"{server.name} {server.rss_mib():.0f} MiB" for server in servers)
    case = Case(shape.name, "s", figures, note=f"resident at the end: {note}")
    context.say(f"{summary(case)}  ({note})")
    return case


@contextlib.contextmanager
def page_server(home: Path, shape: Shape) -> Iterator[str]:
    """The address of its first target."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable, "-m", "bench.peers.page_server", "--port", address.partition(":")[2],
        "--hosts", str(shape.targets), "--lines", str(shape.lines), "--churn", str(shape.churn),
        *(["--gzip"] if shape.is_packed else []),
    ]  # fmt: skip
    with child(command, home / "pages", f"{address}/stats"):
        yield address


@contextlib.contextmanager
def scrapers(home: Path, shape: Shape, address: str) -> Iterator[list[Server]]:
    """Prometheus, vmagent with VictoriaMetrics, and zseval, all of which scrape."""
    config = scrape_config(shape, address)
    with (
        prometheus(home, config=config) as peer,
        victoria(home) as storage,
        zseval(home, config=config) as ours,
    ):
        agent = f"127.0.0.1:{free_port()}"
        command = [
            "vmagent", f"-promscrape.config={home / 'prometheus' / 'config.yml'}", "-loggerLevel=ERROR",
            f"-remoteWrite.url=http://{storage.address}/api/v1/write", f"-httpListenAddr={agent}",
            f"-remoteWrite.tmpDataPath={home / 'vmagent' / 'data'}",
        ]  # fmt: skip
        with child(command, home / "vmagent", f"{agent}/health") as process:
            storage.processes.append(process)
            yield [ours, peer, storage]


def scrape_config(shape: Shape, address: str) -> str:
    port = address.partition(":")[2]
    targets = [f"{host}:{port}" for host in addresses(shape.targets)]
    return (
        f"global: {{scrape_interval: {shape.interval_s}s, scrape_timeout: {shape.interval_s}s}}\n"
        f"scrape_configs: [{{job_name: pages, static_configs: [{{targets: {json.dumps(targets)}}}]}}]\n"
    )


def sent(address: str) -> dict[str, int]:
    """Pages sent to each server so far."""
    client = Client(address)
    try:
        counted: dict[str, int] = json.loads(client.get("/stats").body)
    finally:
        client.close()
    return {name: counted.get(agent, 0) for agent, name in _AGENTS.items()}


def _check(servers: list[Server], shape: Shape) -> None:
    """Every sample of a page has arrived in every server."""
    wanted = shape.targets * shape.lines
    for server in servers:
        deadline = time.monotonic() + 30
        while (found := _count(server)) < wanted:  # more where series come and go
            if time.monotonic() > deadline:
                raise RuntimeError(f"{server.name} holds {found} of {wanted} series")
            time.sleep(1)


def _count(server: Server) -> int:
    query = 'count(last_over_time({job="pages",handler!=""}[2m]))'  # a scrape may be late on a busy machine
    answer = server.client.get("/api/v1/query", query=query)
    result = answer.data()["result"]
    return int(result[0]["value"][1]) if result else 0
