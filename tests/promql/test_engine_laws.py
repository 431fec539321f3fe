"""A range query is its instant queries: whatever the data, each column is the answer at that time."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zseval.errors import PromQLError
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import FEATURES, Engine
from zseval.tsdb.db import TSDB

STEP, COUNT = 20, 8

EXPRESSIONS = [
    "x",
    "x offset 30s",
    "x @ 60",
    "timestamp(x)",
    "-x",
    "x > 1",
    "x >= bool 1",
    "x + on (a) group_left y",
    "x and on (a) y",
    "x or y",
    "x unless on (a) y",
    "sum by (a) (x)",
    "avg without (b) (x)",
    "topk by (a) (1, x)",
    "quantile(0.5, x)",
    "count_values('v', x)",
    "absent(x{a='1'})",
    "scalar(y)",
    "rate(x[1m])",
    "increase(x[45s] offset 10s)",
    "sum_over_time(x[1m])",
    "max_over_time(x[1m])",
    "stddev_over_time(x[1m])",
    "quantile_over_time(0.3, x[1m])",
    "last_over_time(x[25s])",
    "deriv(x[1m])",
    "predict_linear(x[1m], 60)",
    "changes(x[1m])",
    "resets(x[1m])",
    "absent_over_time(y[25s])",
    "sum_over_time(x[1m:15s])",
    "rate(x[1m:10s] @ 100)",
    "max_over_time(sum by (a) (x)[1m:20s])",
    "label_replace(x, 'c', '$1', 'a', '(.*)') * on (c) group_left label_replace(y, 'c', '$1', 'a', '(.*)')",
    "sum(x) / count(x)",
    "x + on (a, b) fill(1) y",
    "x > on (a) group_left fill_left(2) y",
    "y * on (a) group_right(b) fill_right(2) x",
    "rate(x[1m] anchored)",
    "changes(x[1m] anchored)",
    "increase(x[45s] smoothed)",
    "delta(x[45s] smoothed offset 10s)",
    "x smoothed",
    "y smoothed @ 110",
    "start_timestamp(x)",
    "irate(x[1m])",
    "info(x)",
    "info(x, {__name__='y', v=~'.+'})",
]

_VALUES = st.sampled_from([0.0, 1.0, 2.0, 5.0, 3.5, math.nan, STALE_NAN])
_GAPS = st.sampled_from([5, 10, 10, 10, 35])


@st.composite
def stores(draw: st.DrawFn) -> TSDB:
    """A handful of series, each scraped at times of its own or with the others, with gaps and markers."""
    db = TSDB(retention=None)
    for a in ("1", "2"):
        names = [("x", "p"), ("x", "q"), ("y", "p")]
        shared = list(range(0, 200, 10))
        for name, b in names:
            own = draw(st.booleans())
            labels = {"a": a, "b": b, "job": a, **({"v": a} if name == "y" else {})}
            times = shared
            if own:
                gaps = draw(st.lists(_GAPS, min_size=1, max_size=20))
                times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
            for time in times:
                if own or draw(st.integers(0, 9)):
                    start = draw(st.sampled_from([None, 1.0, time - 7.0])) if own else None
                    db.append({**labels, "__name__": name}, draw(_VALUES), float(time), start)
    return db


def _column(engine: Engine, expr: str, time: int) -> dict[Labels, float] | str:
    try:
        result = engine.instant(expr, time)
    except PromQLError as error:
        return str(error)
    return {Labels(): result.scalar()} if result.type == "scalar" else dict(result.samples())


def _same(left: dict[Labels, float], right: dict[Labels, float]) -> bool:
    return left.keys() == right.keys() and all(
        left[key] == pytest.approx(right[key], rel=1e-9, abs=1e-12, nan_ok=True) for key in left
    )


@pytest.mark.parametrize("expr", EXPRESSIONS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(db=stores())
def test_a_range_query_is_its_instant_queries(expr: str, db: TSDB) -> None:
    engine = Engine(db, lookback="40s", features=FEATURES - {"promql-delayed-name-removal"})
    columns = [_column(engine, expr, index * STEP) for index in range(COUNT)]
    if any(isinstance(each, str) for each in columns):
        with pytest.raises(PromQLError):
            engine.range(expr, 0, (COUNT - 1) * STEP, STEP)
        return
    result = engine.range(expr, 0, (COUNT - 1) * STEP, STEP)
    for index, column in enumerate(columns):
        assert not isinstance(column, str)
        found = {
            labels: float(values[times == index * STEP * 1000][0])
            for labels, times, values in result.series()
            if (times == index * STEP * 1000).any()
        }
        assert _same(found, column), f"at {index * STEP}: range {found}, instant {column}"
