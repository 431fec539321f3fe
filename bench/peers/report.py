"""docs/performance.md from what was measured: the table, its cases, and why a row is out of reach."""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.peers.reach import REACHES, Outcome, Reach, outcome_of
from bench.peers.results import Case, Measurement, Ratio, Spread, Store, ratio_of, spread_of
from bench.peers.servers import PROMETHEUS, VICTORIA, ZSEVAL

__all__ = ["overview", "read_reasons", "render"]

_NAMES = {PROMETHEUS: "Prometheus", VICTORIA: "VictoriaMetrics", ZSEVAL: "zseval"}
_TITLES = {
    "range": "Range queries, 241 steps over an hour",
    "instant": "Instant queries",
    "tiny": "Tiny queries: 20 series",
    "hostile": "The range queries on data with gaps, resets and churn",
    "rules": "Rules: CPU per evaluation of a whole pack",
    "rule-growth": "Rules: the time of an evaluation of a whole pack, zseval alone",
    "scrape": "Scraping: CPU-seconds per million samples",
    "memory": "Resident memory",
    "bytes": "Bytes a sample",
    "start": "Start to /-/ready",
    "stall": "The event loop beside a large query",
}
_HEAD = """\
# Performance

zseval beside the servers it speaks for: the same data in all of them, the same questions, asked in turn in
one run, the answers compared before anything is timed. Written by `python -m bench.peers`; do not edit.

A ratio is zseval / peer, below 1 where zseval takes less. It is taken within a round, in which the servers
are asked right after one another, and is the median over the rounds; a row's ratio is the geometric mean over
its cases. In brackets: the quartiles over the rounds. The machine may have had other work: times in ms say
how it was there and then, ratios are what to compare. CPU time is the server's own, all its threads; a peer
that computes on two processors at once takes less time than CPU time.

The reach is what zseval set out for. A row that is not within it stays here, with the reason.
"""


def render(store: Store, reasons: Mapping[str, Mapping[str, str]], plots: Mapping[str, str]) -> str:
    """Markdown. reasons: by the key of the row.  plots: title and file of each picture."""
    outcomes = [(reach, outcome_of(reach, store)) for reach in REACHES]
    lines = [_HEAD, *_setting(store), "## The table", "", *_table(outcomes), ""]
    missed = [found for _, found in outcomes if found is not None and not found.is_within]
    if missed:
        lines += ["## Out of reach, and why", ""]
        for found in missed:
            lines += _missed(found, reasons.get(found.reach.key, {}))
    for title, file in plots.items():
        lines += [f"## {title}", "", f"![{title}]({file})", ""]
    lines += ["## Where zseval is slower, or larger, than a peer", "", *_slower(store), ""]
    lines += ["## Every case", ""]
    for row, title in _TITLES.items():
        for measurement in store.of(row):
            lines += _cases(title, measurement)
    return "\n".join(lines).rstrip("\n") + "\n"


def read_reasons(file: Path) -> dict[str, dict[str, str]]:
    """Raises ValueError for a key that is no row's."""
    found: dict[str, dict[str, str]] = tomllib.loads(file.read_text())
    unknown = found.keys() - {reach.key for reach in REACHES}
    if unknown:
        raise ValueError(f"{file}: no row has the key {min(unknown)!r}")
    return found


def _setting(store: Store) -> Iterator[str]:
    yield "| measured | rows | zseval | machine | command |"
    yield "|---|---|---|---|---|"
    runs: dict[tuple[str, str, str, str], list[str]] = {}
    for measurement in store.everything():
        key = (measurement.when, measurement.versions[ZSEVAL], measurement.machine, measurement.command)
        scale = f" {measurement.scale:,}" if measurement.scale else ""
        runs.setdefault(key, []).append(measurement.row + scale)
    for (when, version, machine, command), rows in sorted(runs.items()):
        yield f"| {when} | {', '.join(rows)} | {version} | {machine} | `{command}` |"
    yield ""
    versions = {name: text for each in store.everything() for name, text in each.versions.items()}
    others = [f"{_NAMES.get(name, name)} {text}" for name, text in versions.items() if name != ZSEVAL]
    yield "With " + ", ".join(others) + "; VictoriaMetrics without its result cache (`-search.disableCache`)."
    yield ""


def _table(outcomes: list[tuple[Reach, Outcome | None]]) -> Iterator[str]:
    yield "| work | peer | reach | measured | worst case | CPU | |"
    yield "|---|---|---|---|---|---|---|"
    for reach, found in outcomes:
        peer = _NAMES.get(reach.peer, reach.peer)
        wanted = f"≤ {reach.limit:g}" + (f", none above {reach.each:g}" if reach.each else "")
        wanted += "".join(f" ({case} {limit:g})" for case, limit in reach.exceptions.items())
        wanted += f" {reach.unit}" if reach.unit else ""
        if found is None:
            yield f"| {reach.work} | {peer} | {wanted} | not measured yet | | | |"
            continue
        mean = f"{_figure(found.mean)}" if len(found.ratios) > 1 else _spread(found.ratios[0].spread)
        worst = "" if len(found.ratios) == 1 else f"{found.worst.case} {_spread(found.worst.spread)}"
        cpu = "" if found.cpu is None else _figure(found.cpu)
        verdict = "within" if found.is_within else "**out of reach**"
        yield f"| {reach.work} | {peer} | {wanted} | {mean} | {worst} | {cpu} | {verdict} |"


