"""Functions over windows of series that share their times but for missing samples: `over_time` with gaps.

What is missing is filled in with what the function does not see; how many samples a window has is counted.
The results are those of the same samples with the gaps closed, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels import extremes, over_time
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.sums import window_sums
from zseval.promql.kernels.windows import Windows, take

__all__ = [
    "avg_over_time",
    "count_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "sum_over_time",
]

_Kernel = Callable[[Windows], tuple[Values, Mask | None]]


def max_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `extremes.max_over_time`."""
    return _best(gaps, extremes.max_over_time, -np.inf)


def min_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `extremes.min_over_time`."""
    return _best(gaps, extremes.min_over_time, np.inf)


def _best(gaps: Gaps, kernel: _Kernel, worst: float) -> tuple[Values, Mask | None]:
    values = gaps.filled(worst)
    if np.isnan(values).any():  # then any number is better than what is filled in, as it is than a sample
        values = gaps.filled(np.nan)
    return kernel(gaps.over(values))[0], gaps.holding(1)


def sum_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.sum_over_time`."""
    sums = window_sums(gaps.over(gaps.filled(0.0)))
    result = sums.rounded()
    _one_by_one(result, *sums.doubtful(), gaps, over_time.sum_over_time)
    return result, gaps.holding(1)


def avg_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.avg_over_time`."""
    sums = window_sums(gaps.over(gaps.filled(0.0)))
    counts = np.maximum(gaps.counts, 1).astype(np.float64)
    result = sums.total / counts
    if sums.rest is not None:
        result += sums.rest / counts
    _one_by_one(result, *sums.doubtful(), gaps, over_time.avg_over_time)
    return result, gaps.holding(1)


def _one_by_one(result: Values, series: Rows, steps: Rows, gaps: Gaps, kernel: _Kernel) -> None:
    """What the kernel says of some series at some steps, gaps closed. result: float64[S, K], written to."""
    if not len(series):
        return
    doubtful = np.zeros(gaps.shape, dtype=np.bool_)
    doubtful[series, steps] = True
    for some in gaps.by_source(np.unique(series)):
        found, _ = kernel(gaps.windows(some))
        result[some] = np.where(doubtful[some], found, result[some])


def count_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.count_over_time`."""
    return gaps.counts.astype(np.float64), gaps.holding(1)


def present_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.present_over_time`."""
    return np.ones(gaps.shape), gaps.holding(1)


def first_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.first_over_time`."""
    return take(gaps.missing.after(gaps.values), gaps.lo), gaps.holding(1)


def last_over_time(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `over_time.last_over_time`."""
    return take(gaps.missing.before(gaps.values), gaps.hi - 1), gaps.holding(1)
