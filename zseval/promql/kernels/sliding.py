"""Order statistics of sliding windows: neighbours share most samples, so they share a sort.

Some windows that follow one another have a core in common; it is sorted once. Each window then has few
samples of its own, and the k-th of the whole is found between the sorted core and those sorted few:
of all ways to take k samples from two sorted lists the one whose larger end is smallest ends with it.
All of that is minima and maxima of whole arrays. A window of 40 samples costs a fifth of its own sort.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from zseval.model.arrays import Rows, Values

__all__ = ["order_statistics", "shared_windows"]

_OWN_SAMPLES = 7
"""Samples a window may have of its own: sorting them takes sixteen comparisons."""

_LEAST_CORE = 8
"""Below, sorting each window by itself is as good."""


def shared_windows(lo: Rows, count: int) -> tuple[int, int]:
    """How many windows share a core, 1 where it would not pay; and by how many rows they follow each other.

    lo: intp[K], first rows of windows of `count` rows.
    """
    if len(lo) < 2:
        return 1, 0
    apart = np.diff(lo)
    distance = int(apart[0])
    if distance < 1 or (apart != distance).any():
        return 1, 0
    size = min(1 + _OWN_SAMPLES // distance, len(lo))
    return (size, distance) if size > 1 and count - distance * (size - 1) >= _LEAST_CORE else (1, 0)


def order_statistics(
    values: Values, start: int, count: int, windows: int, size: int, distance: int, wanted: Sequence[int]
) -> list[Values]:
    """The k-th smallest sample, k from 0, of each window, for each wanted k: float64[S, windows].

    values: float64[S, T] without NaN.  Window w holds rows start + w * distance and the count - 1 after it.
    size: windows that share a core; `windows` is a multiple of it.
    """
    own = distance * (size - 1)
    core_size, stride, groups = count - own, distance * size, windows // size
    series = values.shape[0]
    shared = sliding_window_view(values[:, start + own :], core_size, axis=1)[:, : stride * groups : stride]
    core = np.array(shared, order="C")  # [S, groups, core], a copy always: it is sorted in place
    core.sort(axis=-1)
    first = max(0, min(wanted) + 1 - own)
    last = min(core_size, max(wanted) + 1)
    # What a k-th sample can be of the core, one array [S, groups] for each place from `first` on.
    places = np.ascontiguousarray(np.moveaxis(core[..., max(first - 1, 0) : last], -1, 0))
    found = [np.empty((series, windows)) for _ in wanted]
    for number in range(size):
        few = _sorted_few(values, start, count, number * distance, own, stride, groups)
        for k, result in zip(wanted, found, strict=True):
            result[:, number::size] = _between(places, max(first - 1, 0), core_size, few, k + 1)
    return found


def _sorted_few(
    values: Values, start: int, count: int, passed: int, own: int, stride: int, groups: int
) -> list[Values]:
    """The samples outside the core of the window `passed` rows after its group's first, sorted."""
    before = range(start + passed, start + own)
    after = range(start + count, start + count + passed)
    few = [values[:, row : row + stride * (groups - 1) + 1 : stride] for row in (*before, *after)]
    for low, high in _network(len(few)):
        few[low], few[high] = np.minimum(few[low], few[high]), np.maximum(few[low], few[high])
    return few


def _between(places: Values, first: int, core_size: int, few: Sequence[Values], k: int) -> Values:
    """The k-th smallest, k from 1, of a sorted core and a few sorted others.

    places: float64[n, S, groups], of the core from place `first` (from 0) on.
    """
    best: Values | None = None
    for others in range(max(0, k - core_size), min(len(few), k) + 1):
        of_core = k - others
        if of_core == 0:
            larger = few[others - 1]
        elif others == 0:
            larger = places[of_core - 1 - first]
        else:
            larger = np.maximum(places[of_core - 1 - first], few[others - 1])
        best = larger if best is None else np.minimum(best, larger)
    assert best is not None, "k is between 1 and the size of the window"
    return best


def _network(size: int) -> list[tuple[int, int]]:
    """Comparisons that sort so many values: Batcher's odd-even mergesort (Knuth, TAOCP 3, 5.2.2 M)."""
    pairs: list[tuple[int, int]] = []
    power = 1
    while power < size:
        step = power
        while step >= 1:
            for begin in range(step % power, size - step, 2 * step):
                pairs.extend(
                    (low, low + step)
                    for low in range(begin, min(begin + step, size - step))
                    if low // (2 * power) == (low + step) // (2 * power)
                )
            step //= 2
        power *= 2
    return pairs
