"""Gaps: series that share their times but for missing samples, and windows over them.

Missing cells are few. With a value in them that changes nothing (zero for a sum, infinity for an extreme,
a neighbour for the first or last of a window), kernels for series without gaps do: what they find does not
depend on which cells are filled, only what each window counts does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.promql.kernels.missing import Missing
from zseval.promql.kernels.windows import Differences, Phases, Windows

__all__ = ["Counts", "Gaps"]

Counts: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Gaps:
    """Samples of S series of P sources, and K windows over them; no staleness markers.

    values: float64[S, T], of no meaning where not present.  present: bool[S, T].
    phases: when each source was sampled.  lo, hi: intp[K], rows of each window, the same for all sources.
    starts, ends: int64[K], ms; windows are (start, end].
    """

    values: Values
    present: Mask
    phases: Phases
    lo: Rows
    hi: Rows
    starts: Times
    ends: Times

    @property
    def shape(self) -> tuple[int, int]:
        """(S, K)."""
        return len(self.values), len(self.ends)

    @cached_property
    def missing(self) -> Missing:
        """The cells that are not present."""
        return Missing(self.present)

    @cached_property
    def counts(self) -> Counts:
        """int32[S, K]: samples in each window."""
        series, rows = self.present.shape
        held = np.zeros((series, rows + 1), dtype=np.int32)
        np.cumsum(self.present, axis=1, out=held[:, 1:])
        return Differences(self.lo, self.hi).of(held)

    def holding(self, least: int) -> Mask | None:
        """bool[S, K]: windows with at least so many samples; None where all have."""
        enough = self.counts >= least
        return None if enough.all() else enough

    def filled(self, value: float) -> Values:
        """float64[S, T], fresh: the values, with `value` where one is missing."""
        values = self.values.copy()
        values.ravel()[self.missing.cells] = value
        return values

    def over(self, values: Values) -> Windows:
        """The windows over values that were filled in, as if none were missing."""
        times = self.phases.times[0]
        return Windows(values, times, self.lo, self.hi, self.starts, self.ends, self.phases)

    def windows(self, series: Rows) -> Windows:
        """The windows of some series of one source, gaps closed."""
        times = self.phases.times[self.phases.of[series[0]]]
        width = int(self.ends[0] - self.starts[0])
        return Windows.with_gaps(times, self.values[series], self.present[series], self.ends, width)

    def by_source(self, series: Rows) -> list[Rows]:
        """Some of the series, those of each source by themselves."""
        of = self.phases.of[series]
        return [series[of == source] for source in np.unique(of).tolist()]
