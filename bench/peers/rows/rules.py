"""Rules: the CPU time of an evaluation of a whole pack, while new samples arrive every 15 s.

What a server takes without rules, for the samples alone, is measured before, the least of a few intervals,
and taken off.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

import zseval as package
from bench.peers.agree import Disagreement, compare, require
from bench.peers.cluster import cluster
from bench.peers.cluster_rules import rule_file
from bench.peers.data import INTERVAL_MS, Page
from bench.peers.measure import summary
from bench.peers.results import Case
from bench.peers.rows.context import Context, send
from bench.peers.rows.storage import simulated
from bench.peers.servers import Server, child, free_port, prometheus, victoria, zseval

__all__ = ["HISTORY", "PACKS", "SMALLEST", "Pack", "fed", "give_rules", "measure_rules", "pack_of", "part_of"]

SMALLEST = 10_000
PACKS = ("zerostate", "kubernetes")
HISTORY = 241
"""Rows held before the rules begin."""

_INTERVAL_S = INTERVAL_MS // 1000
_NETWORKS = 3  # of four nodes with some 890 series each
_SETTLE_S, _QUICK_SETTLE_S = 90, 30  # after all that was loaded
_IDLE_WINDOWS, _WARM_S = 4, 45
_FAULTS = ("HighMessageFailureRate", "HighTaskFailureRate", "HighTaskDuration", "PaymentFailureRate",
           "HighBlacklistRate", "SettlementFailures")  # fmt: skip
_ALERTS = Path(package.__file__).with_name("zerostate") / "alerts.yml"
_RECORDED = re.compile(r"[a-z0-9_]:[a-z]")


@dataclass(frozen=True, slots=True)
class Pack:
    """rules: a rule file.  pages: what it is evaluated over."""

    name: str
    rules: str
    pages: list[Page]


def measure_rules(context: Context, scale: int) -> list[Case]:
    """Both packs, over some `scale` series: a multiple of 10,000."""
    return [_measured(context, name, scale) for name in PACKS]


def pack_of(name: str, scale: int, end_ms: int, rows: int) -> Pack:
    """Raises ValueError for a name that is no pack's."""
    size = scale // SMALLEST
    if name == "zerostate":
        pages = simulated(_NETWORKS * size, end_ms, rows, _FAULTS)
        return Pack(name, _ALERTS.read_text(), list(_with_up(pages)))
    if name == "kubernetes":
        return Pack(name, rule_file(f"{_INTERVAL_S}s"), cluster(end_ms, rows, size=size))
    raise ValueError(f"no pack {name!r}")


def part_of(page: Page, first: int, last: int) -> Page:
    """Some rows of a page."""
    part = slice(first, last)
    present = None if page.present is None else page.present[:, part]
    return replace(page, times=page.times[part], values=page.values[:, part], present=present)


def _measured(context: Context, name: str, scale: int) -> Case:
    window = _INTERVAL_S * (1 if context.quick else 2)
    settle = _QUICK_SETTLE_S if context.quick else _SETTLE_S
    spare = int(600 * scale / SMALLEST + settle + _WARM_S + context.pairs * window) // _INTERVAL_S
    now_ms = int(time.time()) // _INTERVAL_S * INTERVAL_MS
    pack = pack_of(name, scale, now_ms + spare * INTERVAL_MS, HISTORY + spare)
    home = context.home / f"rules-{name}-{scale}"
    with _servers(home) as (servers, start_vmalert):
        send(servers, [part_of(page, 0, HISTORY) for page in pack.pages])
        with fed(servers, pack.pages, now_ms):
            series = sum(len(page.labels) for page in pack.pages)
            context.say(f"{pack.name}: {series} series are in all servers")
            time.sleep(settle)
            _next_beat()
            resting = [_spent(servers, _INTERVAL_S) for _ in range(_IDLE_WINDOWS)]
            idle = {server.name: min(each[server.name] for each in resting) for server in servers}
            for server in servers:
                give_rules(home, server, pack.rules)
            start_vmalert()
            time.sleep(_WARM_S)
            note = _check(servers, pack)
            _next_beat()
            figures: dict[str, list[float]] = {server.name: [] for server in servers}
            for _ in range(context.pairs):
                for name, share in _spent(servers, window).items():
                    figures[name].append(max(share - idle[name], 1e-6) * _INTERVAL_S * 1000)
    taken = ", ".join(f"{name} {share * _INTERVAL_S * 1000:.1f}" for name, share in idle.items())
    case = Case(pack.name, "ms", figures, detail=f"{series} series", note=f"{note}; taken off, ms: {taken}")
    context.say(f"{summary(case)}  ({case.note})")
    return case


