"""Order statistics of windows that share a sort are those of each window sorted by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zseval.promql.kernels.sliding import _network, order_statistics, shared_windows


@pytest.mark.parametrize("size", range(8))
def test_the_network_sorts_every_permutation(size: int) -> None:
    for values in itertools.permutations(range(size)):
        found = list(values)
        for low, high in _network(size):
            found[low], found[high] = min(found[low], found[high]), max(found[low], found[high])
        assert found == sorted(values)


@given(
    distance=st.integers(1, 7),
    count=st.integers(9, 30),
    windows=st.integers(1, 24),
    start=st.integers(0, 3),
    data=st.data(),
)
def test_the_kth_of_each_window_is_as_if_it_were_sorted(
    distance: int, count: int, windows: int, start: int, data: st.DataObject
) -> None:
    lo = start + distance * np.arange(windows, dtype=np.intp)
    size, found_distance = shared_windows(lo, count)
    if size == 1:
        return
    assert found_distance == distance
    windows = windows // size * size
    values = data.draw(
        hnp.arrays(
            np.float64,
            (2, int(lo[-1]) + count),
            elements=st.sampled_from([0.0, -1.5, 2.0, 3.0, np.inf, -np.inf, 1e300, 7.25]) | st.floats(-9, 9),
        )
    )
    wanted = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=3))
    found = order_statistics(values, start, count, windows, size, distance, wanted)
    for k, result in zip(wanted, found, strict=True):
        for window in range(windows):
            cells = np.sort(values[:, lo[window] : lo[window] + count], axis=1)
            assert np.array_equal(result[:, window], cells[:, k])


def test_windows_share_nothing_where_they_are_uneven_short_or_far_apart() -> None:
    assert shared_windows(np.array([0, 1, 3]), 40) == (1, 0)
    assert shared_windows(np.array([0, 1, 2]), 5) == (1, 0)
    assert shared_windows(np.array([0, 8, 16]), 40) == (1, 0)
    assert shared_windows(np.array([0]), 40) == (1, 0)
    assert shared_windows(np.arange(100), 40) == (8, 1)


def test_the_samples_stay_as_they_were() -> None:
    """One series and one group: the shared rows lie together in the samples themselves."""
    values = np.arange(40.0)[None, ::-1].copy()
    lo = np.array([9, 14])
    size, distance = shared_windows(lo, 26)
    assert size == 2
    (smallest,) = order_statistics(values, 9, 26, 2, size, distance, [0])
    assert smallest.tolist() == [[5.0, 0.0]]
    assert values.tolist() == [np.arange(40.0)[::-1].tolist()]
