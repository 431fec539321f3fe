"""An hour of ten (or a hundred) targets, from a seed: what every server of a run is filled with.

A page is one target: a thousand series that share their timestamps, as one scrape gives them. Targets are
scraped at offsets of their own, a few milliseconds early or late, and no sample lies on a whole second: the
questions are asked at whole seconds, so that it does not matter on which side a server closes its windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from zseval.model.arrays import Mask, Times, Values
from zseval.model.staleness import STALE_NAN

__all__ = ["INTERVAL_MS", "PAGE_SERIES", "ROWS", "Page", "Pairs", "pages", "roughened"]

Pairs = tuple[tuple[str, str], ...]
"""A label set: sorted pairs of name and value, the metric's name among them."""

ROWS = 241
INTERVAL_MS = 15_000
PAGE_SERIES = 1_000

_JITTER_MS = 5
_HANDLERS = 10
_CODES = ("200", "204", "301", "404", "500")
_METHODS = ("GET", "POST", "PUT", "DELETE")
_BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf")
_TIMED = 19  # series of the duration histogram, each of eleven buckets, a sum and a count
_RPCS = 100
_MEMORIES, _QUEUES, _DISKS, _BUSY = 70, 70, 68, 40
_MISSING = 0.02
_CHURNED = 0.05


@dataclass(frozen=True, slots=True)
class Page:
    """One target's samples.

    labels: a label set for each of S series.  times: int64[T], ms, increasing.  values: float64[S, T].
    present: bool[S, T], None where every sample is there.  counters: bool[S].
    """

    name: str
    labels: list[Pairs]
    times: Times
    values: Values
    counters: Mask
    present: Mask | None = None


