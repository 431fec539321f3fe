"""What samples take: resident memory with an hour held, and bytes a sample in sealed blocks."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.peers.client import Client
from bench.peers.data import INTERVAL_MS, Page, Pairs
from bench.peers.measure import summary
from bench.peers.questions import INSTANT, RANGE
from bench.peers.results import Case
from bench.peers.rows.context import Context, send
from bench.peers.servers import PROMETHEUS, ZSEVAL, child, free_port, prometheus
from zseval.exposition.entries import Sample
from zseval.exposition.text import parse_text
from zseval.model.labels import Labels
from zseval.tsdb.db import TSDB
from zseval.zerostate.simulator.members import MEMBERS
from zseval.zerostate.simulator.network import Incident, Network

__all__ = ["fill", "measure_bytes", "measure_memory", "page_of", "simulated"]

_SETTLE_S, _QUICK_S = 130.0, 20.0  # Go collects garbage every two minutes at the latest
_READINGS = 5
_ROWS = 121  # a block, and a row more
_EVERY_S, _QUICK_EVERY_S = 2.0, 0.25


def measure_memory(context: Context, scale: int) -> list[Case]:
    """Resident memory once the hour is held, and after every question was asked."""
    wait = _QUICK_S if context.quick else _SETTLE_S
    with context.filled(scale) as (servers, end_s):
        cases = []
        for name in ("an hour held", "held and queried"):
            time.sleep(wait)
            readings: dict[str, list[float]] = {server.name: [] for server in servers}
            for _ in range(_READINGS):
                for server in servers:
                    readings[server.name].append(server.rss_mib())
                time.sleep(1)
            cases.append(Case(name, "MiB", readings))
            context.say(summary(cases[-1]))
            for server in servers if len(cases) == 1 else ():
                for question in (*RANGE, *INSTANT):
                    question.ask(server.client, end_s)
        return cases


def measure_bytes(context: Context) -> list[Case]:
    """The same samples in zseval's sealed blocks and in Prometheus' chunks."""
    end_ms = int(time.time()) // 60 * 60_000
    sources = {"ZeroState simulator": simulated(1, end_ms, _ROWS)}
    if shutil.which("prometheus-node-exporter"):
        every = _QUICK_EVERY_S if context.quick else _EVERY_S
        sources = {"node_exporter pages": _node_exporter(context.home, end_ms, every), **sources}
    cases = []
    for name, pages in sources.items():
        figures = {ZSEVAL: [_sealed(pages)], PROMETHEUS: [_chunked(context.home / name.split()[0], pages)]}
        series = sum(len(page.labels) for page in pages)
        cases.append(Case(name, "B", figures, note=f"{series} series, {_ROWS} samples each"))
        context.say(summary(cases[-1]))
    return cases


def simulated(networks: int, end_ms: int, rows: int, faults: Sequence[str] = ()) -> list[Page]:
    """The nodes of so many simulated networks, a page each, scraped every 15 s. faults: of the first one."""
    made = []
    for seed in range(networks):
        network = Network(seed, [Incident(fault, 60.0) for fault in faults] if seed == 0 else [])
        bodies: dict[str, list[bytes]] = {member.name: [] for member in MEMBERS}
        for row in range(rows):
            network.advance(row * INTERVAL_MS / 1000)
            for name, texts in bodies.items():
                texts.append(network.page(name))
        for number, (name, texts) in enumerate(bodies.items()):
            target = {"instance": f"{name}-{seed}:8080", "job": "node"}
            offset = (number * 3701 + seed * 1471 + 137) % 14_000 + 100
            made.append(page_of(texts, target, end_ms - offset))
    return made


def page_of(bodies: list[bytes], target: dict[str, str], last_ms: int) -> Page:
    """What was scraped from one target, 15 s apart; series that were not there in a body are absent in it."""
    rows: dict[Pairs, int] = {}
    known: dict[bytes, int] = {}
    columns: list[dict[int, float]] = []
    for body in bodies:
        cells = {}
        for line in body.splitlines():
            series, _, value = line.rpartition(b" ")
            if line.startswith(b"#") or not series:
                continue
            row = known.get(series)
            if row is None:
                (entry,) = (each for each in parse_text(line + b"\n") if isinstance(each, Sample))
                pairs = tuple(sorted({**dict(entry.labels), **target}.items()))
                row = known[series] = rows.setdefault(pairs, len(rows))
            cells[row] = float(value)
        columns.append(cells)
    values = np.full((len(rows), len(bodies)), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    for column, cells in enumerate(columns):
        places = list(cells)
        values[places, column] = list(cells.values())
        present[places, column] = True
    times = last_ms - INTERVAL_MS * np.arange(len(bodies) - 1, -1, -1, dtype=np.int64)
    names = [dict(pairs).get("__name__", "") for pairs in rows]
    counters = np.array([name.endswith(("_total", "_bucket", "_count", "_sum")) for name in names])
    return Page(target["instance"], list(rows), times, values, counters, None if present.all() else present)


def _node_exporter(home: Path, end_ms: int, every_s: float) -> list[Page]:
    """Pages of a real node_exporter on this machine, taken faster than every 15 s and stamped as if not."""
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus-node-exporter", f"--web.listen-address={address}", "--log.level=error"]
    bodies = []
    with child(command, home / "node_exporter", f"{address}/metrics"):
        client = Client(address)
        for _ in range(_ROWS):
            bodies.append(client.get("/metrics").body)
            time.sleep(every_s)
        client.close()
    return [page_of(bodies, {"instance": "here:9100", "job": "node"}, end_ms - 137)]


def _sealed(pages: list[Page]) -> float:
    """Bytes a sample once all blocks are sealed."""
    db = TSDB(None)
    for page in pages:
        fill(db, page)
        db.release(page.name)
    status = db.status()
    return status.sealed_bytes / status.samples


def _chunked(home: Path, pages: list[Page]) -> float:
    """Bytes a sample of Prometheus' chunks, as it counts them when it writes a block."""
    with prometheus(home, ["--web.enable-admin-api"]) as server:
        send([server], pages)
        answer = server.client.post("/api/v1/admin/tsdb/snapshot", b"", {})
        if answer.status != 200:
            raise RuntimeError(f"no snapshot: {answer.status} {answer.body[:300]!r}")
        text = server.client.get("/metrics").body.decode()
    totals = {
        what: float(re.search(rf"^prometheus_tsdb_compaction_chunk_{what}_sum (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]
        for what in ("size_bytes", "samples")
    }
    return totals["size_bytes"] / totals["samples"]


def fill(db: TSDB, page: Page) -> None:
    """The page's rows, as a scrape loop would append them."""
    ids = db.resolve([Labels(dict(pairs)) for pairs in page.labels])
    table = db.table(page.name)
    for row, time_ms in enumerate(page.times.tolist()):
        if page.present is None:
            result = table.append_row(time_ms, ids, np.ascontiguousarray(page.values[:, row]), epoch=db.epoch)
        else:
            kept = page.present[:, row]
            result = table.append_row(time_ms, ids[kept], page.values[kept, row], epoch=db.epoch)
        if result.out_of_order or result.duplicates or result.out_of_bounds:
            raise ValueError(f"{page.name}: {result}")
