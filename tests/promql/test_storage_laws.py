"""Answers do not depend on how samples are stored: rows of many sources, or samples one by one.

Sources whose windows have the same rows are computed together (`kernels.windows.Phases`), the newest samples
of many sources are one matrix (`tsdb.cohort`), samples that are missing leave gaps in shared times
(`kernels.gaps.Gaps`), and aggregations are taken before functions over time (`promql.exec.merged`);
series stored one sample at a time take none of these ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zseval.model.arrays import Mask, Values
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql import functions
from zseval.promql.engine import FEATURES, Engine
from zseval.promql.exec import counted, merged, pieces
from zseval.promql.functions import Kind
from zseval.tsdb.db import TSDB

PERIOD, ROWS, SERIES = 15_000, 24, 10
PARAMS = {
    "predict_linear": ("", ", 60"),
    "quantile_over_time": ("0.3, ", ""),
    "double_exponential_smoothing": ("", ", 0.4, 0.3"),
}
OTHERS = ["x", "x offset 20s", "count_values without (id) ('v', x)"] + [
    f"{name}({before}x[{width}]{after})"
    for name, before, after, width in (
        ("deriv", "", "", "65s"),
        ("deriv", "", "", "200s"),
        ("predict_linear", "", ", 60", "200s"),
        ("max_over_time", "", "", "100s"),
    )
]
NAMES = sorted(name for name, function in functions.FUNCTIONS.items() if function.phased)
OF_RANGES = [
    f"{name}({PARAMS.get(name, ('', ''))[0]}x[65s]{PARAMS.get(name, ('', ''))[1]})" for name in NAMES
]
SUMMED = [
    f"{op} {by}({inner})"
    for op in ("sum", "avg", "count", "group")
    for by in ("by (group) ", "without (id, __name__) ", "")
    for inner in ("x", "rate(x[65s])", "increase(x[65s] offset 20s)", "delta(x[40s] @ 200)")
]

MERGED = [
    f"{op} {by}({name}(x[65s]{offset}))"
    for op, name in (
        ("avg", "avg_over_time"),
        ("avg", "deriv"),
        ("max", "max_over_time"),
        ("min", "min_over_time"),
        ("sum", "avg_over_time"),
        ("sum", "deriv"),
        ("sum", "sum_over_time"),
    )
    for by, offset in (("by (group) ", ""), ("", " offset 20s"), ("by (source) ", ""))
]


@st.composite
def columns(draw: st.DrawFn) -> Values:
    """float64[SERIES, ROWS]: counters mostly, whole ones mostly, some with what counters do not do."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    values = (
        random.integers(0, 1000, (SERIES, 1)) + random.integers(0, 50, (SERIES, ROWS)).cumsum(axis=1) * 1.0
    )
    for series in range(SERIES):
        match draw(st.integers(0, 11)):
            case 0:
                values[series] /= 100
            case 1:
                values[series, draw(st.integers(0, ROWS - 1)) :] -= values[series].max() - 3
            case 2:
                values[series] = random.normal(0, 1e6, ROWS)
            case 3:
                values[series, draw(st.integers(0, ROWS - 1))] = draw(
                    st.sampled_from([STALE_NAN, math.nan, math.inf, -0.0])
                )
            case 4:
                values[series, 0] = 0.0
            case 5 | 6:
                values[series] -= values[series, 0]
            case _:
                pass
    return values


@st.composite
def holes(draw: st.DrawFn) -> Mask:
    """bool[SERIES, ROWS]: samples that are missing, of some series many; of no row all."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.05, 0.4]))
    missing = random.random((SERIES, ROWS)) < share
    for series in range(SERIES if share else 0):
        match draw(st.integers(0, 5)):
            case 0:
                missing[series] = False
            case 1:
                missing[series, : draw(st.integers(0, ROWS))] = True
            case 2:
                missing[series, draw(st.integers(0, ROWS)) :] = True
            case _:
                pass
    missing[random.integers(SERIES), missing.all(axis=0)] = False
    return missing


@st.composite
def pairs_of_stores(draw: st.DrawFn) -> tuple[TSDB, TSDB]:
    """The same samples as rows of some sources, and one at a time."""
    together, apart = TSDB(retention=None), TSDB(retention=None)
    shared = draw(st.booleans())
    for source in range(draw(st.integers(1, 4))):
        first = draw(st.sampled_from([0, 1, 700, 3_000, 14_999, 40_000]))
        skipped = -1 if shared or draw(st.booleans()) else draw(st.integers(1, ROWS - 2))
        values = draw(columns())
        labels = [
            Labels({"__name__": "x", "group": str(n % 3), "id": f"{source}-{n}", "source": str(source)})
            for n in range(SERIES)
        ]
        late = np.random.default_rng(draw(st.integers(0, 99))).integers(
            0, draw(st.sampled_from([1, 6, 4000])), ROWS
        )
        missing = draw(holes())
        table, ids = together.table(str(source)), together.resolve(labels)
        for row in range(ROWS):
            if row == skipped:
                continue
            time = 10_000 + first + row * PERIOD + int(late[row])
            there = np.flatnonzero(~missing[:, row])
            table.append_row(time, ids[there], values[there, row], epoch=together.epoch)
            for series in there.tolist():
                apart.append(labels[series], float(values[series, row]), time / 1000)
    return together, apart


def _answer(db: TSDB, expr: str, start: float, end: float, step: float) -> dict[Labels, dict[int, float]]:
    features = FEATURES - {"promql-delayed-name-removal"}
    result = Engine(db, lookback="40s", features=features).range(expr, start, end, step)
    return {
        labels: dict(zip(times.tolist(), values.tolist(), strict=True))
        for labels, times, values in result.series()
    }


@pytest.fixture(autouse=True, scope="module")
def sums_of_few_cells() -> Iterator[None]:
    """Aggregations are taken first, also without the first rows, of however few cells."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merged, "LEAST_CELLS", 0)
        patch.setattr(merged, "WORTHWHILE", 1)
        patch.setattr(merged, "_FEWER", 1)
        patch.setattr(counted, "WORTHWHILE", 1)
        patch.setattr(pieces, "_CELLS", 4 * ROWS)
        patch.setattr(pieces, "_HELD", 7 * ROWS)
        yield


@pytest.mark.parametrize("expr", OF_RANGES + OTHERS + SUMMED + MERGED)
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    stores=pairs_of_stores(),
    step=st.sampled_from([15, 7, 60]),
    count=st.sampled_from([1, 15]),
    begin=st.integers(-40, 400),
)
def test_rows_and_single_samples_give_one_answer(
    expr: str, stores: tuple[TSDB, TSDB], step: int, count: int, begin: int
) -> None:
    end = begin + (count - 1) * step
    left, right = (_answer(db, expr, begin, end, step) for db in stores)
    assert left.keys() == right.keys()
    for labels, samples in left.items():
        assert samples == pytest.approx(right[labels], rel=1e-9, abs=1e-9, nan_ok=True), labels


def test_every_function_of_a_range_that_is_phased_is_here() -> None:
    kinds = {function.kind for function in functions.FUNCTIONS.values() if function.phased}
    assert kinds == {Kind.RANGE}
    assert len(OF_RANGES) > 20
