"""rate and its relatives, against loops that follow upstream's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.oracles import counters as slow
from tests.promql.kernels.frames import (
    COUNTS,
    DECIMALS,
    START,
    WILD,
    Case,
    assert_matches,
    cases,
    one_series,
)
from zseval.promql.kernels import counters
from zseval.promql.kernels.windows import Phases, Windows

NAMES = ["rate", "increase", "delta", "irate", "idelta", "resets", "changes"]


@pytest.mark.parametrize("name", NAMES)
@given(case=cases(COUNTS))
@settings(max_examples=100, deadline=None)
def test_whole_numbers_give_the_very_bits_of_the_slow_twin(name: str, case: Case) -> None:
    assert_matches(getattr(counters, name), getattr(slow, name), case)


@pytest.mark.parametrize("name", NAMES[2:])
@given(case=cases(st.one_of(DECIMALS, WILD)))
@settings(max_examples=100, deadline=None)
def test_any_values_agree_with_the_slow_twin(name: str, case: Case) -> None:
    assert_matches(getattr(counters, name), getattr(slow, name), case)


@given(case=cases(st.one_of(DECIMALS, st.sampled_from([np.nan, np.inf, -np.inf]))))
@settings(max_examples=150, deadline=None)
def test_fractions_lost_in_resets_are_added_to_rounding(case: Case) -> None:
    peak = max((abs(value) for row in case.values for value in row if np.isfinite(value)), default=0.0)
    assert_matches(counters.increase, slow.increase, case, rel=1e-12, slack=1e-14 * peak)


@given(case=cases(st.sampled_from([1.7e308, -1e308, 5.0, np.inf])))
@settings(max_examples=150, deadline=None)
def test_what_overflows_is_as_infinite_as_with_the_slow_twin(case: Case) -> None:
    assert_matches(counters.increase, slow.increase, case, rel=1e-12)


def test_two_lost_amounts_that_overflow_together_leave_an_overflow_as_it_is() -> None:
    values, _ = counters.increase(one_series([1.7e308, -1e308, 1.7e308, -1e308]))
    assert values[0, 0] == -np.inf


def test_a_lost_amount_is_not_drowned_by_a_huge_one_before_the_window() -> None:
    w = one_series([1e300, 0.0, 5.0, 1.0, 2.0])
    narrow = type(w)(w.values, w.times, w.lo + 2, w.hi, w.starts, w.ends)
    values, _ = counters.increase(narrow)
    # 5 to 1 to 2: 5 lost, 2 - 5 + 5 gained
    assert values[0, 0] == pytest.approx(2.0 * (30 + 15 + 0) / 30, rel=0.6)
    assert 2.0 <= values[0, 0] < 4.0


def test_a_line_has_its_slope_as_rate() -> None:
    values, present = counters.rate(one_series([100.0 + 30 * n for n in range(20)]))
    assert present is None
    assert values[0, 0] == pytest.approx(2.0, rel=1e-15)


def test_extrapolation_stops_where_the_counter_would_be_zero() -> None:
    # 0 to 30 in two distances: nothing is added before the first sample.
    values, _ = counters.increase(one_series([0.0, 15.0, 30.0]))
    assert values[0, 0] == 30.0


@pytest.mark.parametrize(
    "other",
    [
        [1000.0, 1001.0, math.nan, 0.0, 30.0, 60.0, 90.0, 120.0],  # a fall that no comparison shows
        [1000.0, 1001.0, 1002.0, 0.0, 30.0, 60.0, 90.0, 120.0],
        [0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0],
        [-5.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0],
        [math.nan, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0],
        [1000.0, 1000.0, 1001.0, 1002.0, 1003.0, 1003.0, 1004.0, math.inf],
        [1000.0, 3.0, 1000.0, 2.0, 30.0, 60.0, 90.0, 120.0],
    ],
)
@pytest.mark.parametrize("calm", [0, 1, 4])
def test_series_far_from_zero_do_not_hide_those_that_are_near(other: list[float], calm: int) -> None:
    grid = [START + 15_000 * row for row in range(8)]
    values = [other, *([1e6 + 7.0 * row for row in range(8)] for _ in range(calm))]
    kept = [[True] * 8 for _ in values]
    case = Case(grid, values, kept, [time + 9_000 for time in grid], 60_000)
    assert_matches(counters.increase, slow.increase, case)


def test_chunks_of_series_change_nothing() -> None:
    rng = np.random.default_rng(7)
    times = np.arange(100, dtype=np.int64) * 15_000
    values = np.cumsum(rng.integers(0, 9, (50, 100)), axis=1).astype(np.float64)
    values[::5, 50:] -= values[::5, 50:51]
    w = Windows.of(times, values, None, times[20:], 300_000)
    whole, _ = counters.rate(w)
    parts = [counters.rate(w.pick(slice(first, first + 7)))[0] for first in range(0, 50, 7)]
    assert np.array_equal(whole, np.concatenate(parts))


@pytest.mark.parametrize("one_by_one", [0, 16])
@pytest.mark.parametrize("name", NAMES[:3])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_single_windows_over_several_sources_are_those_of_the_slow_twin(
    name: str, one_by_one: int, data: st.DataObject
) -> None:
    """Each source at times of its own, a few of them and many."""
    sources, rows, per_source = (data.draw(st.integers(low, 4)) for low in (1, 2, 1))
    gaps = data.draw(hnp.arrays(np.int64, (sources, rows), elements=st.integers(1, 40_000)))
    times = START + np.cumsum(gaps, axis=1)
    end = int(times[:, -1].max()) + data.draw(st.integers(0, 60_000))
    start = int(times[:, 0].min()) - data.draw(st.integers(1, 60_000))
    values = data.draw(hnp.arrays(np.float64, (sources * per_source, rows), elements=COUNTS))
    of = np.repeat(np.arange(sources, dtype=np.intp), per_source)
    bounds = np.array([start], dtype=np.int64), np.array([end], dtype=np.int64)
    w = Windows.single(values, *bounds, Phases(times, of), rising=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counters, "_ONE_BY_ONE", one_by_one)
        found, present = getattr(counters, name)(w)
    assert present is None
    wanted = [
        getattr(slow, name)(list(zip(times[source].tolist(), row.tolist(), strict=True)), start, end)
        for source, row in zip(of.tolist(), values, strict=True)
    ]
    assert found[:, 0].tolist() == wanted
