"""Cases for kernel tests: samples of some series on a grid, some missing, and the windows over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.oracles.windows import Sample, window
from zseval.model.arrays import Mask, Times, Values
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.windows import Phases, Windows, compact, window_bounds

Kernel = Callable[..., tuple[Values, Mask | None]]
Oracle = Callable[..., float | None]

START = 1_700_000_000_000

COUNTS = st.integers(0, 1000).map(float)
DECIMALS = st.integers(-(10**6), 10**6).map(lambda n: n / 100)
SPECIAL = st.sampled_from(
    [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e100, -1e100, 1.7e308, -1.7e308, 5e-324]
)
WILD = st.one_of(DECIMALS, SPECIAL, st.floats())


@dataclass(frozen=True)
class Case:
    """series: the samples of each, (ms, value), all on `grid`.  ends: ms.  width: ms."""

    grid: list[int]
    values: list[list[float]]
    kept: list[list[bool]]
    ends: list[int]
    width: int

    def samples(self, series: int, *, ragged: bool) -> list[Sample]:
        return [
            (time, value)
            for time, value, kept in zip(self.grid, self.values[series], self.kept[series], strict=True)
            if kept or not ragged
        ]

    def frame(self, *, ragged: bool) -> tuple[Times, Values, np.ndarray | None]:
        times = np.array(self.grid, dtype=np.int64)
        values = np.array(self.values, dtype=np.float64).reshape(len(self.values), len(times))
        if not ragged:
            return times, values, None
        return compact(times, values, np.array(self.kept, dtype=np.bool_).reshape(values.shape))

    def gappy(self) -> Gaps:
        """The samples that are kept, at the times that all series share."""
        times, values, _ = self.frame(ragged=False)
        kept = np.array(self.kept, dtype=np.bool_).reshape(values.shape)
        ends = np.array(self.ends, dtype=np.int64)
        phases = Phases(times[np.newaxis], np.zeros(len(values), dtype=np.intp))
        bounds = window_bounds(times, ends, self.width)
        return Gaps(values, kept, phases, *bounds, ends - np.int64(self.width), ends)

    def closed(self) -> Windows:
        """The ragged windows that come of closing the gaps."""
        gaps = self.gappy()
        return gaps.windows(np.arange(len(gaps.values), dtype=np.intp))

    def windows(self, *, ragged: bool) -> Windows:
        times, values, counts = self.frame(ragged=ragged)
        return Windows.of(times, values, counts, np.array(self.ends, dtype=np.int64), self.width)


@st.composite
def cases(draw: st.DrawFn, values: st.SearchStrategy[float] = WILD, *, most: int = 12) -> Case:
    rows = draw(st.integers(0, most))
    series = draw(st.integers(1, 4))
    gaps = draw(
        st.one_of(
            st.just([15_000] * rows),
            st.lists(st.integers(1, 30_000), min_size=rows, max_size=rows),
        )
    )
    grid = [START + sum(gaps[: row + 1]) for row in range(rows)]
    row_values = st.one_of(
        st.lists(values, min_size=rows, max_size=rows),
        values.map(lambda value: [value] * rows),
    )
    kept = st.one_of(
        st.just([True] * rows), st.just([False] * rows), st.lists(st.booleans(), min_size=rows, max_size=rows)
    )
    steps = draw(st.integers(1, 6))
    step = draw(st.sampled_from([0, 1, 7_000, 15_000, 60_000]))
    first = START + draw(st.integers(-20_000, 200_000))
    return Case(
        grid,
        [draw(row_values) for _ in range(series)],
        [draw(kept) for _ in range(series)],
        [first + step * number for number in range(steps)],
        draw(st.sampled_from([1, 10_000, 15_000, 30_000, 60_000, 100_000, 10_000_000])),
    )


def assert_matches(
    kernel: Kernel, oracle: Oracle, case: Case, *params: float, rel: float = 0.0, slack: float = 0.0
) -> None:
    """The kernel gives, dense, ragged and gappy, what the oracle gives for the samples of each window.

    rel, slack: how far off relatively and absolutely.
    """
    arrays = [np.full(len(case.ends), param) for param in params]
    for windows, ragged in (
        (case.windows(ragged=False), False),
        (case.windows(ragged=True), True),
        (case.closed(), True),
    ):
        values, present = kernel(windows, *arrays)
        assert values.shape == (len(case.values), len(case.ends))
        for series in range(len(case.values)):
            samples = case.samples(series, ragged=ragged)
            for step, end in enumerate(case.ends):
                inside = window(samples, end, case.width)
                expected = oracle(inside, end - case.width, end, *params) if inside else None
                here = present is None or bool(present[series, step])
                got = float(values[series, step]) if here else None
                assert same(got, expected, rel, slack), f"{got!r} != {expected!r} for {inside} at {end}"


def same(got: float | None, expected: float | None, rel: float = 0.0, slack: float = 0.0) -> bool:
    if got is None or expected is None:
        return got is expected
    if math.isnan(expected) or math.isinf(expected) or math.isnan(got):
        return got == expected or (math.isnan(got) and math.isnan(expected))
    return abs(got - expected) <= max(rel * abs(expected), slack)


def one_series(values: Sequence[float], *, step: int = 15_000) -> Windows:
    """All of one dense series in one window that ends with its last sample."""
    times = START + np.arange(len(values), dtype=np.int64) * step
    ends = np.array([times[-1] if len(times) else START], dtype=np.int64)
    return Windows.of(times, np.array([values], dtype=np.float64), None, ends, len(values) * step)