def pages(series: int, end_ms: int, *, rows: int = ROWS, seed: int = 20) -> Iterator[Page]:
    """So many series, a thousand a page; the last samples lie in the 15 s before `end_ms`."""
    for number in range(series // PAGE_SERIES):
        yield _page(number, end_ms, rows, np.random.default_rng([seed, number]))


def roughened(page: Page, seed: int = 21) -> Page:
    """The page as a bad day would have it: samples missing, counters reset, series replaced by others.

    2 % of the samples are missing, each on its own; the target restarted once, which set its counters back;
    one series in twenty ended at some time, with a staleness marker, and another one began there.
    """
    rng = np.random.default_rng([seed, int(page.times[0]) & 0xFFFF, len(page.labels)])
    series, rows = page.values.shape
    values = page.values.copy()
    restart = int(rng.integers(rows // 4, rows - rows // 4))
    values[page.counters, restart:] -= page.values[page.counters, restart - 1 : restart]
    present = rng.random((series, rows)) >= _MISSING
    ended = np.sort(rng.choice(series, round(series * _CHURNED), replace=False))
    turn = rng.integers(rows // 8, rows - rows // 8, len(ended))
    late = np.arange(rows) >= turn[:, None]
    successors, theirs = values[ended], present[ended] & late
    present[ended] &= ~late
    values[ended, turn], present[ended, turn] = STALE_NAN, True
    renamed = [tuple(sorted((*page.labels[row], ("release", "next")))) for row in ended.tolist()]
    return replace(
        page,
        labels=[*page.labels, *renamed],
        values=np.concatenate([values, successors]),
        present=np.concatenate([present, theirs]),
        counters=np.concatenate([page.counters, page.counters[ended]]),
    )


def _page(number: int, end_ms: int, rows: int, rng: np.random.Generator) -> Page:
    offset = (number * 1471 + 137) % INTERVAL_MS
    if offset % 1000 < 2 * _JITTER_MS or offset % 1000 > 1000 - 2 * _JITTER_MS:
        offset += 5 * _JITTER_MS
    times = end_ms - offset - INTERVAL_MS * np.arange(rows - 1, -1, -1, dtype=np.int64)
    times += rng.integers(-_JITTER_MS, _JITTER_MS + 1, rows)
    target = {"instance": f"host-{number:03}.example:9100", "job": f"service-{number % 4}"}
    labels: list[Pairs] = []
    values: list[Values] = []
    counters: list[bool] = []
    for name, parts, is_counter, make in _FAMILIES:
        block = make(len(parts), rows, rng)
        values.append(block)
        counters.extend([is_counter] * len(parts))
        labels.extend(tuple(sorted({"__name__": name, **target, **part}.items())) for part in parts)
    return Page(str(target["instance"]), labels, times, np.concatenate(values), np.array(counters))


def _whole_counter(series: int, rows: int, rng: np.random.Generator) -> Values:
    speed = rng.integers(1, 400, (series, 1))
    start = rng.integers(0, 10**7, (series, 1))
    return (start + np.cumsum(rng.poisson(speed, (series, rows)), axis=1)).astype(np.float64)


def _buckets(series: int, rows: int, rng: np.random.Generator) -> Values:
    """float64[series, rows], where the eleven buckets of one histogram follow one another."""
    histograms = series // len(_BOUNDS)
    counts = rng.poisson(rng.integers(1, 40, (histograms, len(_BOUNDS), 1)), (histograms, len(_BOUNDS), rows))
    return np.cumsum(np.cumsum(counts, axis=1), axis=2).astype(np.float64).reshape(series, rows)


def _seconds_counter(series: int, rows: int, rng: np.random.Generator) -> Values:
    return np.cumsum(rng.exponential(3.0, (series, rows)), axis=1)


def _pages_of_memory(series: int, rows: int, rng: np.random.Generator) -> Values:
    level = rng.integers(10**5, 10**6, (series, 1))
    return np.asarray((level + np.cumsum(rng.integers(-500, 500, (series, rows)), axis=1)) * 4096.0)


def _walk(series: int, rows: int, rng: np.random.Generator) -> Values:
    return np.abs(rng.random((series, 1)) * 10 + np.cumsum(rng.normal(0, 0.1, (series, rows)), axis=1))


def _shrinking(series: int, rows: int, rng: np.random.Generator) -> Values:
    used = np.cumsum(rng.integers(0, 2000, (series, rows)), axis=1)
    return np.asarray((rng.integers(10**7, 10**8, (series, 1)) - used) * 4096.0)


def _percent(series: int, rows: int, rng: np.random.Generator) -> Values:
    return np.round(rng.random((series, rows)) * 100, 2)


def _constant(series: int, rows: int, rng: np.random.Generator) -> Values:
    return np.repeat(rng.integers(1, 10**6, (series, 1)).astype(np.float64), rows, axis=1)


def _handlers(count: int) -> list[dict[str, str]]:
    return [{"handler": f"/api/v1/item{n}", "method": _METHODS[n % 4]} for n in range(count)]


_REQUESTS = [
    {"code": code, "method": method, "handler": f"/api/v1/item{n}"}
    for code in _CODES
    for method in _METHODS
    for n in range(_HANDLERS)
]
_RPC_LABELS = [{"service": f"svc{n % 10}", "rpc": f"Call{n}"} for n in range(_RPCS)]

Make = Callable[[int, int, np.random.Generator], Values]
_FEW: list[tuple[str, list[dict[str, str]], bool, Make]] = [
    ("http_requests_total", _REQUESTS, True, _whole_counter),
    (
        "http_request_duration_seconds_bucket",
        [{**part, "le": bound} for part in _handlers(_TIMED) for bound in _BOUNDS],
        True,
        _buckets,
    ),
    ("http_request_duration_seconds_sum", _handlers(_TIMED), True, _seconds_counter),
    ("http_request_duration_seconds_count", _handlers(_TIMED), True, _whole_counter),
    ("rpc_calls_total", _RPC_LABELS, True, _whole_counter),
    ("rpc_bytes_total", _RPC_LABELS, True, _whole_counter),
    ("process_memory_bytes", [{"pool": f"p{n}"} for n in range(_MEMORIES)], False, _pages_of_memory),
    ("queue_latency_seconds", [{"queue": f"q{n}"} for n in range(_QUEUES)], False, _walk),
    ("disk_free_bytes", [{"device": f"/dev/sd{n}"} for n in range(_DISKS)], False, _shrinking),
    ("cpu_busy_percent", [{"cpu": str(n)} for n in range(_BUSY)], False, _percent),
]
_REST = PAGE_SERIES - sum(len(parts) for _, parts, _, _ in _FEW)
_FAMILIES = [*_FEW, ("limit_config", [{"limit": f"l{n}"} for n in range(_REST)], False, _constant)]
