"""double_exponential_smoothing: Holt's linear smoothing of each window.

Each smoothed value needs the one before, so the loop is over the rows of a window; all windows of all
series take each step together. Source: promql/functions.go (funcDoubleExponentialSmoothing).
"""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Mask, Values
from zseval.promql.kernels.sums import window_samples
from zseval.promql.kernels.windows import Windows

__all__ = ["double_exponential_smoothing"]


def double_exponential_smoothing(w: Windows, smoothing: Values, trend: Values) -> tuple[Values, Mask | None]:
    """The last smoothed value of each window, [S, K]; absent below two samples.

    smoothing, trend: float64[K], each between 0 and 1 (not checked here).
    """
    result = np.zeros(w.shape)
    series, steps = np.nonzero(np.broadcast_to(w.counts >= 2, w.shape))
    with np.errstate(invalid="ignore", over="ignore"):
        for batch, samples in window_samples(w, series, steps):
            at = steps[batch]
            result[series[batch], at] = _smoothed(samples, smoothing[at], trend[at])
    return result, w.holding(2)


def _smoothed(samples: list[Values], smoothing: Values, trend: Values) -> Values:
    """float64[P], of a batch of `window_samples` with at least two samples each."""
    level = samples[0].copy()
    before = level.copy()
    slope = samples[1] - samples[0]
    for row, value in enumerate(samples[1:]):
        live = slice(len(value))
        if row:
            slope[live] = trend[live] * (level[live] - before[live]) + (1 - trend[live]) * slope[live]
        moved = smoothing[live] * value + (1 - smoothing[live]) * (level[live] + slope[live])
        before[live] = level[live]
        level[live] = moved
    return level
