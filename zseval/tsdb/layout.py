"""Layout: which series the columns of a block are. Consecutive blocks of a table mostly share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from zseval.model.arrays import Ids, Rows

__all__ = ["Layout", "Located", "slice_of"]


class Layout:
    """ids: int32[S], the series of each column, each once; never written to.

    Compared by identity, so that "where in this layout are the series I want" is worth remembering.
    """

    __slots__ = ("__weakref__", "ids")

    made: ClassVar[int] = 0
    """How many there have been: while it stays, every table has the layouts it had."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        Layout.made += 1

    def __len__(self) -> int:
        return len(self.ids)

    def locate(self, wanted: Ids) -> Located | None:
        """Where the wanted series, int32[N] increasing, are among the columns; None where none is."""
        if not len(wanted):
            return None
        rows = np.searchsorted(wanted, self.ids)
        np.minimum(rows, len(wanted) - 1, out=rows)
        columns = np.flatnonzero(wanted[rows] == self.ids)
        if not len(columns):
            return None
        rows = rows[columns]
        if (np.diff(rows) < 0).any():
            order = np.argsort(rows, kind="stable")
            rows, columns = rows[order], columns[order]
        return Located(rows, columns, slice_of(columns))


def slice_of(places: Rows) -> Rows | slice:
    """The same places as a slice where they are consecutive: several times faster to read and to write."""
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 == len(places) and bool((np.diff(places) == 1).all()):
        return slice(first, last + 1)
    return places


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """rows: intp[n], which of the wanted series, increasing.  columns: intp[n], where each of them is.

    place: the columns, as a slice where they are consecutive.
    """

    rows: Rows
    columns: Rows
    place: Rows | slice
