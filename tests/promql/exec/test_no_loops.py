"""Common queries run no line of Python a series: the lines do not grow with the number of series."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import zseval.promql
from zseval import TSDB, Engine
from zseval.model.labels import Labels
from zseval.promql.exec import merged

_PROMQL = Path(zseval.promql.__file__).parent
_WATCHED = (str(_PROMQL / "kernels"), str(_PROMQL / "exec"), str(_PROMQL.parent / "tsdb"))
_FEW, _MANY = 10, 1000
_ALLOWED = 200
"""Lines more for some chunks of 512 series; a loop over series would be `_MANY - _FEW` or more."""
_SAMPLES = 60

_OVER_TIME = [
    "rate", "increase", "delta", "irate", "idelta", "deriv", "resets", "changes", "avg_over_time",
    "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
    "stddev_over_time", "stdvar_over_time", "present_over_time", "absent_over_time",
]  # fmt: skip
_AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
_OF_VECTOR = ["abs", "ceil", "ln", "sqrt", "sgn", "round", "timestamp", "hour", "absent", "scalar", "sort"]
QUERIES = [
    "m",
    'm{group=~"1|2"} offset 1m',
    *(f"{name}(m[5m])" for name in _OVER_TIME),
    "quantile_over_time(0.9, m[5m])",
    "predict_linear(m[5m], 60)",
    "max_over_time(rate(m[2m])[5m:1m])",
    *(f"{name} by (group) (m)" for name in _AGGREGATIONS),
    *(f"{name}(m)" for name in _AGGREGATIONS),
    "quantile by (group) (0.5, m)",
    "topk by (group) (2, m)",
    "bottomk(2, m)",
    "sum by (group) (rate(m[5m]))",
    *(f"{name}(m)" for name in _OF_VECTOR),
    "clamp_min(m, 3)",
    "-m",
    "m * 2",
    "m > bool 100",
    "m < 100",
    "m + m",
    "m / on (i) group_left n",
    "m and n",
    "m unless n",
    "m or n",
    "histogram_quantile(0.9, sum by (le, group) (rate(b[5m])))",
]


def _labels(name: str, series: int) -> list[Labels]:
    every = range(series)
    return [
        Labels(
            {
                "__name__": name,
                "i": str(i),
                "group": str(i % 3),
                **({"le": str(i % 7)} if name == "b" else {}),
            }
        )
        for i in every
    ]


def _values(series: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Counters with resets, no two values the same: among ties, topk plays upstream's heap through."""
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.random((_SAMPLES, series)), axis=0)
    values[_SAMPLES // 2 :, ::3] -= values[_SAMPLES // 2, ::3]
    return values


def _scraped(series: int) -> Engine:
    """A row for all at a time, as scrapes write them."""
    db = TSDB(retention=None)
    ids = [db.resolve(_labels(name, series)) for name in ("m", "n", "b")]
    for row, values in enumerate(_values(series)):
        for each in ids:
            db.table("t").append_row(15_000 * row, each, values.copy(), epoch=db.epoch)
    return Engine(db)


def _pushed(series: int) -> Engine:
    """Every series at times of its own, with gaps."""
    db = TSDB(retention=None)
    values = _values(series)
    for name in ("m", "n", "b"):
        for labels, column in zip(db.resolve(_labels(name, series)).tolist(), values.T, strict=True):
            rows = np.flatnonzero(np.arange(_SAMPLES) % 7 != labels % 7)
            times = 15_000 * rows + labels % 11
            db.append_samples(np.full(len(rows), labels), times, column[rows], epoch=db.epoch)
    return Engine(db)


def _lines(engine: Engine, query: str) -> int:
    """How many lines of Python run in the watched packages."""
    made = 0

    def inside(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal made
        made += event == "line"
        return inside

    def called(frame: FrameType, _event: str, _argument: object) -> Any:
        return inside if frame.f_code.co_filename.startswith(_WATCHED) else None

    engine.warm_up()  # the lines of what the first query imports are not its own
    before = sys.gettrace()
    sys.settrace(called)
    try:
        engine.range(query, 300.0, 840.0, 60.0)
    finally:
        sys.settrace(before)
    return made


@pytest.fixture(scope="module", params=[_scraped, _pushed], ids=["scraped", "pushed"])
def engines(request: pytest.FixtureRequest) -> tuple[Engine, Engine]:
    return request.param(_FEW), request.param(_MANY)


@pytest.fixture(autouse=True)
def one_way_for_few_and_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over few cells go another way than sums over many, because it costs less."""
    monkeypatch.setattr(merged, "LEAST_CELLS", 0)


@pytest.mark.parametrize("query", QUERIES)
def test_the_work_in_python_does_not_grow_with_the_series(query: str, engines: tuple[Engine, Engine]) -> None:
    few, many = (_lines(engine, query) for engine in engines)
    assert few > 50, "nothing was watched"
    assert many - few < _ALLOWED


def test_a_loop_over_series_is_seen(engines: tuple[Engine, Engine]) -> None:
    """label_replace looks at the labels of each series: the measure has to show that."""
    query = 'label_replace(m, "x", "$1", "i", "(.*)")'
    few, many = (_lines(engine, query) for engine in engines)
    assert many - few > _MANY - _FEW
