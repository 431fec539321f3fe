"""Segments of rows reduced to a row each, against one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zseval.model.segments import reduce_segments


@st.composite
def segments(draw: st.DrawFn) -> tuple[list[int], int]:
    """Lengths of segments: all equal, all but the last, of few kinds, or any; and columns."""
    width = draw(st.sampled_from([0, 1, 15, 16, 40]))
    lengths = draw(
        st.one_of(
            st.tuples(st.integers(1, 9), st.integers(1, 30)).map(lambda each: [each[0]] * each[1]),
            st.tuples(st.integers(2, 9), st.integers(1, 30)).map(lambda each: [each[0]] * each[1] + [1]),
            st.lists(st.sampled_from([1, 3]), min_size=1, max_size=40),
            st.lists(st.integers(1, 60), min_size=1, max_size=8),
        )
    )
    return lengths, width


@pytest.mark.parametrize(
    ("operator", "given_kind", "kind"),
    [
        (np.add, np.float64, np.float64),
        (np.maximum, np.float64, np.float64),
        (np.fmin, np.float64, np.float64),
        (np.add, np.uint8, np.uint32),
        (np.add, np.bool_, np.intp),
        (np.logical_or, np.bool_, np.bool_),
    ],
)
@given(shape=segments(), seed=st.integers(0, 2**32 - 1))
def test_each_segment_is_reduced_by_itself(
    operator: np.ufunc, given_kind: type[Any], kind: type[Any], shape: tuple[list[int], int], seed: int
) -> None:
    lengths, width = shape
    rng = np.random.default_rng(seed)
    array: NDArray[Any] = rng.integers(0, 200, (sum(lengths), width)).astype(given_kind)
    if operator is not np.add and given_kind is np.float64:
        array[rng.random(array.shape) < 0.05] = np.nan
    ends = np.cumsum(lengths, dtype=np.intp)
    found = reduce_segments(operator, array, ends - np.array(lengths, dtype=np.intp), kind)
    wanted = [
        operator.reduce(array[end - length : end], axis=0, dtype=kind)
        for end, length in zip(ends.tolist(), lengths, strict=True)
    ]
    assert found.dtype == kind
    assert np.array_equal(found, np.stack(wanted), equal_nan=given_kind is np.float64)


def test_rows_that_do_not_lie_next_to_one_another_are_read_too() -> None:
    array = np.arange(400.0).reshape(20, 20)[::2]
    found = reduce_segments(np.add, array, np.array([0, 5], dtype=np.intp), np.float64)
    assert np.array_equal(found, [array[:5].sum(axis=0), array[5:].sum(axis=0)])
