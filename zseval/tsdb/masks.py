"""MaskColumns: the few columns of a block that have empty cells, one bit a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows

__all__ = ["MaskColumns"]


@dataclass(frozen=True, slots=True, eq=False)
class MaskColumns:
    """columns: int32[n], increasing, those with any bit set.  bits: uint8[n, ceil(R / 8)]."""

    columns: NDArray[np.int32]
    bits: NDArray[np.uint8]
    width: int

    @classmethod
    def none(cls, width: int) -> MaskColumns:
        """No bit set in any column of `width` rows."""
        return cls(np.empty(0, dtype=np.int32), np.empty((0, (width + 7) // 8), dtype=np.uint8), width)

    @classmethod
    def of(cls, mask: Mask, first: int = 0) -> MaskColumns:
        """From bool[S, R], whose columns are numbered from `first`."""
        columns = np.flatnonzero(mask.any(axis=1))
        return cls((columns + first).astype(np.int32), np.packbits(mask[columns], axis=1), mask.shape[1])

    @classmethod
    def concat(cls, parts: Sequence[MaskColumns]) -> MaskColumns:
        """All of them; columns in order, at least one part."""
        columns = np.concatenate([part.columns for part in parts])
        return cls(columns, np.concatenate([part.bits for part in parts]), parts[0].width)

    def __len__(self) -> int:
        return len(self.columns)

    def count(self) -> int:
        """How many bits are set."""
        return int(np.count_nonzero(np.unpackbits(self.bits, axis=1, count=self.width)))

    @property
    def nbytes(self) -> int:
        return self.columns.nbytes + self.bits.nbytes

    def touches(self, columns: Rows) -> Mask:
        """bool[len(columns)]: which of them have any bit set."""
        if not len(self.columns):
            return np.zeros(len(columns), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self.columns, columns), len(self.columns) - 1)
        return np.asarray(self.columns[at] == columns)

    def cells_of(self, columns: Rows, lo: int, hi: int) -> Mask:
        """bool[len(columns), hi - lo]: rows lo:hi of these columns."""
        found = np.zeros((len(columns), hi - lo), dtype=np.bool_)
        where, bits = self.rows_of(columns, lo, hi)
        found[where] = bits
        return found

    def rows_of(self, columns: Rows, lo: int, hi: int) -> tuple[Rows, Mask]:
        """Which of `columns` (intp[n], positions in it) have bits, and those: bool[n, hi - lo]."""
        where = np.flatnonzero(self.touches(columns))
        at = np.searchsorted(self.columns, columns[where])
        bits = np.unpackbits(self.bits[at], axis=1, count=self.width)
        return where, bits[:, lo:hi].view(np.bool_)
