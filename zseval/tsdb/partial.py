"""Partial: the cells of a block for series of which some are not in it, as if theirs were absent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.staleness import ABSENT_NAN
from zseval.tsdb.digest import Digest
from zseval.tsdb.stretch import Cells

__all__ = ["NOWHERE", "Partial"]

NOWHERE = -1
"""The column of a series that is not in the block."""


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """Cells by columns of the block, or NOWHERE."""

    inner: Cells

    @property
    def is_full(self) -> bool:
        return False

    def decode(self, columns: Rows, lo: int, hi: int, out: Values, *, absent: bool = True) -> None:
        self.inner.decode(np.maximum(columns, 0), lo, hi, out, absent=absent)
        out[columns == NOWHERE] = ABSENT_NAN

    def take(self, columns: Rows, lo: int, hi: int) -> Values:
        out = np.empty((len(columns), hi - lo), dtype=np.float64)
        self.decode(columns, lo, hi, out)
        return out

    def may_be_absent(self, columns: Rows) -> Mask:
        there = columns != NOWHERE
        found = np.ones(len(columns), dtype=np.bool_)
        found[there] = self.inner.may_be_absent(columns[there])
        return found

    def may_be_stale(self, columns: Rows) -> Mask:
        there = columns != NOWHERE
        found = np.zeros(len(columns), dtype=np.bool_)
        found[there] = self.inner.may_be_stale(columns[there])
        return found

    def empty(self, columns: Rows, lo: int, hi: int) -> tuple[Mask, Mask]:
        absent, stale = self.inner.empty(np.maximum(columns, 0), lo, hi)
        nowhere = columns == NOWHERE
        absent[nowhere], stale[nowhere] = True, False
        return absent, stale

    def occupied(self, lo: int, hi: int) -> Mask:
        return self.inner.occupied(lo, hi)

    def steps(self, columns: Rows, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        """The columns are all in the block: no cell may be empty."""
        return self.inner.steps(columns, lo, hi, out)

    def digest(self, digest: Digest, columns: Rows, lo: int, hi: int) -> tuple[Values, Mask]:
        """The columns are all in the block: no cell may be empty."""
        return self.inner.digest(digest, columns, lo, hi)
