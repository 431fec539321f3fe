"""Limits of native histograms, and classic ones as native ones with custom buckets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.exposition.histograms import custom_histograms
from zseval.exposition.options import finest_schema
from zseval.model.histogram import Histogram


@pytest.mark.parametrize(
    ("factor", "schema"),
    [
        (0, 8),
        (1, 8),
        (1.00271, 8),
        (1.0028, 7),
        (1.1, 2),
        (2, 0),
        (2.5, -1),
        (4, -1),
        (65536, -4),
        (1e300, -4),
        (math.inf, -4),
        (math.nextafter(1, 2), 8),
    ],
)
def test_the_finest_schema_of_a_bucket_factor(factor: float, schema: int) -> None:
    """As tabled in Prometheus' documentation of native_histogram_min_bucket_factor."""
    assert finest_schema(factor) == schema


def one(
    bounds: list[float], cumulative: list[float], count: float | None, total: float = 1.0
) -> Histogram | None:
    counts = None if count is None else np.array([count])
    return custom_histograms(bounds, np.array([cumulative]), counts, np.array([total]))[0]


def test_cumulative_counts_become_buckets() -> None:
    made = one([1.0, 5.0, math.inf], [1, 3, 4], 4)
    assert made == Histogram.parse("{{schema:-53 sum:1 count:4 custom_values:[1 5] buckets:[1 2 1]}}")


def test_a_missing_last_bucket_holds_the_rest() -> None:
    assert one([1.0], [1], 4) == one([1.0, math.inf], [1, 4], 4)


def test_without_a_count_the_last_bucket_says_it() -> None:
    assert one([1.0, 2.0], [1, 4], None) == one([1.0, 2.0, math.inf], [1, 4, 4], 4)
    assert one([], [], None) == one([], [], 0)


def test_short_gaps_of_whole_counts_are_kept_and_long_ones_cut() -> None:
    bounds = [float(number) for number in range(9)]
    made = one(bounds, [0, 1, 1, 1, 2, 2, 2, 2, 3], 3)
    assert made is not None
    assert made.positive.indices.tolist() == [1, 2, 3, 4, 8]
    made = one(bounds, [0, 1.5, 1.5, 1.5, 2, 2, 2, 2, 3], 3)
    assert made is not None
    assert made.positive.indices.tolist() == [1, 4, 8]


@pytest.mark.parametrize(
    ("cumulative", "count"),
    [
        ([3, 2, 4], 4),
        ([-1, 2, 4], 4),
        ([1, 2, 3], 4),
        ([1, 2, math.nan], 3),
        ([1, 2, 3], math.nan),
        ([1, 2, 3], -1),
    ],
)
def test_counts_that_contradict_each_other_make_none(cumulative: list[float], count: float) -> None:
    assert one([1.0, 2.0, math.inf], cumulative, count) is None


def test_fewer_observations_than_in_the_last_bucket_make_none() -> None:
    assert one([1.0, 2.0], [1, 5], 4) is None


@given(
    st.lists(st.lists(st.integers(0, 2**40), min_size=4, max_size=4), min_size=1, max_size=5),
    st.integers(0, 9),
)
def test_what_was_observed_is_in_the_buckets(single: list[list[int]], beyond: int) -> None:
    bounds = [0.5, 1.0, 2.5, 10.0]
    cumulative = np.cumsum(np.array(single, dtype=np.float64), axis=1)
    found = custom_histograms(bounds, cumulative, cumulative[:, -1] + beyond, np.zeros(len(single)))
    for made, counts in zip(found, single, strict=True):
        assert made is not None
        made.validate()
        assert made.count == sum(counts) + beyond
        assert (
            dict(zip(made.positive.indices.tolist(), made.positive.counts.tolist(), strict=True)).items()
            >= {at: float(count) for at, count in enumerate([*counts, beyond]) if count}.items()
        )
