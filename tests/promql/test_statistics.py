"""How many samples a query touches, as upstream counts them."""

from __future__ import annotations

import pytest

from zseval.promql.engine import Engine
from zseval.promql.statistics import Statistics
from zseval.tsdb.db import TSDB


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Two series x and one y, a sample every 10 s from 10 to 600."""
    db = TSDB()
    for at in range(10, 601, 10):
        for name, job in (("x", "a"), ("x", "b"), ("y", "a")):
            db.append({"__name__": name, "job": job}, at, at)
    return Engine(db)


def _instant(engine: Engine, expr: str) -> Statistics:
    stats = engine.instant_at(expr, 600_000, stats=True).stats
    assert stats is not None
    return stats


def _range(engine: Engine, expr: str) -> Statistics:
    """At 540, 570 and 600."""
    stats = engine.range_at(expr, 540_000, 600_000, 30_000, stats=True).stats
    assert stats is not None
    return stats


@pytest.mark.parametrize(
    ("expr", "total", "read"),
    [
        ("1", 0, 0),
        ("x", 2, 2),
        ("x + on(job) group_left y", 3, 3),
        ("timestamp(x)", 2, 2),
        ("x[1m]", 12, 12),
        ("sum(rate(x[1m]))", 12, 12),
        ("max_over_time(x[1m:10s])", 12, 12),
        ("max_over_time(rate(x[1m])[1m:30s])", 4, 18),
    ],
)
def test_an_instant_query_counts_the_samples_of_its_selectors(
    engine: Engine, expr: str, total: int, read: int
) -> None:
    stats = _instant(engine, expr)
    assert (stats.total, stats.total_read) == (total, read)


@pytest.mark.parametrize(
    ("expr", "loaded", "read"),
    [
        ("x", [2, 2, 2], [2, 2, 2]),
        ("x @ 540", [2, 2, 2], [2, 0, 0]),
        ("rate(x[1m])", [12, 12, 12], [12, 6, 6]),
        ("rate(x[10s])", [2, 2, 2], [2, 2, 2]),
        ("rate(x[1m] @ 540)", [12, 12, 12], [12, 0, 0]),
        ("max_over_time(x[1m:10s])", [12, 12, 12], [12, 6, 6]),
    ],
)
def test_a_range_query_counts_windows_at_every_step_and_reads_what_is_new(
    engine: Engine, expr: str, loaded: list[int], read: list[int]
) -> None:
    stats = _range(engine, expr)
    assert stats.loaded.tolist() == loaded
    assert stats.read.tolist() == read


def test_the_json_has_upstreams_names(engine: Engine) -> None:
    stats = _range(engine, "x")
    assert stats.peak >= 6
    plain = {"totalQueryableSamples": 6, "samplesRead": 6, "peakSamples": stats.peak}
    assert stats.to_json() == plain
    steps = [[540.0, 2], [570.0, 2], [600.0, 2]]
    assert stats.to_json(per_step=True) == {
        **plain,
        "totalQueryableSamplesPerStep": steps,
        "samplesReadPerStep": steps,
    }


def test_nobody_pays_who_does_not_ask(engine: Engine) -> None:
    assert engine.instant("x", 600).stats is None
