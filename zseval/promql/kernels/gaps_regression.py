"""deriv and predict_linear of series that share their times but for missing samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels import regression
from zseval.promql.kernels.gaps import Gaps
from zseval.promql.kernels.windows import Windows

__all__ = ["deriv", "predict_linear"]


def deriv(gaps: Gaps) -> tuple[Values, Mask | None]:
    """As `regression.deriv`."""
    slopes = _fitted(gaps, None)
    _level(slopes, gaps, None)
    return slopes, gaps.holding(2)


def predict_linear(gaps: Gaps, ahead: Values) -> tuple[Values, Mask | None]:
    """As `regression.predict_linear`."""
    there = _fitted(gaps, ahead)
    _level(there, gaps, ahead)
    return there, gaps.holding(2)


def _fitted(gaps: Gaps, ahead: Values | None) -> Values:
    phases = gaps.phases
    found, odd = regression.fitted(
        gaps.values, gaps.present, phases.times, phases.of, gaps.lo, gaps.hi, gaps.ends, ahead
    )
    regression.fit_singly(found, _closed(gaps, odd), ahead)
    return found


def _closed(gaps: Gaps, series: Rows) -> Iterator[tuple[Rows, Windows]]:
    """The windows of some series, those of each source by themselves."""
    for some in gaps.by_source(series):
        yield some, gaps.windows(some)


def _level(result: Values, gaps: Gaps, ahead: Values | None) -> None:
    """`regression.level` for the series that rest often enough to fill a window."""
    if not gaps.values.size:
        return
    before = gaps.missing.before(gaps.values)
    rests = np.count_nonzero(before[:, 1:] == before[:, :-1], axis=1)
    rests -= np.count_nonzero(~gaps.present[:, 1:] & ~np.isnan(before[:, 1:]), axis=1)  # filled in
    for series, w in _closed(gaps, np.flatnonzero(rests >= regression.least_rests(gaps.counts))):
        regression.level(result, series, w, ahead)