def _spent(servers: Sequence[Server], seconds: float) -> dict[str, float]:
    """CPU seconds a second, from now on."""
    before = {server.name: (time.perf_counter(), server.cpu_seconds()) for server in servers}
    time.sleep(seconds)
    return {
        server.name: (server.cpu_seconds() - before[server.name][1])
        / (time.perf_counter() - before[server.name][0])
        for server in servers
    }


@contextlib.contextmanager
def _servers(home: Path) -> Iterator[tuple[list[Server], Callable[[], None]]]:
    sink = f"127.0.0.1:{free_port()}"
    config = (
        f"global: {{evaluation_interval: {_INTERVAL_S}s}}\n"
        "rule_files: [rules/*.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{sink}']}}]}}]}}\n"
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            child([sys.executable, "-m", "bench.peers.sink", sink.split(":")[1]], home / "sink")
        )
        peer = stack.enter_context(prometheus(home, config=config))
        storage = stack.enter_context(victoria(home))
        ours = stack.enter_context(zseval(home, ["--web.enable-remote-write-receiver"], config=config))

        def start_vmalert() -> None:
            listen = f"127.0.0.1:{free_port()}"
            url = f"http://{storage.address}"
            command = [
                "vmalert", f"-rule={home / 'rules-of-vmalert.yml'}", f"-datasource.url={url}",
                f"-remoteWrite.url={url}", f"-notifier.url=http://{sink}", f"-httpListenAddr={listen}",
                f"-evaluationInterval={_INTERVAL_S}s", "-loggerLevel=ERROR",
            ]  # fmt: skip
            process = stack.enter_context(child(command, home / "vmalert", f"{listen}/health"))
            storage.processes.append(process)

        yield [ours, peer, storage], start_vmalert


def give_rules(home: Path, server: Server, text: str) -> None:
    """Of a server whose files are in a folder named after it there."""
    if server.name == "victoriametrics":
        (home / "rules-of-vmalert.yml").write_text(text)
        return
    folder = home / server.name / "rules"
    folder.mkdir(exist_ok=True)
    (folder / "rules.yml").write_text(text)
    answer = server.client.post("/-/reload", b"", {})
    if answer.status != 200:
        raise RuntimeError(f"{server.name} does not take the rules: {answer.body[:500]!r}")


@contextlib.contextmanager
def fed(servers: Sequence[Server], pages: Sequence[Page], now_ms: int) -> Iterator[None]:
    """A row of every page at its time, by a thread with connections of its own."""
    stop = threading.Event()
    failed: list[BaseException] = []
    others = [Server(server.name, server.address, []) for server in servers]

    def feed() -> None:
        row, due = HISTORY, now_ms / 1000 + _INTERVAL_S
        try:
            while not stop.wait(max(0.0, due - time.time())) and row < len(pages[0].times):
                send(others, [part_of(page, row, row + 1) for page in pages])
                row, due = row + 1, due + _INTERVAL_S
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            failed.append(error)

    thread = threading.Thread(target=feed, name="feeder")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


def _check(servers: Sequence[Server], pack: Pack) -> str:
    """Every rule is well, and every expression over samples alone gives the same on both."""
    ours, peer, _ = servers
    for server in (ours, peer):
        groups = server.client.get("/api/v1/rules").data()["groups"]
        ill = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
        if ill or not groups:
            raise Disagreement(f"{server.name}: {len(groups)} groups, rules that fail: {ill[:5]}")
    at = f"{int(time.time()) - 2 * _INTERVAL_S}"
    compared = found = 0
    for group in yaml.safe_load(pack.rules)["groups"]:
        for rule in group["rules"]:
            if _RECORDED.search(rule["expr"]):
                continue
            answers = [
                server.client.get("/api/v1/query", query=rule["expr"], time=at).data()
                for server in (ours, peer)
            ]
            compared += 1
            if answers[0]["result"] or answers[1]["result"]:
                found += 1
                require(compare(*answers), str(rule["expr"]), exact=True, values=True)
    return f"{compared} expressions gave the same, {found} of them something"


def _next_beat() -> None:
    """Wait for the middle between two rows."""
    time.sleep(_INTERVAL_S - (time.time() - _INTERVAL_S / 2) % _INTERVAL_S)


def _with_up(pages: Sequence[Page]) -> Iterator[Page]:
    """With what a scraper says of a target that answers."""
    for page in pages:
        target = {"__name__": "up", "instance": page.name, "job": "node"}
        rows = len(page.times)
        yield replace(
            page,
            labels=[*page.labels, tuple(sorted(target.items()))],
            values=np.concatenate([page.values, np.ones((1, rows))]),
            counters=np.append(page.counters, np.False_),
            present=None
            if page.present is None
            else np.concatenate([page.present, np.ones((1, rows), dtype=np.bool_)]),
        )
