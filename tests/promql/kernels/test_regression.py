"""deriv, predict_linear and smoothing, against exact arithmetic and upstream's loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import regression as slow
from tests.oracles.windows import window
from tests.promql.kernels.frames import COUNTS, DECIMALS, WILD, Case, assert_matches, cases, one_series, same
from zseval.promql.kernels.regression import deriv, predict_linear
from zseval.promql.kernels.smoothing import double_exponential_smoothing


@given(case=cases(st.one_of(COUNTS, DECIMALS)), ahead=st.sampled_from([0.0, 60.0, -30.0, 3600.0]))
@settings(max_examples=150, deadline=None)
def test_a_line_is_the_exact_one_but_for_rounding(case: Case, ahead: float) -> None:
    for ragged in (False, True):
        w = case.windows(ragged=ragged)
        slopes, present = deriv(w)
        there, _ = predict_linear(w, np.full(len(case.ends), ahead))
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
    for ragged in (False, True):
        slopes, _ = deriv(case.windows(ragged=ragged))
        for series in range(len(case.values)):
            for step, end in enumerate(case.ends):
                inside = window(case.samples(series, ragged=ragged), end, case.width)
                if len(inside) >= 2 and not all(math.isfinite(value) for _, value in inside):
                    expected, _ = slow.upstream(inside, inside[0][0])
                    assert math.isnan(expected)
                    assert math.isnan(slopes[series, step])


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
