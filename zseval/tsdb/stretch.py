"""Stretch: cells of one block that a frame consists of, read when somebody wants them.

A frame of many series is many megabytes once decoded. Whoever goes through it chunk by chunk decodes
a chunk at a time, so that cells are used while they are in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.tsdb.digest import Digest

__all__ = ["Cells", "Stretch", "Stretches"]


class Cells(Protocol):
    """Cells that can be read by column and row, from any thread."""

    def decode(self, columns: Rows, lo: int, hi: int, out: Values, *, absent: bool = True) -> None:
        """Rows lo:hi of the columns into out, float64[n, hi - lo].

        absent: whether absent cells are written as such; else they may become anything.
        """
        ...

    def take(self, columns: Rows, lo: int, hi: int) -> Values:
        """The same as an array of its own or, where possible, a view."""
        ...

    @property
    def is_full(self) -> bool:
        """True only if no cell is absent or a staleness marker."""
        ...

    def may_be_absent(self, columns: Rows) -> Mask:
        """bool[n], False where a column surely has no absent cell."""
        ...

    def may_be_stale(self, columns: Rows) -> Mask:
        """bool[n], False where a column surely has no staleness marker."""
        ...

    def empty(self, columns: Rows, lo: int, hi: int) -> tuple[Mask, Mask]:
        """bool[n, hi - lo] each: cells that are absent, and those that are staleness markers."""
        ...

    def occupied(self, lo: int, hi: int) -> Mask:
        """bool[S], which columns have a cell in rows lo:hi."""
        ...

    def steps(self, columns: Rows, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        """How much the cells of rows lo:hi go up from each to the next, into out, float64[n, hi - lo - 1].

        Returns the first and the last of them, float64[n]; no cell may be empty.
        """
        ...

    def digest(self, digest: Digest, columns: Rows, lo: int, hi: int) -> tuple[Values, Mask]:
        """The digest of rows lo:hi of the columns, float64[n, 2] and bool[n]; no cell may be empty."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Rows lo:hi of some columns of a block. columns: intp[S]."""

    cells: Cells
    columns: Rows
    lo: int
    hi: int

    @property
    def length(self) -> int:
        return self.hi - self.lo


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """The same S series in consecutive stretches.

    shape: (S, T), T rows together.
    """

    parts: Sequence[Stretch]
    shape: tuple[int, int]

    @classmethod
    def of(cls, parts: Sequence[Stretch]) -> Stretches:
        return cls(parts, (len(parts[0].columns), sum(part.length for part in parts)))

    def decode(self, series: slice | Rows = slice(None), *, absent: bool = True) -> Values:
        """float64[n, T] of some of the series; perhaps a view. absent: as `Cells.decode`."""
        if len(self.parts) == 1:
            part = self.parts[0]
            return part.cells.take(part.columns[series], part.lo, part.hi)
        columns = [part.columns[series] for part in self.parts]
        values = np.empty((len(columns[0]), self.shape[1]), dtype=np.float64)
        start = 0
        for part, wanted in zip(self.parts, columns, strict=True):
            end = start + part.length
            part.cells.decode(wanted, part.lo, part.hi, values[:, start:end], absent=absent)
            start = end
        return values

    def steps(self, series: slice | Rows = slice(None)) -> tuple[Values, Values]:
        """The first values, float64[n], and by how much each later one is above that before it,
        float64[n, T - 1]; no cell may be empty.
        """
        columns = [part.columns[series] for part in self.parts]
        steps = np.empty((len(columns[0]), self.shape[1] - 1), dtype=np.float64)
        first = before = np.empty(0)
        start = 0
        for part, wanted in zip(self.parts, columns, strict=True):
            end = start + part.length
            begins, ends = part.cells.steps(wanted, part.lo, part.hi, steps[:, start : end - 1])
            if start:
                np.subtract(begins, before, out=steps[:, start - 1])
            else:
                first = begins
            before, start = ends, end
        return first, steps

    def empty(self) -> tuple[Mask, Mask]:
        """bool[S, T] each: cells that are absent, and those that are staleness markers; fresh."""
        parts = [part.cells.empty(part.columns, part.lo, part.hi) for part in self.parts]
        absent, stale = zip(*parts, strict=True)
        return np.concatenate(absent, axis=1), np.concatenate(stale, axis=1)

    def pick(self, series: slice | Rows) -> Stretches:
        """Some of the series."""
        return Stretches.of(
            [Stretch(part.cells, part.columns[series], part.lo, part.hi) for part in self.parts]
        )

    def between(self, lo: int, hi: int) -> Stretches:
        """Rows lo:hi of the T; at least one."""
        kept, start = [], 0
        for part in self.parts:
            first, last = max(lo - start, 0), min(hi - start, part.length)
            if first < last:
                kept.append(Stretch(part.cells, part.columns, part.lo + first, part.lo + last))
            start += part.length
        return Stretches(kept, (self.shape[0], hi - lo))
