"""Digest: what a long window needs to know of a stretch of samples that lies in it from end to end.

A rule that looks back for hours asks every few seconds about the same sealed blocks. Of a block that a
window covers, rates need the first and last value of each series and whether it fell in between, and extremes
need its extreme: found out once, kept with the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Mask, Rows, Values

__all__ = ["Digest", "Digests", "ends", "largest", "least"]

Digest: TypeAlias = Callable[[Values], tuple[Values, Mask]]
"""Of cells float64[n, R], R above 0: float64[n, 2] and bool[n], the series of which that is not enough."""

_AT_ONCE = 256  # columns decoded at a time: what is in between stays in the cache


def ends(values: Values) -> tuple[Values, Mask]:
    """The first and the last value; not enough where a value is below the one before."""
    fell: Mask = np.logical_or.reduce(values[:, 1:] < values[:, :-1], axis=1)
    return values[:, [0, -1]], fell


def largest(values: Values) -> tuple[Values, Mask]:
    """The largest value, twice; NaN only where all are; not enough where it may be a zero of either sign."""
    return _extreme(values, np.fmax)


def least(values: Values) -> tuple[Values, Mask]:
    """The same for the smallest."""
    return _extreme(values, np.fmin)


def _extreme(values: Values, better: np.ufunc) -> tuple[Values, Mask]:
    best = better.reduce(values, axis=1)
    zero = best == 0
    doubt = zero & ((values == 0) & np.signbit(values)).any(axis=1) if zero.any() else zero
    return np.stack([best, best], axis=1), doubt


class Digests:
    """Digests of whole columns, made when they are first asked for.

    Nothing in here points to the cells: a block that is dropped is to be gone at once, not once the garbage
    is collected.
    """

    __slots__ = ("_count", "_kept")

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: Mapping[Digest, _Kept] = {}

    def of(self, digest: Digest, columns: Rows, decode: Callable[[Rows], Values]) -> tuple[Values, Mask]:
        """float64[n, 2] and bool[n] of some columns. Any thread may ask: two find out the same.

        decode: all rows of some columns, float64[n, R].
        """
        kept = self._kept.get(digest)
        if kept is None:
            kept = _Kept(self._count)
            self._kept = {**self._kept, digest: kept}
        known = kept.known[columns]
        if not known.all():
            wanted = columns[~known]
            for first in range(0, len(wanted), _AT_ONCE):
                some = wanted[first : first + _AT_ONCE]
                kept.values[some], kept.odd[some] = digest(decode(some))
            kept.known[wanted] = True
        return kept.values[columns], kept.odd[columns]


class _Kept:
    """values: float64[S, 2].  odd, known: bool[S]."""

    __slots__ = ("known", "odd", "values")

    def __init__(self, count: int) -> None:
        self.values: Values = np.empty((count, 2), dtype=np.float64)
        self.odd: Mask = np.zeros(count, dtype=np.bool_)
        self.known: Mask = np.zeros(count, dtype=np.bool_)
