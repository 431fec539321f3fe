"""Functions of series with missing samples give what they give for the same samples with the gaps closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.promql.kernels.frames import Kernel
from zseval.model.arrays import Mask, Values
from zseval.promql.kernels import (
    counters,
    gaps_over_time,
    gaps_quantile,
    gaps_rates,
    over_time,
    quantile,
)
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.windows import Phases, window_bounds

PERIOD = 15_000
RATES = ["rate", "increase", "delta"]
OVER_TIME = [
    f"{name}_over_time" for name in ("avg", "count", "first", "last", "max", "min", "present", "sum")
]
WILD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1.7e308, 5e-324, 0.1]


@st.composite
def cases(draw: st.DrawFn, *, wild: bool = False, rows: int = 30) -> Gaps:
    """Series of one to three sources; samples missing alone, in runs, at both ends, and all of a series.

    wild: of any values; otherwise counters.  rows: at most so many.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sources, series, rows = draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, rows))
    times = np.arange(rows) * PERIOD + random.integers(0, draw(st.sampled_from([1, 3000])), (sources, rows))
    values = random.integers(0, 9, (series, rows)).cumsum(axis=1) * 1.0 + random.integers(0, 30, (series, 1))
    for each in range(series):
        for reset in random.integers(0, rows, draw(st.sampled_from([0, 0, 1, 1, 2]))).tolist():
            values[each, reset:] -= values[each, reset]
        if draw(st.integers(0, 9)) == 0:
            values[each, random.integers(rows)] = draw(st.sampled_from([np.nan, np.inf, -5.0]))
        if wild and draw(st.booleans()):
            values[each] = random.normal(0, 1, rows) * 10.0 ** random.integers(-9, 9, rows)
        if wild and draw(st.booleans()):
            odd = random.random(rows) < draw(st.sampled_from([0.1, 0.5, 1.0]))
            values[each, odd] = random.choice(draw(st.lists(st.sampled_from(WILD), min_size=1)), odd.sum())
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


def _one_by_one(kernel: Kernel, case: Gaps, *params: Values) -> tuple[Values, Mask]:
    """What the kernel gives for each series by itself, its gaps closed."""
    values, present = np.zeros(case.shape), np.zeros(case.shape, dtype=np.bool_)
    for row in range(len(values)):
        found, held = kernel(case.windows(np.array([row])), *params)
        values[row], present[row] = found[0], True if held is None else held[0]
    return values, present


@pytest.mark.parametrize("name", RATES)
@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_gaps_are_closed(name: str, case: Gaps) -> None:
    values, present = getattr(gaps_rates, name)(case)
    wanted, held = _one_by_one(getattr(counters, name), case)
    assert np.array_equal(np.broadcast_to(True if present is None else present, held.shape), held)
    np.testing.assert_allclose(values[held], wanted[held], rtol=1e-12, atol=1e-12)


def _assert_the_same(found: tuple[Values, Mask | None], wanted: tuple[Values, Mask]) -> None:
    """The same bits, but for those of NaN."""
    values, present = found
    expected, held = wanted
    assert np.array_equal(np.broadcast_to(True if present is None else present, held.shape), held)
    got, expected = values[held], expected[held]
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    some = ~np.isnan(got)
    assert np.array_equal(got[some].view(np.int64), expected[some].view(np.int64))


@pytest.mark.parametrize("name", OVER_TIME)
@given(case=cases(wild=True))
@settings(max_examples=200, deadline=None)
def test_functions_over_time_give_the_same_bits(name: str, case: Gaps) -> None:
    found, wanted = getattr(gaps_over_time, name)(case), _one_by_one(getattr(over_time, name), case)
    if name == "avg_over_time":
        # Which windows are averaged in upstream's order depends on how many rows there are, gaps among them.
        # It divides a sum and what that lost; a mean in any other order may differ in its last bit.
        with np.errstate(invalid="ignore"):
            near = np.abs(found[0] - wanted[0]) <= np.spacing(np.abs(wanted[0]))
        found = np.where(near, wanted[0], found[0]), found[1]
    _assert_the_same(found, wanted)


@given(case=cases(wild=True, rows=60), wanted=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0, -1.0, 2.0, np.nan]))
@settings(max_examples=300, deadline=None)
def test_quantiles_are_the_same_bits(wanted: float, case: Gaps) -> None:
    case.values[case.values == 0] = 0.0  # which of two zeros sorts first is nobody's business
    params = np.full(len(case.ends), wanted)
    found = gaps_quantile.quantile_over_time(case, params)
    _assert_the_same(found, _one_by_one(quantile.quantile_over_time, case, params))


@pytest.mark.parametrize("name", RATES)
def test_nothing_to_look_at(name: str) -> None:
    values, present = getattr(gaps_rates, name)(_nothing())
    assert values.shape == (0, 0)
    assert present is None or present.shape == (0, 0)


@pytest.mark.parametrize("name", OVER_TIME)
def test_nothing_to_look_at_over_time(name: str) -> None:
    assert getattr(gaps_over_time, name)(_nothing())[0].shape == (0, 0)


def test_no_quantile_of_nothing() -> None:
    assert gaps_quantile.quantile_over_time(_nothing(), np.zeros(0))[0].shape == (0, 0)


def _nothing() -> Gaps:
    no_rows, no_steps = np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
    phases = Phases(np.zeros((1, 0), dtype=np.int64), no_rows)
    return Gaps(
        np.zeros((0, 0)), np.zeros((0, 0), dtype=np.bool_), phases, no_rows, no_rows, no_steps, no_steps
    )
