"""The numpy kernels alone, on an hour of samples every 15 s: 241 steps, as in an hour's dashboard.

Run: `pytest bench/micro/bench_kernels.py --benchmark-group-by=group --benchmark-columns=median,iqr`.
Each kernel's answer is compared with its slow twin's before it is timed. Ragged frames are the dense ones
with 3 % of the samples missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.oracles import buckets as slow_buckets
from tests.oracles import counters as slow_counters
from tests.oracles import groups as slow_groups
from tests.oracles import over_time as slow_over_time
from tests.oracles import quantile as slow_quantile
from tests.oracles import ranking as slow_ranking
from tests.oracles import regression as slow_regression
from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels import (
    buckets,
    counters,
    extremes,
    groups,
    over_time,
    quantile,
    ranking,
    regression,
    smoothing,
)
from zseval.promql.kernels.instant import last_within
from zseval.promql.kernels.windows import Windows, compact

STEP = 15_000
STEPS = 241
CHUNK = 512
MINUTES = 60_000

Frame = tuple[Times, Values, Rows | None]
Kernel = Callable[..., tuple[Values, Mask | None]]


def _times(width: int) -> tuple[Times, Times]:
    """Sample times that fill every window, and the ends of the windows."""
    times = 1_700_000_000_000 + np.arange(width // STEP + STEPS, dtype=np.int64) * STEP
    return times, times[width // STEP :]


def _frame(kind: str, series: int, width: int, *, ragged: bool) -> tuple[Frame, Times]:
    rng = np.random.default_rng(20)
    times, ends = _times(width)
    shape = (series, len(times))
    if kind == "counters":
        values = np.cumsum(rng.integers(0, 1000, shape), axis=1).astype(np.float64)
    else:
        values = np.cumsum(rng.normal(0, 100, shape), axis=1) + 1e6
    if not ragged:
        return (times, values, None), ends
    return compact(times, values, rng.random(shape) < 0.97), ends


def _all_chunks(kernel: Kernel, frame: Frame, ends: Times, width: int, params: list[Values]) -> Values:
    """As the engine runs it: some series at a time, bounds included."""
    times, values, counts = frame
    parts = []
    for first in range(0, len(values), CHUNK):
        part = slice(first, first + CHUNK)
        windows = Windows.of(
            times if times.ndim == 1 else times[part],
            values[part],
            None if counts is None else counts[part],
            ends,
            width,
        )
        parts.append(kernel(windows, *params)[0])
    return np.concatenate(parts)


RANGE_CASES: list[tuple[str, str, int, int, Kernel, Callable[..., float | None], tuple[float, ...]]] = [
    ("rate", "counters", 2000, 5 * MINUTES, counters.rate, slow_counters.rate, ()),
    ("increase", "counters", 2000, 5 * MINUTES, counters.increase, slow_counters.increase, ()),
    ("irate", "counters", 2000, 5 * MINUTES, counters.irate, slow_counters.irate, ()),
    ("resets", "counters", 2000, 5 * MINUTES, counters.resets, slow_counters.resets, ()),
    ("max", "gauges", 690, 10 * MINUTES, extremes.max_over_time, slow_over_time.max_over_time, ()),
    ("sum", "gauges", 690, 10 * MINUTES, over_time.sum_over_time, slow_over_time.sum_over_time, ()),
    ("avg", "gauges", 690, 10 * MINUTES, over_time.avg_over_time, slow_over_time.avg_over_time, ()),
    ("stddev", "gauges", 690, 10 * MINUTES, over_time.stddev_over_time, slow_over_time.stddev_over_time, ()),
    (
        "quantile",
        "gauges",
        680,
        10 * MINUTES,
        quantile.quantile_over_time,
        slow_quantile.quantile_over_time,
        (0.9,),
    ),
    (
        "deriv",
        "gauges",
        680,
        10 * MINUTES,
        regression.deriv,
        lambda samples, start, end: slow_regression.upstream(samples, samples[0][0])[0],
        (),
    ),
    (
        "smoothing",
        "gauges",
        680,
        10 * MINUTES,
        smoothing.double_exponential_smoothing,
        slow_regression.smoothed,
        (0.5, 0.5),
    ),
]


@pytest.mark.parametrize("ragged", [False, True], ids=["dense", "ragged"])
@pytest.mark.parametrize("case", RANGE_CASES, ids=[case[0] for case in RANGE_CASES])
def test_range_functions(
    benchmark: BenchmarkFixture,
    case: tuple[str, str, int, int, Kernel, Callable[..., float | None], tuple[float, ...]],
    ragged: bool,
) -> None:
    name, kind, series, width, kernel, slow, params = case
    frame, ends = _frame(kind, series, width, ragged=ragged)
    arrays = [np.full(STEPS, param) for param in params]
    benchmark.group = f"{name} of {series} {kind} over {width // MINUTES}m"
    values = benchmark(_all_chunks, kernel, frame, ends, width, arrays)
    times, cells, counts = frame
    for row, step in ((0, 0), (series // 2, 100), (series - 1, STEPS - 1)):
        own = times if times.ndim == 1 else times[row]
        length = len(own) if counts is None else int(counts[row])
        start, end = int(ends[step]) - width, int(ends[step])
        samples = [
            (time, value)
            for time, value in zip(own[:length].tolist(), cells[row, :length].tolist(), strict=True)
            if start < time <= end
        ]
        expected = slow(samples, start, end, *params)
        assert values[row, step] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("ragged", [False, True], ids=["dense", "ragged"])
def test_instant_selector(benchmark: BenchmarkFixture, ragged: bool) -> None:
    (times, values, counts), ends = _frame("counters", 2000, 5 * MINUTES, ragged=ragged)
    benchmark.group = "last sample of 2000 series"
    _, present, found = benchmark(last_within, times, values, counts, ends, 5 * MINUTES)
    assert present is None
    assert (np.broadcast_to(found, (2000, STEPS))[:, -1] > ends[-1] - 5 * MINUTES).all()


@pytest.mark.parametrize("count", [1, 5, 200])
@pytest.mark.parametrize("op", ["sum", "avg", "max", "stddev"])
def test_aggregates(benchmark: BenchmarkFixture, op: str, count: int) -> None:
    rng = np.random.default_rng(21)
    values, ids = rng.random((2000, STEPS)) * 1000, np.sort(rng.integers(0, count, 2000))
    benchmark.group = f"{op} of 2000 series"
    found, _ = benchmark(groups.aggregate, op, values, None, ids, count)
    expected = slow_groups.AGGREGATES[op](values[ids == 0, 7].tolist())
    assert found[0, 7] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["distinct", "mostly zero"])
def test_topk(benchmark: BenchmarkFixture, kind: str) -> None:
    rng = np.random.default_rng(22)
    values = rng.random((1000, STEPS))
    if kind == "mostly zero":
        values[rng.random(values.shape) < 0.997] = 0.0  # fewer than ten others: Go's heap decides
    ids, wanted = np.zeros(1000, dtype=np.intp), np.full(STEPS, 10, dtype=np.intp)
    benchmark.group = "topk(10) of 1000 series"
    kept = benchmark(ranking.topk, values, None, ids, 1, wanted)
    assert set(np.flatnonzero(kept[:, 7]).tolist()) == slow_ranking.best(
        values[:, 7].tolist(), 10, largest=True
    )


def test_histogram_quantile(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(23)
    bounds = np.array([*np.arange(1.0, 12.0), math.inf])
    counts = np.cumsum(rng.integers(0, 50, (174, 12, STEPS)), axis=1).astype(np.float64)
    benchmark.group = "histogram_quantile of 174 histograms with 12 buckets"
    found = benchmark(buckets.bucket_quantile, np.full(STEPS, 0.9), bounds, counts, None)
    expected = slow_buckets.bucket_quantile(
        0.9, list(zip(bounds.tolist(), counts[3, :, 7].tolist(), strict=True))
    )
    assert found.values[3, 7] == expected.value