def _missed(found: Outcome, reason: Mapping[str, str]) -> Iterator[str]:
    reach = found.reach
    beyond = [f"{ratio.case} {_figure(ratio.spread.median)}" for ratio in found.beyond]
    peer = _NAMES.get(reach.peer, reach.peer)
    yield f"**{reach.work} / {peer}**: {_figure(found.mean)}, reach {reach.limit:g}."
    if beyond:
        yield f"Beyond: {', '.join(beyond)}."
    yield reason.get("reason", "The reason is not written down yet (bench/peers/reasons.toml).")
    if "profile" in reason:
        yield ""
        yield "    " + reason["profile"].strip().replace("\n", "\n    ")
    yield ""


def _slower(store: Store) -> Iterator[str]:
    """Every case with a ratio above 1, the largest first."""
    found = []
    for measurement in store.everything():
        for case in measurement.cases:
            for peer in (PROMETHEUS, VICTORIA):
                ratio = ratio_of(case, ZSEVAL, peer)
                if ratio is not None and ratio.spread.median > 1:
                    scale = f", {measurement.scale:,} series" if measurement.scale else ""
                    found.append((ratio.spread, f"{measurement.row}: {case.name}{scale}", _NAMES[peer]))
    if not found:
        yield "Nowhere among these cases."
        return
    yield "| case | peer | times |"
    yield "|---|---|---|"
    for spread, name, peer in sorted(found, key=lambda each: -each[0].median):
        yield f"| {name} | {peer} | {_spread(spread)} |"


def _cases(title: str, measurement: Measurement) -> Iterator[str]:
    scale = f", {measurement.scale:,} series" if measurement.scale else ""
    rounds = max((len(figures) for case in measurement.cases for figures in case.samples.values()), default=0)
    yield f"### {title}{scale}"
    yield ""
    load = measurement.load or "unknown"
    yield f"{measurement.when}, {rounds} rounds; the machine's load at the end was {load}."
    yield ""
    servers = list(dict.fromkeys(name for case in measurement.cases for name in case.samples))
    peers = [name for name in servers if name != ZSEVAL]
    yield "| | " + " | ".join([*(_NAMES.get(name, name) for name in servers),
                              *(f"/ {_NAMES.get(name, name)}" for name in peers),
                              *(["CPU " + " · ".join(_NAMES.get(name, name) for name in servers)]
                                if any(case.cpu for case in measurement.cases) else [])]) + " |"  # fmt: skip
    columns = 1 + len(servers) + len(peers) + any(bool(case.cpu) for case in measurement.cases)
    yield "|---" * columns + "|"
    for case in measurement.cases:
        yield "| " + " | ".join(_case_cells(case, servers, peers)) + " |"
    yield ""
    details = [f"- {case.name}: `{case.detail}`" for case in measurement.cases if case.detail]
    if details:
        yield from details
        yield ""


def _case_cells(case: Case, servers: list[str], peers: list[str]) -> Iterator[str]:
    yield case.name
    for name in servers:
        figures = case.samples.get(name)
        yield f"{_figure(statistics.median(figures))} {case.unit}" if figures else ""
    for name in peers:
        ratio = ratio_of(case, ZSEVAL, name)
        yield _spread(ratio.spread) if ratio is not None else ""
    if case.cpu:
        yield " · ".join(_figure(statistics.median(case.cpu[name])) for name in servers if case.cpu.get(name))


def _spread(spread: Spread) -> str:
    return f"{_figure(spread.median)} [{_figure(spread.low)}–{_figure(spread.high)}]"


def _figure(number: float) -> str:
    """Three digits that count."""
    if number == 0 or not 0.001 <= abs(number) < 100_000:
        return f"{number:.3g}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def overview(store: Store) -> str:
    """Plain text for the terminal: every case with its ratios, the slowest against its peers first."""
    lines = []
    for measurement in store.everything():
        for case in measurement.cases:
            medians = {name: spread_of(figures).median for name, figures in case.samples.items() if figures}
            ratios: list[Ratio | None] = [ratio_of(case, ZSEVAL, peer) for peer in (PROMETHEUS, VICTORIA)]
            cells = [
                f"{medians[name]:10.4g}" if name in medians else " " * 10
                for name in (ZSEVAL, PROMETHEUS, VICTORIA)
            ]
            cells += [f"{ratio.spread.median:8.3f}" if ratio else " " * 8 for ratio in ratios]
            lines.append(
                f"{measurement.row:<8} {measurement.scale:>7} {case.name:<36} {' '.join(cells)} {case.unit}"
            )
    servers = f"{'zseval':>10} {'prometheus':>10} {'victoria':>10} {'/prom':>8} {'/vict':>8}"
    return "\n".join([f"{'row':<8} {'series':>7} {'case':<36} {servers}", *lines]) + "\n"
