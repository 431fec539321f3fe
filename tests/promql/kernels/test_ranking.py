"""topk and the like, against Go's heap played through."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import ranking as slow
from tests.promql.kernels.matrices import Matrix, matrices
from zseval.promql.kernels import ranking

FEW = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan, math.inf, -math.inf])
WANTED = st.lists(st.integers(-1, 8), min_size=4, max_size=4)


@pytest.mark.parametrize("largest", [True, False])
@given(matrix=matrices(st.one_of(FEW, st.floats()), most=14), wanted=WANTED, one=st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_best_are_those_of_upstreams_heap(
    largest: bool, matrix: Matrix, wanted: list[int], one: bool
) -> None:
    steps = matrix.values.shape[1]
    per_step = np.array([wanted[0]] * steps if one else wanted[:steps], dtype=np.intp)
    kernel = ranking.topk if largest else ranking.bottomk
    kept = kernel(matrix.values, matrix.present, matrix.groups, matrix.count, per_step)
    for _, step, rows, cells in matrix.cells():
        expected = {rows[place] for place in slow.best(cells, int(per_step[step]), largest=largest)}
        assert {row for row in rows if kept[row, step]} == expected, (cells, per_step[step])
    assert matrix.present is None or not (kept & ~matrix.present).any()


@pytest.mark.parametrize("largest", [True, False])
@given(
    seed=st.integers(0, 2**32 - 1),
    series=st.integers(60, 500),
    kinds=st.integers(1, 400),
    groups=st.integers(1, 3),
    gaps=st.sampled_from([0.0, 0.0, 0.2, 0.999]),
    odd=st.sampled_from([None, None, math.nan, math.inf, -math.inf, -0.0]),
    share=st.sampled_from([0.05, 0.002]),
    wanted=st.lists(st.integers(-1, 4), min_size=4, max_size=4),
)
@settings(max_examples=80, deadline=None)
def test_of_many_series_too(
    largest: bool,
    seed: int,
    series: int,
    kinds: int,
    groups: int,
    gaps: float,
    odd: float | None,
    share: float,
    wanted: list[int],
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-kinds, kinds, (series, 4)).astype(np.float64)
    if odd is not None:
        values[random.random(values.shape) < share] = odd
    of = random.integers(0, groups, series).astype(np.intp)
    present = None if not gaps else random.random(values.shape) >= gaps
    kernel = ranking.topk if largest else ranking.bottomk
    kept = kernel(values, present, of, groups, np.array(wanted, dtype=np.intp))
    for group in range(groups):
        for step in range(4):
            rows = np.flatnonzero(of == group if present is None else (of == group) & present[:, step])
            places = slow.best(values[rows, step].tolist(), wanted[step], largest=largest)
            stay = np.flatnonzero(kept[:, step] & (of == group))
            assert set(stay.tolist()) == {int(rows[place]) for place in places}


@given(matrix=matrices(FEW), wanted=WANTED)
@settings(max_examples=120, deadline=None)
def test_limitk_keeps_the_first(matrix: Matrix, wanted: list[int]) -> None:
    per_step = np.array(wanted[: matrix.values.shape[1]], dtype=np.intp)
    kept = ranking.limitk(matrix.values, matrix.present, matrix.groups, matrix.count, per_step)
    for _, step, rows, _ in matrix.cells():
        assert [row for row in rows if kept[row, step]] == rows[: max(0, per_step[step])]
    assert matrix.present is None or not (kept & ~matrix.present).any()


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8), st.floats(0, 1))
def test_a_ratio_and_its_complement_share_the_series_out(offsets: list[float], ratio: float) -> None:
    present = np.ones((len(offsets), 2), dtype=np.bool_)
    kept = ranking.limit_ratio(present, np.array(offsets), np.array([ratio, ratio - 1.0]))
    edge = 1.0 + (ratio - 1.0)
    for row, offset in enumerate(offsets):
        assert kept[row, 0] == (offset < ratio)
        assert kept[row, 1] == (offset >= edge) or ratio == 1


def test_an_absent_sample_is_never_kept() -> None:
    present = np.array([[True, False]])
    assert ranking.limit_ratio(present, np.array([0.1]), np.array([1.0, 1.0])).tolist() == [[True, False]]


@pytest.mark.parametrize("largest", [True, False])
def test_the_best_of_many_stays_beside_a_nan(largest: bool) -> None:
    """Many series are looked at some few at a time; that one of those is a NaN hides no other."""
    values = np.arange(200.0)[:, np.newaxis] * np.ones((1, 2))
    values[10, 0], values[11, 0] = 1000.0 if largest else -1000.0, math.nan
    kernel = ranking.topk if largest else ranking.bottomk
    kept = kernel(values, None, np.zeros(200, dtype=np.intp), 1, np.array([2, 2], dtype=np.intp))
    assert kept[10, 0]
    assert np.count_nonzero(kept, axis=0).tolist() == [2, 2]


def test_steps_of_too_few_samples_are_ranked_by_themselves() -> None:
    values = np.tile(np.arange(200.0)[:, np.newaxis], (1, 3))
    present = np.ones((200, 3), dtype=np.bool_)
    present[1:, 0] = False
    present[:, 1] = False
    kept = ranking.topk(values, present, np.zeros(200, dtype=np.intp), 1, np.full(3, 2, dtype=np.intp))
    assert [np.flatnonzero(kept[:, step]).tolist() for step in range(3)] == [[0], [], [198, 199]]
