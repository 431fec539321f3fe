"""Cohort: the newest samples of many sources side by side, each with times of its own.

What rules and instant queries ask for is minutes long and not yet encoded. Each source would be a frame
of a few cells, and going through frame after frame costs more than the cells: so those that have equally
many rows become one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zseval.model.arrays import Rows, Times, Values
from zseval.tsdb.frame import Frame
from zseval.tsdb.layout import Located

__all__ = ["Cohort", "Recent", "cohorts"]


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """Rows of one open block, none of them a marker or absent. located: which of the wanted series, where.

    times: int64[T].  values: float64[C, R], the block's; these rows begin at `first`.
    """

    located: Located
    times: Times
    values: Values
    first: int


@dataclass(frozen=True, eq=False)
class Cohort:
    """T samples of each of S series, from P sources; no markers. Nothing in it may be written to.

    parts: the sources.  rows: intp[S], which series of the Selection these are, source by source.
    of: intp[S], the source of each.  times: int64[P, T], ms, increasing.
    """

    parts: Sequence[Recent]
    rows: Rows
    of: Rows
    times: Times

    @classmethod
    def joined(cls, parts: Sequence[Recent]) -> Cohort:
        """parts: with equally many rows, at least one part."""
        rows = [part.located.rows for part in parts]
        of = np.repeat(np.arange(len(parts), dtype=np.intp), [len(some) for some in rows])
        times = np.concatenate([part.times for part in parts]).reshape(len(parts), -1)
        return cls(parts, np.concatenate(rows), of, times)

    @property
    def size(self) -> int:
        """How many cells it has."""
        return len(self.rows) * int(self.times.shape[1])

    @cached_property
    def values(self) -> Values:
        """float64[S, T], all of them."""
        return self.between(0, self.times.shape[1])

    def between(self, lo: int, hi: int) -> Values:
        """float64[S, hi - lo], some of the T rows of all series."""
        out = np.empty((len(self.rows), hi - lo))
        start = 0
        for part in self.parts:
            end = start + len(part.located.rows)
            out[start:end] = part.values[part.located.place, part.first + lo : part.first + hi]
            start = end
        return out

    def frames(self) -> list[Frame]:
        """Each source by itself."""
        length = self.times.shape[1]
        return [
            Frame(
                part.located.rows,
                part.times,
                part.values[part.located.place, part.first : part.first + length],
                None,
                has_stale=False,
            )
            for part in self.parts
        ]


def cohorts(parts: Sequence[Recent]) -> tuple[Cohort, ...]:
    """Those with equally many rows together; those without any left out."""
    by_length: dict[int, list[Recent]] = {}
    for part in parts:
        by_length.setdefault(len(part.times), []).append(part)
    return tuple(Cohort.joined(alike) for length, alike in by_length.items() if length)
