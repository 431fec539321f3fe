"""quantile_over_time of series that share their times but for missing samples.

Missing samples sort last, as infinity: the k-th smallest sample is then the k-th smallest cell, and only k
depends on how many samples a window has. Most windows of so many rows have all of them or some less, so
that a few k serve them all, and windows that follow one another share their sorts as where nothing is
missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.gaps import Counts, Gaps
from zseval.promql.kernels.quantile import CELLS, Sharing, of_sorted, place_of
from zseval.promql.kernels.windows import places

__all__ = ["quantile_over_time"]

_MOST_MISSING = 6
"""Windows with more samples missing are sorted one by one."""

_FEW = 0.01
"""This part of the windows may be sorted one by one before places for one more missing sample pay."""


def quantile_over_time(gaps: Gaps, wanted: Values) -> tuple[Values, Mask | None]:
    """As `quantile.quantile_over_time`."""
    result = np.zeros(gaps.shape)
    left = gaps.counts > 0  # [S, K]
    sharing = Sharing.of(gaps.lo, gaps.hi - gaps.lo, wanted) if gaps.values.size else None
    if sharing is not None:
        numbers = np.flatnonzero(~(np.isnan(gaps.values) & gaps.present).any(axis=1))
        if len(numbers):
            _shared(result, left, gaps, numbers, sharing, float(wanted[0]))
    filled = gaps.filled(np.nan)
    for series, steps, cells in _windows(filled, left, gaps):
        cells.sort(axis=-1)
        result[series, steps] = of_sorted(cells, gaps.counts[series, steps], wanted[steps])
    return result, gaps.holding(1)


def _shared(result: Values, left: Mask, gaps: Gaps, numbers: Rows, sharing: Sharing, wanted: float) -> None:
    """The quantiles of windows that can share sorts. result, left: [S, K], written to.

    numbers: intp[N], the series without NaN.
    """
    missing = sharing.count - gaps.counts[numbers, sharing.steps]  # [N, windows]
    sorts = [place_of(wanted, sharing.count - number) for number in range(_missing_below(missing, sharing))]
    if not sorts:
        return
    needed = sorted({place for low, high, _ in sorts for place in (low, high)})
    filled = gaps.filled(np.inf)
    for part in sharing.parts(len(numbers)):
        some = numbers[part]
        found = dict(zip(needed, sharing.places(filled[some], needed), strict=True))
        quantiles = np.zeros((len(some), sharing.windows))
        for number, (low, high, weight) in enumerate(sorts):
            cells = np.flatnonzero(missing[part] == number)
            with np.errstate(invalid="ignore", over="ignore"):
                lower, upper = found[low].ravel()[cells], found[high].ravel()[cells]
                quantiles.ravel()[cells] = lower * (1 - weight) + upper * weight
        result[some, sharing.steps] = quantiles
        left[some, sharing.steps] &= missing[part] >= len(sorts)


def _missing_below(missing: Counts, sharing: Sharing) -> int:
    """Places of windows that miss fewer samples than this are looked for; 0 where that serves too few."""
    cells = np.bincount(missing.ravel(), minlength=sharing.count + 1)
    beyond = missing.size - np.cumsum(cells)  # windows with more missing than so many
    most = min(_MOST_MISSING, sharing.count - 1)
    if beyond[most] > missing.size // 2:
        return 0
    return min(int(np.count_nonzero(beyond > _FEW * missing.size)), most) + 1


def _windows(filled: Values, chosen: Mask, gaps: Gaps) -> Iterator[tuple[Rows, Rows, Values]]:
    """The cells of windows chosen, bool[S, K]: series, steps and float64[P, n], fresh; those of a length
    together.
    """
    lengths = gaps.hi - gaps.lo
    for length in np.unique(lengths).tolist():
        of_length = np.flatnonzero(lengths == length)
        series, steps = places(chosen[:, of_length])
        if not len(series):
            continue
        steps = of_length[steps]
        rows = sliding_window_view(filled, length, axis=1)
        size = max(1, CELLS // length)
        for first in range(0, len(series), size):
            part = slice(first, first + size)
            yield series[part], steps[part], rows[series[part], gaps.lo[steps[part]]]
