"""Quantiles of windows and groups, against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import quantile as slow
from tests.promql.kernels.frames import DECIMALS, WILD, Case, assert_matches, cases, one_series, same
from tests.promql.kernels.matrices import Matrix, matrices
from zseval.promql.kernels import quantile as kernel

WANTED = st.one_of(
    st.sampled_from([0.0, 0.5, 0.9, 1.0, -0.1, 1.1, math.nan, math.inf, -math.inf]), st.floats(0, 1)
)


@given(case=cases(st.one_of(DECIMALS, WILD)), wanted=WANTED)
@settings(max_examples=150, deadline=None)
def test_a_quantile_over_time_is_that_of_the_slow_twin(case: Case, wanted: float) -> None:
    assert_matches(kernel.quantile_over_time, slow.quantile_over_time, case, wanted)


@given(case=cases(st.one_of(DECIMALS, WILD)))
@settings(max_examples=120, deadline=None)
def test_a_median_deviation_is_that_of_the_slow_twin(case: Case) -> None:
    assert_matches(kernel.mad_over_time, slow.mad_over_time, case)


@given(matrix=matrices(st.one_of(DECIMALS, WILD)), wanted=st.lists(WANTED, min_size=4, max_size=4))
@settings(max_examples=150, deadline=None)
def test_a_quantile_of_a_group_is_that_of_the_slow_twin(matrix: Matrix, wanted: list[float]) -> None:
    per_step = np.array(wanted[: matrix.values.shape[1]])
    values, present = kernel.quantile(per_step, matrix.values, matrix.present, matrix.groups, matrix.count)
    for group, step, _, cells in matrix.cells():
        assert (present is None or bool(present[group, step])) == bool(cells)
        if cells:
            assert same(float(values[group, step]), slow.quantile(wanted[step], cells))


def test_the_quantile_may_vary_by_step() -> None:
    w = one_series([1.0, 2.0, 3.0])
    twice = type(w)(w.values, w.times, w.lo.repeat(2), w.hi.repeat(2), w.starts.repeat(2), w.ends.repeat(2))
    values, _ = kernel.quantile_over_time(twice, np.array([0.0, 1.0]))
    assert values.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("limit", [1, 16, 1 << 17])
def test_batches_of_any_size_give_the_same(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    values = rng.random((20, 30))
    groups = rng.integers(0, 3, 20)
    whole, _ = kernel.quantile(np.full(30, 0.7), values, None, groups, 3)
    monkeypatch.setattr(kernel, "CELLS", limit)
    parts, _ = kernel.quantile(np.full(30, 0.7), values, None, groups, 3)
    assert np.array_equal(whole, parts)
