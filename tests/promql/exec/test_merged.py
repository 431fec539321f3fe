"""Aggregations taken before functions over time, against taking them after."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.arrays import Rows, Values
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.promql.exec import merged as module
from zseval.promql.exec import pieces, run
from zseval.promql.exec.context import Context
from zseval.promql.exec.merged import merged
from zseval.promql.exec.vector import Vector
from zseval.promql.plan.nodes import Aggregate
from zseval.tsdb.db import TSDB

PERIOD = 15_000
ROWS = 60
SERIES = 12
EXTREMES = ("max by (group) (max_over_time(x[5m]))", "min by (group) (min_over_time(x[200s]))")
SUMS = (
    "sum by (group) (sum_over_time(x[5m]))",
    "avg by (group) (avg_over_time(x[200s] offset 1m))",
    "sum by (group) (avg_over_time(x[5m]))",
    "avg (deriv(x[5m]))",
    "sum by (group) (deriv(x[100s]))",
    "sum by (group) (x)",
    "avg by (group) (x offset 1m)",
    "sum by (group) (rate(x[2m]))",
    "avg by (group) (increase(x[100s]))",
    "sum (rate(x[5m] offset 3m))",
    "sum by (group) (delta(x[5m]))",
)
KINDS = ("whole", "decimals", "floats", "rests", "signs", "spike", "counter", "seconds", "reset")
ODD = ("nan", "infinite", "huge")


def _values(kind: str, rng: np.random.Generator) -> Values:
    """float64[ROWS] of a series of some kind."""
    made: Values
    match kind:
        case "whole":
            made = rng.integers(0, 1000, ROWS).astype(np.float64)
        case "decimals":
            made = rng.integers(0, 1000, ROWS) / 100
        case "floats":
            made = rng.normal(5, 1, ROWS)
        case "rests":
            made = np.full(ROWS, float(rng.integers(-2, 3)))
        case "signs":
            made = rng.choice([0.0, -0.0, -1.0, -2.0], ROWS)
        case "spike":
            made = np.where(rng.random(ROWS) < 0.05, 1e15, rng.random(ROWS))
        case "counter":
            made = rng.choice([0, 10**6]) + np.cumsum(rng.integers(0, 100, ROWS)).astype(np.float64)
        case "seconds":
            made = rng.choice([0.0, 1e3]) + np.cumsum(rng.exponential(3.0, ROWS))
        case "reset":
            made = np.asarray(np.cumsum(rng.integers(0, 100, ROWS)) % 2000 * 1.0, dtype=np.float64)
        case "nan":
            made = np.where(rng.random(ROWS) < 0.3, np.nan, 1.0)
        case "infinite":
            made = np.where(rng.random(ROWS) < 0.1, rng.choice([-np.inf, np.inf]), 1.0)
        case _:
            made = rng.random(ROWS) * 1e308
    return made


def _store(seed: int, kinds: list[str], *, holes: bool) -> TSDB:
    rng, db = np.random.default_rng(seed), TSDB(retention=None, block_rows=24)
    for source in range(2):
        values = np.stack([_values(rng.choice(kinds), rng) for _ in range(SERIES)])
        ids = db.resolve(
            [
                Labels({"__name__": "x", "group": str(n % 3), "n": str(n), "source": str(source)})
                for n in range(SERIES)
            ]
        )
        for row in range(ROWS):
            here, cells = ids, values[:, row].copy()
            if holes and rng.random() < 0.1:
                here, cells = ids[2:], cells[2:]
            if holes and rng.random() < 0.03:
                cells[-1] = STALE_NAN
            db.table(str(source)).append_row(row * PERIOD + source, here, cells, epoch=db.epoch)
    return db


def _usual(_node: Aggregate, _ctx: Context) -> Vector | None:
    return None


@pytest.fixture(autouse=True)
def few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_CELLS", 0)
    monkeypatch.setattr(pieces, "_CELLS", 5 * ROWS)
    monkeypatch.setattr(pieces, "_HELD", 9 * ROWS)
    monkeypatch.setattr(module, "_FEWER", 1)


def _both(db: TSDB, expr: str) -> tuple[list[float], list[float], bytes, bytes]:
    """The values both ways, and the answers as they are written."""
    found = Engine(db).range(expr, 0, ROWS * PERIOD / 1000 + 120, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "merged", _usual)
        wanted = Engine(db).range(expr, 0, ROWS * PERIOD / 1000 + 120, 20)
    texts = found.to_json_bytes(), wanted.to_json_bytes()
    left, right = ([x for _, _, values in each.series() for x in values.tolist()] for each in (found, wanted))
    return left, right, *texts


@settings(max_examples=150, deadline=None)
@given(
    expr=st.sampled_from(EXTREMES),
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS + ODD), min_size=1, max_size=4),
    holes=st.booleans(),
)
def test_extremes_are_the_same_to_the_bit(expr: str, seed: int, kinds: list[str], holes: bool) -> None:
    _, _, found, wanted = _both(_store(seed, kinds, holes=holes), expr)
    assert found == wanted


@settings(max_examples=300, deadline=None)
@given(
    expr=st.sampled_from(SUMS),
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS + ODD), min_size=1, max_size=4),
    holes=st.booleans(),
)
def test_sums_are_the_same_but_for_rounding(expr: str, seed: int, kinds: list[str], holes: bool) -> None:
    found, wanted, _, _ = _both(_store(seed, kinds, holes=holes), expr)
    assert len(found) == len(wanted)
    # Slopes of either sign cancel: what is left has the digits that the largest of them leaves.
    largest = max((abs(x) for x in wanted if math.isfinite(x)), default=0.0)
    floor = 1e-12 * largest if "deriv" in expr or "delta" in expr else 0.0
    for left, right in zip(found, wanted, strict=True):
        assert left == pytest.approx(right, rel=1e-12, abs=floor, nan_ok=True)


@pytest.mark.parametrize("kind", ["whole", "floats", "decimals", "rests", "counter", "seconds"])
@pytest.mark.parametrize("expr", EXTREMES + SUMS)
def test_what_is_plain_goes_by_groups(expr: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[bool] = []

    def watched(node: Aggregate, ctx: Context) -> Vector | None:
        vector = merged(node, ctx)
        went.append(vector is not None)
        return vector

    monkeypatch.setattr(run, "merged", watched)
    Engine(_store(3, [kind], holes=False)).range(expr, 300, 900, 15)
    assert went == [True]


def test_a_small_slope_beside_a_large_jump_is_not_lost() -> None:
    """Of two series in one group one rests after a jump of 1e15; the slope of the other is the group's."""
    db = TSDB(retention=None)
    labels = [Labels({"__name__": "x", "n": str(n)}) for n in range(8)]
    ids = db.resolve(labels)
    for row in range(ROWS):
        cells = np.zeros(8)
        cells[0], cells[1] = 0.0 if row < 5 else 1e15, row * 1e-6
        db.table("s").append_row(row * PERIOD, ids, cells, epoch=db.epoch)
    found = Engine(db).range("sum(deriv(x[2m]))", 600, 800, 15)
    ((_, _, values),) = found.series()
    assert values == pytest.approx(1e-6 / 15, rel=1e-9)


@pytest.mark.parametrize("expr", [*EXTREMES, *SUMS])
def test_what_is_held_of_many_groups_is_bounded(expr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups there are, no more series are taken together than `_HELD` allows."""
    series: list[int] = []
    parts = pieces.Alike.parts

    def watched(self: pieces.Alike, groups: Rows, ctx: Context) -> Iterator[pieces.Part]:
        series.append(self.series * max(self.rows, len(self.source.ends)))
        return parts(self, groups, ctx)

    monkeypatch.setattr(pieces.Alike, "parts", watched)
    Engine(_store(3, ["floats", "counter"], holes=False)).range(expr, 300, 900, 15)
    assert sum(series) > 9 * ROWS
    assert max(series) <= 9 * ROWS
