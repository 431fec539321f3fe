"""Aggregation over groups, against loops that follow upstream's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.oracles.groups import AGGREGATES as SLOW
from tests.promql.kernels.frames import COUNTS, DECIMALS, WILD, same
from tests.promql.kernels.matrices import Matrix, matrices
from zseval.promql.kernels import groups as kernel
from zseval.promql.kernels.groups import aggregate, sums_and_counts

ROUNDING = {"avg": 1e-15, "stdvar": 1e-12, "stddev": 1e-12}


def _check(op: str, matrix: Matrix, rel: float) -> None:
    _check_one_way(op, matrix, rel)
    if op == "sum":  # few values are summed in turn
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "_CELLS_IN_TURN", 0)
            _check_one_way(op, matrix, rel)


def _check_one_way(op: str, matrix: Matrix, rel: float) -> None:
    values, present = aggregate(op, matrix.values, matrix.present, matrix.groups, matrix.count)
    assert values.shape == (matrix.count, matrix.values.shape[1])
    for group, step, _, cells in matrix.cells():
        here = present is None or bool(present[group, step])
        assert here == bool(cells)
        if cells:
            found, wanted = float(values[group, step]), SLOW[op](cells)
            close = abs(found - wanted) <= _lost_by_the_twin(op, cells)
            assert close or same(found, wanted, rel), (cells, found)


def _column(*values: float) -> Matrix:
    """One group at a single step."""
    return Matrix(np.array(values)[:, np.newaxis], None, np.zeros(len(values), dtype=np.intp), 1)


def _lost_by_the_twin(op: str, cells: list[float]) -> float:
    """What rounding its mean, which is far larger than the spread, may cost the twin's variance."""
    largest = max(map(abs, cells))
    if not math.isfinite(largest):
        return 0.0
    spread = max(cells) - min(cells)
    return {"stdvar": 1e-15 * largest * spread, "stddev": 1e-15 * largest}.get(op, 0.0)


@pytest.mark.parametrize("op", SLOW)
@given(matrix=matrices(st.one_of(COUNTS, DECIMALS)))
@settings(max_examples=120, deadline=None)
def test_an_aggregate_is_that_of_the_slow_twin(op: str, matrix: Matrix) -> None:
    _check(op, matrix, ROUNDING.get(op, 0.0))


@pytest.mark.parametrize("op", ["sum", "avg", "min", "max", "count", "group"])
@given(matrix=matrices(WILD))
@settings(max_examples=150, deadline=None)
def test_an_aggregate_of_anything_is_that_of_the_slow_twin(op: str, matrix: Matrix) -> None:
    _check(op, matrix, ROUNDING.get(op, 0.0))


@given(matrix=matrices(st.one_of(COUNTS, DECIMALS, WILD)), rows=st.sampled_from([2, kernel._CHUNK_ROWS]))
@settings(max_examples=150, deadline=None)
def test_sums_and_counts_are_those_of_the_aggregates(matrix: Matrix, rows: int) -> None:
    given = matrix.values, matrix.present, matrix.groups, matrix.count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "_CHUNK_ROWS", rows)
        patch.setattr(kernel, "_CHUNK_CELLS", rows)
        patch.setattr(kernel, "_FEW_ROWS", rows)
        sums, counts = sums_and_counts(*given)
    wanted, present = aggregate("sum", *given)
    held = np.ones(wanted.shape, dtype=np.bool_) if present is None else present
    assert np.array_equal(sums[held], wanted[held], equal_nan=True)
    assert not sums[~held].any()
    assert np.array_equal(counts, np.where(held, aggregate("count", *given)[0], 0.0))


@pytest.mark.parametrize("op", ["sum", "avg"])
@given(matrix=matrices(st.one_of(COUNTS, DECIMALS, WILD), steps=1))
@example(matrix=_column(6.0, 5e-324, 1.8014398509481988e16))  # half way but for what compensation loses
@settings(max_examples=200, deadline=None)
def test_a_sum_at_a_single_step_is_that_of_the_slow_twin(op: str, matrix: Matrix) -> None:
    _check(op, matrix, ROUNDING.get(op, 0.0))


@pytest.mark.parametrize("op", ["min", "max"])
@given(matrix=matrices(st.sampled_from([0.0, -0.0, -1.0, 1.0])))
@settings(max_examples=150, deadline=None)
def test_of_two_zeros_the_first_gives_its_sign(op: str, matrix: Matrix) -> None:
    values, _ = aggregate(op, matrix.values, matrix.present, matrix.groups, matrix.count)
    for group, step, _, cells in matrix.cells():
        if cells:
            assert math.copysign(1, values[group, step]) == math.copysign(1, SLOW[op](cells)), cells


@pytest.mark.parametrize("op", ["stdvar", "stddev"])
@given(matrix=matrices(st.sampled_from([1.7e308, -1e308, 2e300, 1e160, 5.0, math.inf, math.nan])))
@settings(max_examples=150, deadline=None)
def test_a_spread_that_overflows_is_that_of_the_slow_twin(op: str, matrix: Matrix) -> None:
    _check(op, matrix, ROUNDING[op])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rest", [[], [1.0], [1.0, 2.0]])
def test_a_spread_with_an_infinity_is_nan(value: float, rest: list[float]) -> None:
    column = np.array([[value], *[[other] for other in rest]])
    for rows in (column, column[::-1].copy()):
        found, _ = aggregate("stdvar", rows, None, np.zeros(len(rows), dtype=np.intp), 1)
        assert np.isnan(found[0, 0])


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.3, 1e300])
def test_equal_values_do_not_spread(value: float) -> None:
    found, _ = aggregate("stddev", np.full((7, 1), value), None, np.zeros(7, dtype=np.intp), 1)
    assert found[0, 0] == 0.0


def test_a_sum_that_nearly_cancels_is_compensated() -> None:
    column = np.array([[1e100], [1.0], [-1e100], [0.5]])
    found, _ = aggregate("sum", column, None, np.zeros(4, dtype=np.intp), 1)
    assert found[0, 0] == 1.5


def test_a_mean_survives_overflow() -> None:
    found, _ = aggregate("avg", np.full((3, 1), 1.7e308), None, np.zeros(3, dtype=np.intp), 1)
    assert found[0, 0] == pytest.approx(1.7e308, rel=1e-15)


@pytest.mark.parametrize("op", SLOW)
@pytest.mark.parametrize("some_absent", [False, True])
def test_groups_that_span_chunks_are_whole(
    op: str, some_absent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "_CHUNK_ROWS", 7)
    monkeypatch.setattr(kernel, "_CHUNK_CELLS", 35)
    rng = np.random.default_rng(5)
    values = rng.normal(1e3, 10, (60, 5))
    values[3, 2], values[40, 3] = np.nan, np.inf
    matrix = Matrix(values, rng.random((60, 5)) < 0.8 if some_absent else None, rng.integers(0, 6, 60), 6)
    _check(op, matrix, 1e-12 if op.startswith("std") else ROUNDING.get(op, 0.0))
