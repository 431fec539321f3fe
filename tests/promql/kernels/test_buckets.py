"""Classic histograms, against upstream's loop on one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracles import buckets as slow
from tests.promql.kernels.frames import same
from zseval.model.arrays import Mask, Values
from zseval.promql.kernels import buckets
from zseval.promql.kernels.buckets import bucket_fraction, bucket_quantile

WANTED = st.one_of(st.sampled_from([0.0, 0.5, 1.0, -1.0, 2.0, math.nan]), st.floats(0, 1))
EDGES = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, math.nan]), st.floats(-20, 20))
COUNT = st.one_of(
    st.integers(0, 20).map(float), st.sampled_from([10.0, 10.0 + 1e-11, 10.0 - 1e-11, math.nan, 0.0])
)


@st.composite
def histograms(draw: st.DrawFn) -> tuple[Values, Values, Mask | None]:
    """Bounds [B], counts [2, B, 3], present."""
    bounds = draw(st.lists(st.integers(-3, 6).map(float), min_size=0, max_size=6))
    if draw(st.integers(0, 5)):
        bounds.append(math.inf)
    size = len(bounds)
    cells = draw(st.lists(COUNT, min_size=6 * size, max_size=6 * size))
    counts = np.array(cells, dtype=np.float64).reshape(2, size, 3)
    if draw(st.booleans()):
        counts = np.cumsum(np.nan_to_num(counts), axis=1)
    present = None
    if draw(st.booleans()):
        flags = draw(st.lists(st.booleans(), min_size=6 * size, max_size=6 * size))
        present = np.array(flags, dtype=np.bool_).reshape(2, size, 3)
        counts = np.nan_to_num(counts)
    return np.array(sorted(bounds)), counts, present


def _buckets(
    bounds: Values, counts: Values, present: Mask | None, histogram: int, step: int
) -> list[tuple[float, float]]:
    return [
        (float(bound), float(counts[histogram, place, step]))
        for place, bound in enumerate(bounds)
        if present is None or present[histogram, place, step]
    ]


@given(histograms(), st.lists(WANTED, min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_quantile_and_its_forced_buckets_are_upstreams(
    histogram: tuple[Values, Values, Mask | None], wanted: list[float]
) -> None:
    bounds, counts, present = histogram
    found = bucket_quantile(np.array(wanted), bounds, counts, present)
    for row in range(2):
        for step in range(3):
            buckets = _buckets(bounds, counts, present, row, step)
            expected = slow.bucket_quantile(wanted[step], buckets)
            assert same(float(found.values[row, step]), expected.value), (buckets, wanted[step])
            assert (found.forced is not None and bool(found.forced[row, step])) == expected.forced
            if expected.forced:
                assert found.lowest is not None
                assert found.highest is not None
                assert found.largest is not None
                assert float(found.lowest[row, step]) == expected.lowest
                assert float(found.highest[row, step]) == expected.highest
                # A difference of sums: the order of adding shows in the last digits.
                assert same(float(found.largest[row, step]), expected.largest, 1e-9)


@given(histograms(), EDGES, EDGES)
@settings(max_examples=200, deadline=None)
def test_a_fraction_is_upstreams(
    histogram: tuple[Values, Values, Mask | None], lower: float, upper: float
) -> None:
    bounds, counts, present = histogram
    found = bucket_fraction(np.full(3, lower), np.full(3, upper), bounds, counts, present)
    for row in range(2):
        for step in range(3):
            buckets = _buckets(bounds, counts, present, row, step)
            assert same(float(found[row, step]), slow.bucket_fraction(lower, upper, buckets)), buckets


@pytest.mark.parametrize(
    ("wanted", "expected"), [(0.5, 1.0), (0.75, 1.5), (1.0, 2.0), (0.25, 0.5), (0.0, 0.0), (-1, -math.inf)]
)
def test_interpolation_is_linear_from_zero(wanted: float, expected: float) -> None:
    bounds = np.array([1.0, 2.0, math.inf])
    counts = np.array([10.0, 20.0, 20.0]).reshape(1, 3, 1)
    assert bucket_quantile(np.array([wanted]), bounds, counts, None).values[0, 0] == expected


@given(
    st.lists(st.integers(-3, 12), min_size=1, max_size=8, unique=True),
    st.lists(st.lists(COUNT, min_size=9, max_size=9), min_size=1, max_size=4),
    st.floats(0, 1),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_of_few_histograms_it_is_the_same(
    edges: list[int], cells: list[list[float]], wanted: float, rising: bool
) -> None:
    bounds = np.array([*sorted(map(float, edges)), math.inf])
    counts = np.array(cells)[:, : len(bounds), np.newaxis]
    if rising:
        counts = np.cumsum(np.nan_to_num(counts), axis=1)
    few = bucket_quantile(np.array([wanted]), bounds, counts, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "_FEW_COUNTS", 0)
        many = bucket_quantile(np.array([wanted]), bounds, counts, None)
    assert np.array_equal(few.values, many.values, equal_nan=True)
    assert (few.forced is None) == (many.forced is None)
    if few.forced is not None and many.forced is not None:
        assert np.array_equal(few.forced, many.forced)
        for one, other in (
            (few.lowest, many.lowest),
            (few.highest, many.highest),
            (few.largest, many.largest),
        ):
            assert one is not None
            assert other is not None
            assert np.array_equal(one[few.forced], other[few.forced], equal_nan=True)
