"""The *_over_time kernels, against loops that follow upstream's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import over_time as slow
from tests.oracles.windows import Sample
from tests.promql.kernels.frames import COUNTS, DECIMALS, WILD, Case, assert_matches, cases, one_series
from zseval.model.arrays import Mask, Values
from zseval.promql.kernels import over_time
from zseval.promql.kernels.windows import Windows

EXACT = [
    "count_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "sum_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
]
ROUNDED = {"avg_over_time": 1e-15, "stddev_over_time": 1e-12, "stdvar_over_time": 1e-12}


@pytest.mark.parametrize("name", EXACT)
@given(case=cases(st.one_of(COUNTS, DECIMALS, WILD)))
@settings(max_examples=120, deadline=None)
def test_these_give_the_very_value_of_the_slow_twin(name: str, case: Case) -> None:
    assert_matches(getattr(over_time, name), getattr(slow, name), case)


@pytest.mark.parametrize("name", ["max_over_time", "min_over_time", "last_over_time"])
@given(case=cases(st.sampled_from([0.0, -0.0, -1.0, 1.0])))
@settings(max_examples=120, deadline=None)
def test_of_two_zeros_the_first_gives_its_sign(name: str, case: Case) -> None:
    def signs(w: Windows) -> tuple[Values, Mask | None]:
        values, present = getattr(over_time, name)(w)
        return np.copysign(1.0, values), present

    def sign(samples: Sequence[Sample], start: int, end: int) -> float:
        return math.copysign(1.0, getattr(slow, name)(samples, start, end))

    assert_matches(signs, sign, case)


@pytest.mark.parametrize("name", ROUNDED)
@given(case=cases(st.one_of(COUNTS, DECIMALS)))
@settings(max_examples=150, deadline=None)
def test_means_and_spreads_agree_to_rounding(name: str, case: Case) -> None:
    assert_matches(getattr(over_time, name), getattr(slow, name), case, rel=ROUNDED[name])


@pytest.mark.parametrize("name", ROUNDED)
@given(case=cases(WILD))
@settings(max_examples=150, deadline=None)
def test_means_and_spreads_of_anything_agree(name: str, case: Case) -> None:
    assert_matches(getattr(over_time, name), getattr(slow, name), case, rel=1e-11)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e100, 1.0, -1e100], 1.0),
        ([1.0, 1e100, 1.0, -1e100], 2.0),
        ([0.1] * 10, 1.0),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([1.7e308, 1.7e308, -1.7e308], math.inf),
        ([math.nan, math.inf], math.nan),
        ([5e-324, 5e-324], 1e-323),
    ],
)
def test_a_sum_is_compensated_as_upstream_does(values: list[float], expected: float) -> None:
    found, _ = over_time.sum_over_time(one_series(values))
    np.testing.assert_array_equal(found[0, 0], expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.7e308, 1.7e308, 1.7e308], 1.7e308),
        ([1e100, 1.0, -1e100, 2.0], 0.75),
        ([math.inf, 3.0], math.inf),
        ([-1.7e308, -1.7e308, 1.7e308, 1.7e308], 0.0),
    ],
)
def test_a_mean_survives_a_sum_that_overflows(values: list[float], expected: float) -> None:
    found, _ = over_time.avg_over_time(one_series(values))
    assert found[0, 0] == pytest.approx(expected, rel=1e-15, abs=1e292 if expected == 0 else 0)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.3, 1e-300, 1e300, -7.7])
@pytest.mark.parametrize("before", [[], [5.0, 6.0]])
def test_equal_values_do_not_spread_at_all(value: float, before: list[float]) -> None:
    w = one_series([*before, *[value] * 20])
    narrow = type(w)(w.values, w.times, w.lo + len(before), w.hi, w.starts, w.ends)
    assert over_time.stdvar_over_time(narrow)[0][0, 0] == 0.0
    assert over_time.stddev_over_time(narrow)[0][0, 0] == 0.0


def test_a_small_sum_after_a_huge_one_keeps_its_digits() -> None:
    w = one_series([1e15 + 1, 1e15 + 2, *[0.1] * 10])
    narrow = type(w)(w.values, w.times, w.lo + 2, w.hi, w.starts, w.ends)
    assert over_time.sum_over_time(narrow)[0][0, 0] == 1.0


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_long_windows_agree_with_the_slow_twin(name: str) -> None:
    rng = np.random.default_rng(3)
    grid = [1_700_000_000_000 + 15_000 * row for row in range(150)]
    values = [
        rng.normal(1e9, 1e5, 150).tolist(),
        np.cumsum(rng.random(150)).tolist(),
        rng.integers(0, 2, 150).astype(float).tolist(),
        np.where(rng.random(150) < 0.1, np.nan, rng.random(150)).tolist(),
        np.where(rng.random(150) < 0.1, 1e20, rng.random(150)).tolist(),
    ]
    kept = (rng.random((5, 150)) < 0.9).tolist()
    case = Case(grid, values, kept, grid[60::9], 40 * 15_000)
    assert_matches(getattr(over_time, name), getattr(slow, name), case, rel=ROUNDED.get(name, 0.0))
