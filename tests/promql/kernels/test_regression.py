"""deriv, predict_linear and smoothing, against exact arithmetic and upstream's loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import regression as slow
from tests.oracles.windows import window
from tests.promql.kernels.frames import (
    COUNTS,
    DECIMALS,
    START,
    WILD,
    Case,
    assert_matches,
    cases,
    one_series,
    same,
)
from zseval.promql.kernels import gaps_regression, lines
from zseval.promql.kernels.regression import deriv, predict_linear
from zseval.promql.kernels.smoothing import double_exponential_smoothing
from zseval.promql.kernels.windows import Phases, Windows, window_bounds


@given(case=cases(st.one_of(COUNTS, DECIMALS)), ahead=st.sampled_from([0.0, 60.0, -30.0, 3600.0]))
@settings(max_examples=150, deadline=None)
def test_a_line_is_the_exact_one_but_for_rounding(case: Case, ahead: float) -> None:
    wanted = np.full(len(case.ends), ahead)
    for ragged, (slopes, present), (there, _) in (
        (False, deriv(case.windows(ragged=False)), predict_linear(case.windows(ragged=False), wanted)),
        (True, deriv(case.windows(ragged=True)), predict_linear(case.windows(ragged=True), wanted)),
        (True, gaps_regression.deriv(case.gappy()), gaps_regression.predict_linear(case.gappy(), wanted)),
    ):
        for series in range(len(case.values)):
            for step, end in enumerate(case.ends):
                inside = window(case.samples(series, ragged=ragged), end, case.width)
                assert (present is None or bool(present[series, step])) == (len(inside) >= 2)
                if len(inside) < 2:
                    continue
                slope, intercept = slow.exact(inside, end)
                values = [value for _, value in inside]
                seconds = (inside[-1][0] - inside[0][0]) / 1000
                span = max(abs(value - values[0]) for value in values)
                reach = (abs(ahead) + (end - inside[0][0]) / 1000) / seconds
                peak = max(abs(value) for row in case.values for value in row)
                rounding = 1e-14 * max(span, peak * 1e-2)
                assert same(float(slopes[series, step]), slope, 1e-13, 40 * rounding / seconds)
                assert same(
                    float(there[series, step]), slope * ahead + intercept, 1e-13, 40 * rounding * (1 + reach)
                )


@given(case=cases(WILD))
@settings(max_examples=100, deadline=None)
def test_what_is_not_finite_gives_what_upstream_gives(case: Case) -> None:
    for ragged, (slopes, _) in (
        (False, deriv(case.windows(ragged=False))),
        (True, deriv(case.windows(ragged=True))),
        (True, gaps_regression.deriv(case.gappy())),
    ):
        for series in range(len(case.values)):
            for step, end in enumerate(case.ends):
                inside = window(case.samples(series, ragged=ragged), end, case.width)
                if len(inside) >= 2 and not all(math.isfinite(value) for _, value in inside):
                    expected, _ = slow.upstream(inside, inside[0][0])
                    assert math.isnan(expected)
                    assert math.isnan(slopes[series, step])


@given(
    seed=st.integers(0, 2**32 - 1),
    series=st.sampled_from([1, 3, 40]),
    steps=st.sampled_from([1, 2, 3, 40]),
    width=st.sampled_from([40_000, 600_000, 5_000_000]),
    limit=st.sampled_from([lines._EXACT, 2**20, 2**45]),
)
@settings(max_examples=60, deadline=None)
def test_lines_of_several_sources_are_those_of_each(
    seed: int, series: int, steps: int, width: int, limit: int
) -> None:
    """However many steps, series and sources are taken together, and however long the sums run."""
    rng = np.random.default_rng(seed)
    sources, rows = 3, 200
    times = START + np.arange(rows) * 15_000 + rng.integers(0, 2_000, (sources, rows))
    values = rng.normal(1e3, 1, (series, rows)) + rng.normal(0, 5, (series, rows)).cumsum(axis=1)
    values[0, :150] = 7.0
    ends = START + 14_000 + (np.arange(steps, dtype=np.int64) + int(rng.integers(0, 150))) * 15_000
    of = np.sort(rng.integers(0, sources, series)).astype(np.intp)
    bounds = window_bounds(times[0], ends, width)
    for source in range(1, sources):
        if not all(map(np.array_equal, window_bounds(times[source], ends, width), bounds)):
            times[source] = times[0]
    w = Windows(values, times[0], *bounds, ends - width, ends, Phases(times, of))
    ahead = np.full(steps, 60.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_EXACT", limit)
        (slopes, present), (there, _) = deriv(w), predict_linear(w, ahead)
    for row in range(series):
        alone = Windows(values[row : row + 1], times[of[row]], *bounds, ends - width, ends)
        slope, held = deriv(alone)
        assert (held is None) == (present is None)
        some = np.ones(steps, dtype=np.bool_) if held is None else held[0]
        np.testing.assert_allclose(slopes[row, some], slope[0, some], rtol=1e-11, atol=1e-13)
        level = predict_linear(alone, ahead)[0][0, some]
        np.testing.assert_allclose(there[row, some], level, rtol=1e-12)


@given(
    values=st.lists(st.integers(-(2**40), 2**40), min_size=60, max_size=60),
    interval=st.sampled_from([1, 7, 1_000, 15_000, 60_000]),
    missed=st.integers(0, 59),
)
def test_what_times_are_counted_in_does_not_matter(values: list[int], interval: int, missed: int) -> None:
    times = START + interval * np.delete(np.arange(61), missed)
    ends = times[20::3]
    bounds = window_bounds(times, ends, 20 * interval)
    w = Windows(np.array([values], dtype=np.float64), times, *bounds, ends - 20 * interval, ends)
    ahead = np.full(len(ends), 60.0)
    in_intervals = deriv(w)[0], predict_linear(w, ahead)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_FEW_TIMES", 0)
        in_milliseconds = deriv(w)[0], predict_linear(w, ahead)[0]
    for one, other, near in zip(
        in_intervals, in_milliseconds, (1e-3 / interval, 1e-3 + 60e-3 / interval), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=near)


def test_upstreams_own_sums_agree() -> None:
    rng = np.random.default_rng(4)
    values = (1e6 + np.cumsum(rng.normal(0, 100, 60))).tolist()
    w = one_series(values)
    samples = list(zip(w.times.tolist(), values, strict=True))
    slope, _ = slow.upstream(samples, samples[0][0])
    at_end_slope, intercept = slow.upstream(samples, int(w.ends[0]))
    assert deriv(w)[0][0, 0] == pytest.approx(slope, rel=1e-11)
    ahead = predict_linear(w, np.array([3600.0]))[0][0, 0]
    assert ahead == pytest.approx(at_end_slope * 3600 + intercept, rel=1e-11)


def test_a_line_of_whole_numbers_has_its_slope_exactly() -> None:
    assert deriv(one_series([100.0 + 30 * row for row in range(9)]))[0][0, 0] == 2.0


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 + 0.3, -1e300])
@pytest.mark.parametrize("before", [[], [3.0, 0.7]])
def test_equal_values_have_no_slope_at_all(value: float, before: list[float]) -> None:
    w = one_series([*before, *[value] * 7])
    narrow = type(w)(w.values, w.times, w.lo + len(before), w.hi, w.starts, w.ends)
    assert deriv(narrow)[0][0, 0] == 0.0
    assert predict_linear(narrow, np.array([1e6]))[0][0, 0] == value


@pytest.mark.parametrize("rows", [5, 60])
def test_what_lies_too_far_ahead_is_infinite(rows: int) -> None:
    values = [1e9 * row for row in range(rows)]
    with np.errstate(all="raise"):
        assert predict_linear(one_series(values), np.array([1e305]))[0][0, 0] == math.inf


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinities_have_no_line(value: float) -> None:
    assert math.isnan(deriv(one_series([value] * 3))[0][0, 0])
    assert math.isnan(predict_linear(one_series([value] * 3), np.array([0.0]))[0][0, 0])


@given(
    case=cases(st.one_of(COUNTS, DECIMALS, WILD)),
    factors=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
)
@settings(max_examples=120, deadline=None)
def test_smoothing_gives_the_very_value_of_the_slow_twin(case: Case, factors: tuple[float, float]) -> None:
    assert_matches(double_exponential_smoothing, slow.smoothed, case, *factors)
