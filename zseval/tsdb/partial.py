"""Partial: the cells of a block for series of which some are not in it, as if theirs were absent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.staleness import ABSENT_NAN
from zseval.tsdb.stretch import Cells
from zseval.tsdb.strips import Strip

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

    def decode(self, columns: Rows, lo: int, hi: int, out: Values) -> None:
        there = np.flatnonzero(columns != NOWHERE)
        if len(there) < len(columns):
            out[:] = ABSENT_NAN
        out[there] = self.inner.take(columns[there], lo, hi) if len(there) else 0.0

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
        absent = np.ones((len(columns), hi - lo), dtype=np.bool_)
        stale = np.zeros_like(absent)
        there = np.flatnonzero(columns != NOWHERE)
        if len(there):
            absent[there], stale[there] = self.inner.empty(columns[there], lo, hi)
        return absent, stale

    def occupied(self, lo: int, hi: int) -> Mask:
        return self.inner.occupied(lo, hi)

    def strips(self, columns: Rows, lo: int, hi: int) -> Iterable[Strip]:
        """The columns are all in the block: no cell may be empty."""
        return self.inner.strips(columns, lo, hi)
