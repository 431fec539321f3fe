"""Rates of series with missing samples: as those of the same samples with the gaps closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.arrays import Mask, Values
from zseval.promql.kernels import counters, gaps
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.windows import Phases, window_bounds

PERIOD = 15_000
KERNELS = ["rate", "increase", "delta"]


@st.composite
def cases(draw: st.DrawFn) -> Gaps:
    """Series of one to three sources; samples missing alone, in runs, at both ends, and all of a series."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sources, series, rows = draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, 30))
    times = np.arange(rows) * PERIOD + random.integers(0, draw(st.sampled_from([1, 3000])), (sources, rows))
    values = random.integers(0, 9, (series, rows)).cumsum(axis=1) * 1.0 + random.integers(0, 30, (series, 1))
    for each in range(series):
        for reset in random.integers(0, rows, draw(st.sampled_from([0, 0, 1, 1, 2]))).tolist():
            values[each, reset:] -= values[each, reset]
        if draw(st.integers(0, 9)) == 0:
            values[each, random.integers(rows)] = draw(st.sampled_from([np.nan, np.inf, -5.0]))
    present = random.random((series, rows)) >= draw(st.sampled_from([0.02, 0.2, 0.7]))
    for each in range(series):
        cut = int(random.integers(rows + 1))
        if draw(st.booleans()):
            present[each, :cut] = False
        elif draw(st.booleans()):
            present[each, cut:] = False
    values[~present] = random.choice([np.nan, 1e18, -3.0])
    step, width = (
        draw(st.sampled_from([7_000, 15_000, 45_000])),
        draw(st.sampled_from([20_000, 65_000, 300_000])),
    )
    ends = np.arange(draw(st.integers(1, 20)), dtype=np.int64) * step + draw(st.integers(-30_000, 400_000))
    lo, hi = window_bounds(times[0], ends, width)
    of = np.sort(random.integers(0, sources, series)).astype(np.intp)
    # Windows have the same rows for all sources: what is not so is moved to where the first one is.
    for source in range(1, sources):
        own = window_bounds(times[source], ends, width)
        if not (np.array_equal(own[0], lo) and np.array_equal(own[1], hi)):
            times[source] = times[0]
    return Gaps(values, present, Phases(times, of), lo, hi, ends - np.int64(width), ends)


def _one_by_one(name: str, case: Gaps) -> tuple[Values, Mask]:
    shape = (len(case.values), len(case.ends))
    values, present = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    for row in range(shape[0]):
        windows = case.windows(np.array([row]))
        found, held = getattr(counters, name)(windows)
        values[row], present[row] = found[0], True if held is None else held[0]
    return values, present


@pytest.mark.parametrize("name", KERNELS)
@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_gaps_are_closed(name: str, case: Gaps) -> None:
    values, present = getattr(gaps, name)(case)
    wanted, held = _one_by_one(name, case)
    assert np.array_equal(np.broadcast_to(True if present is None else present, held.shape), held)
    np.testing.assert_allclose(values[held], wanted[held], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_to_look_at(name: str) -> None:
    no_rows, no_steps = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
    phases = Phases(np.zeros((1, 0), dtype=np.int64), np.zeros(0, dtype=np.intp))
    case = Gaps(
        np.zeros((0, 0)), np.zeros((0, 0), dtype=np.bool_), phases, no_rows, no_rows, no_steps, no_steps
    )
    values, present = getattr(gaps, name)(case)
    assert values.shape == (0, 0)
    assert present is None or present.shape == (0, 0)
