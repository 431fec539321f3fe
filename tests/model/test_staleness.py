"""The staleness marker and the empty cell are bit patterns, not NaNs at large."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.staleness import (
    ABSENT_BITS,
    ABSENT_NAN,
    NORMAL_NAN_BITS,
    STALE_BITS,
    STALE_NAN,
    has_nan,
    is_absent,
    is_empty,
    is_stale,
    is_stale_value,
)


def _bits(value: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def test_the_constants_carry_their_bits_through_python_floats() -> None:
    assert _bits(STALE_NAN) == STALE_BITS == 0x7FF0000000000002
    assert _bits(ABSENT_NAN) == ABSENT_BITS
    assert math.isnan(STALE_NAN)
    assert math.isnan(ABSENT_NAN)
    assert STALE_BITS != NORMAL_NAN_BITS


@given(
    st.lists(
        st.integers(0, 2**64 - 1) | st.sampled_from([STALE_BITS, ABSENT_BITS, NORMAL_NAN_BITS]), max_size=20
    )
)
def test_only_the_exact_bits_are_a_marker_or_an_empty_cell(patterns: list[int]) -> None:
    values = np.array(patterns, dtype=np.uint64).view(np.float64)
    assert is_stale(values).tolist() == [bits == STALE_BITS for bits in patterns]
    assert is_absent(values).tolist() == [bits == ABSENT_BITS for bits in patterns]
    assert is_empty(values).tolist() == [bits in (STALE_BITS, ABSENT_BITS) for bits in patterns]


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, -math.nan, ABSENT_NAN])
def test_no_other_float_is_the_marker(value: float) -> None:
    assert not is_stale_value(value)
    assert is_stale_value(STALE_NAN)


def test_strided_views_are_tested_in_place() -> None:
    values = np.zeros((4, 6), dtype=np.float64)
    values[::2, ::3] = STALE_NAN
    assert is_stale(values[::2, ::3]).all()
    assert not is_stale(values[1::2, :]).any()
    assert is_stale(values.T).sum() == 4


@given(
    st.lists(st.sampled_from([0.0, -1.5, math.inf, -math.inf, math.nan, STALE_NAN, ABSENT_NAN]), max_size=40),
    st.integers(1, 3),
)
def test_a_nan_of_any_kind_is_seen_wherever_it_stands(values: list[float], step: int) -> None:
    row = np.array(values, dtype=np.float64)[::step]
    assert has_nan(row) == any(math.isnan(value) for value in values[::step])
