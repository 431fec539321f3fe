"""The store's own costs: append a row, encode, decode, select, resolve.

Run: pytest bench/micro/bench_tsdb.py -o python_files='bench_*.py' -o python_functions='bench_*' \
    --benchmark-columns=min,median,rounds

Data: what a node_exporter page is made of, from a seed: two thirds constants, the rest counters (whole and
hundredths of seconds), memory gauges in pages, and a few floats with full mantissas.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zseval.model.arrays import Values
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.codec import encode
from zseval.tsdb.db import TSDB

Benchmark = Callable[..., object]
SERIES, ROWS, TARGETS = 1000, 120, 20
METRIC = Matcher.metric("metric_3")
EVERYTHING = Matcher(MatchType.REGEX, "__name__", ".+")


def page(rows: int = ROWS) -> Values:
    """float64[SERIES, rows]."""
    rng = np.random.default_rng(12)
    values = np.repeat(rng.integers(0, 10**6, (SERIES, 1)).astype(np.float64), rows, axis=1)
    values[650:750] += np.cumsum(rng.integers(0, 2000, (100, rows)), axis=1)
    values[750:850] = np.cumsum(rng.integers(0, 150, (100, rows)), axis=1) / 100 + 12345.0
    values[850:950] = rng.integers(0, 60_000, (100, rows)) * 4096.0
    values[950:] = rng.random((50, rows))
    return values


def labels(target: int) -> list[Labels]:
    common = {"instance": f"host{target}:9100", "job": "node"}
    return [Labels({**common, "__name__": f"metric_{n // 20}", "cpu": str(n % 20)}) for n in range(SERIES)]


def filled() -> TSDB:
    """TARGETS tables of SERIES series, three blocks of ROWS and a half-full open one."""
    db = TSDB(None)
    values = page(3 * ROWS + ROWS // 2)
    for target in range(TARGETS):
        ids, table = db.resolve(labels(target)), db.table(f"target {target}")
        for row in range(values.shape[1]):
            table.append_row(15_000 * row + target, ids, values[:, row], epoch=db.epoch)
    return db


@pytest.fixture(scope="module")
def db() -> TSDB:
    return filled()


def bench_append_row(benchmark: Benchmark) -> None:
    """A block of rows, sealing included; per sample: / 120,000."""
    values = np.ascontiguousarray(page().T)
    db = TSDB("1d")
    ids, table, epoch = db.resolve(labels(0)), db.table("t"), db.epoch
    clock = iter(range(0, 10**12, 15_000))

    def rows() -> None:
        for row in values:
            table.append_row(next(clock), ids, row, epoch=epoch)

    benchmark(rows)
    status = db.status()
    assert status.sealed_bytes / (status.samples - SERIES * ROWS) < 2


def bench_encode(benchmark: Benchmark) -> None:
    """Per sample: / 120,000."""
    values = page()
    benchmark(encode, values)
    assert encode(values).nbytes / values.size < 2


def bench_decode(benchmark: Benchmark) -> None:
    """Per sample: / 120,000."""
    values = page()
    encoded = encode(values)
    assert np.array_equal(encoded.decode_all(), values)
    benchmark(encoded.decode_all)


@pytest.mark.parametrize("minutes", [5, 60])
@pytest.mark.parametrize("matcher", [METRIC, EVERYTHING], ids=["metric", "everything"])
def bench_select(benchmark: Benchmark, db: TSDB, matcher: Matcher, minutes: int) -> None:
    """400 or 20,000 series in 20 tables, matchers resolved before."""
    end = db.max_time_ms
    selection = db.select([matcher], end - minutes * 60_000, end)
    assert sum(len(frame.rows) for frame in selection.frames) == len(selection.ids)
    assert all(frame.is_dense for frame in selection.frames)
    benchmark(db.select, [matcher], end - minutes * 60_000, end)


def bench_resolve_matchers_afresh(benchmark: Benchmark, db: TSDB) -> None:
    """What a rule pays when a new series has appeared: postings, intersection and label columns."""
    wanted = [
        METRIC,
        Matcher(MatchType.REGEX, "instance", "host1.*"),
        Matcher(MatchType.NOT_EQUAL, "cpu", "0"),
    ]

    def resolve() -> None:
        db._index._resolved.clear()
        db._index.resolve(wanted)

    benchmark(resolve)
    assert len(db._index.resolve(wanted).ids) == 11 * 19


def bench_resolve_labels(benchmark: Benchmark) -> None:
    """Ids of 1,000 known label sets."""
    db, wanted = TSDB(), labels(0)
    db.resolve(wanted)
    benchmark(db.resolve, wanted)


def bench_append_one_by_one(benchmark: Benchmark) -> None:
    """The library's `append`: 1,000 series once."""
    db, wanted = TSDB("1d"), labels(0)
    clock = iter(range(10**9))

    def append() -> None:
        now = float(next(clock))
        for each in wanted:
            db.append(each, now, now)

    benchmark(append)
