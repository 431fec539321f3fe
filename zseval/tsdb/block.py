"""Block: a stretch of a table, R times and S series. The newest is open, the others are sealed.

An open block is plain arrays, `values float64[C, R]` with a few spare columns. Rows only ever get
appended and a written cell never changes, so a view of written cells stays true while the block grows;
what cannot be done that way (more columns, deletion) makes new arrays. A sealed block is immutable. One
that was wide is sealed as it is, and its columns are encoded some at a time, so that nothing waits for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, Times, Values
from zseval.model.staleness import ABSENT_NAN, is_absent, is_stale
from zseval.tsdb.codec import CHUNK, Columns, Encoder, encode
from zseval.tsdb.digest import Digest, Digests, ends
from zseval.tsdb.forms import steps_of
from zseval.tsdb.layout import Layout
from zseval.tsdb.stretch import Cells

__all__ = ["Encoding", "OpenBlock", "OpenCells", "SealedBlock"]

_STEP_LEAST, _STEPS = 256, 8  # columns encoded at a time; the most steps it takes
_NUMBERS = itertools.count()
_LEAST_SPARE = 4
_SPARE_SHARE = 16  # one spare column for this many: a target that changes a little does not cost a new block


@dataclass(frozen=True, slots=True, eq=False)
class OpenCells:
    """The rows an open block had at one moment. Later rows and columns are not looked at.

    values: float64[C, R], the block's own array.  absent, stale: bool[S], copies.
    """

    values: Values
    absent: Mask
    stale: Mask
    is_full: bool

    @classmethod
    def of(cls, values: Values, absent: Mask, stale: Mask) -> OpenCells:
        return cls(values, absent, stale, not (absent.any() or stale.any()))

    def decode(self, columns: Rows, lo: int, hi: int, out: Values, *, absent: bool = True) -> None:
        out[:] = self.values[columns, lo:hi]

    def take(self, columns: Rows, lo: int, hi: int) -> Values:
        first, last = int(columns[0]), int(columns[-1])
        if last - first + 1 == len(columns) and (np.diff(columns) == 1).all():
            return self.values[first : last + 1, lo:hi]
        return self.values[columns, lo:hi]

    def may_be_absent(self, columns: Rows) -> Mask:
        return self.absent[columns]

    def may_be_stale(self, columns: Rows) -> Mask:
        return self.stale[columns]

    def empty(self, columns: Rows, lo: int, hi: int) -> tuple[Mask, Mask]:
        values = self.take(columns, lo, hi)
        return is_absent(values), is_stale(values)

    def occupied(self, lo: int, hi: int) -> Mask:
        occupied = ~self.absent
        doubtful = np.flatnonzero(self.absent)
        occupied[doubtful] = ~is_absent(self.values[doubtful, lo:hi]).all(axis=1)
        return occupied

    def steps(self, columns: Rows, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        return steps_of(self.take(columns, lo, hi), out)

    def digest(self, digest: Digest, columns: Rows, lo: int, hi: int) -> tuple[Values, Mask]:
        return digest(self.take(columns, lo, hi))


class SealedCells:
    """Encoded columns as Cells."""

    __slots__ = ("_digests", "encoded", "is_full")

    def __init__(self, encoded: Columns) -> None:
        self.encoded = encoded
        self.is_full = not (len(encoded.absent) or len(encoded.stale))
        self._digests = Digests(len(encoded))

    def decode(self, columns: Rows, lo: int, hi: int, out: Values, *, absent: bool = True) -> None:
        self.encoded.decode(columns, lo, hi, out, absent=absent)

    def take(self, columns: Rows, lo: int, hi: int) -> Values:
        out = np.empty((len(columns), hi - lo), dtype=np.float64)
        self.encoded.decode(columns, lo, hi, out)
        return out

    def may_be_absent(self, columns: Rows) -> Mask:
        return self.encoded.absent.touches(columns)

    def may_be_stale(self, columns: Rows) -> Mask:
        return self.encoded.stale.touches(columns)

    def empty(self, columns: Rows, lo: int, hi: int) -> tuple[Mask, Mask]:
        encoded = self.encoded
        return encoded.absent.cells_of(columns, lo, hi), encoded.stale.cells_of(columns, lo, hi)

    def occupied(self, lo: int, hi: int) -> Mask:
        columns = np.arange(len(self.encoded), dtype=np.intp)
        where, empty = self.encoded.absent.rows_of(columns, lo, hi)
        occupied = np.ones(len(columns), dtype=np.bool_)
        occupied[where] = ~empty.all(axis=1)
        return occupied

    def steps(self, columns: Rows, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        return self.encoded.steps(columns, lo, hi, out)

    def digest(self, digest: Digest, columns: Rows, lo: int, hi: int) -> tuple[Values, Mask]:
        whole = hi - lo == self.encoded.rows
        if not whole and digest is not ends:
            return digest(self.take(columns, lo, hi))
        values, odd = self._digests.of(digest, columns, self._whole)
        if lo > 0:  # a single row costs little; what falls in the block may fall in these rows
            values[:, :1] = self.take(columns, lo, lo + 1)
        if hi < self.encoded.rows:
            values[:, 1:] = self.take(columns, hi - 1, hi)
        return values, odd

    def _whole(self, columns: Rows) -> Values:
        return self.take(columns, 0, self.encoded.rows)


class SealedBlock:
    """S columns under R shared times.

    Only `layout` is replaced, when series are renumbered, and the times moved, when the clock was set.
    samples: how many cells hold one.  nbytes: of its arrays, without the layout, which it mostly shares.
    is_encoded: False for cells that are still as they were written.
    """

    __slots__ = (
        "_offsets", "cells", "is_encoded", "layout", "max_time_ms", "min_time_ms", "nbytes", "samples"
    )  # fmt: skip

    def __init__(
        self, layout: Layout, times: Times, cells: Cells, *, nbytes: int, absent: int, is_encoded: bool
    ) -> None:
        """nbytes: what the cells take.  absent: how many of them hold no sample."""
        self.layout = layout
        self.is_encoded = is_encoded
        self.min_time_ms, self.max_time_ms = int(times[0]), int(times[-1])
        offsets = times - times[0]
        fits = self.max_time_ms - self.min_time_ms < 2**31
        self._offsets: NDArray[np.int32] | Times = offsets.astype(np.int32) if fits else offsets
        self.cells = cells
        self.samples = len(times) * len(layout) - absent
        self.nbytes: int = nbytes + self._offsets.nbytes

    @classmethod
    def encoded(cls, layout: Layout, times: Times, columns: Columns) -> SealedBlock:
        absent = columns.absent.count()
        return cls(layout, times, SealedCells(columns), nbytes=columns.nbytes, absent=absent, is_encoded=True)

    @classmethod
    def of(cls, layout: Layout, times: Times, values: Values) -> SealedBlock:
        """Encode float64[S, R]."""
        return cls.encoded(layout, times, encode(values))

    @classmethod
    def as_written(cls, layout: Layout, times: Times, cells: OpenCells) -> SealedBlock:
        """Of the first R rows of cells, all of whose columns are in one of them."""
        values = cells.values[: len(layout), : len(times)]
        absent = 0 if cells.is_full else int(np.count_nonzero(is_absent(values)))
        return cls(layout, times, cells, nbytes=cells.values.nbytes, absent=absent, is_encoded=False)

    @property
    def times(self) -> Times:
        """int64[R], fresh."""
        return self._offsets.astype(np.int64) + self.min_time_ms

    @property
    def rows(self) -> int:
        return len(self._offsets)

    def shift(self, delta_ms: int) -> None:
        """Move all times."""
        self.min_time_ms += delta_ms
        self.max_time_ms += delta_ms

    def decode_all(self) -> Values:
        """All of its cells: float64[S, R], fresh."""
        values = np.empty((len(self.layout), self.rows), dtype=np.float64)
        self.cells.decode(np.arange(len(values), dtype=np.intp), 0, self.rows, values)
        return values

    def without(self, columns: Rows, lo: int, hi: int) -> tuple[SealedBlock | None, int]:
        """This block less rows lo:hi of these columns, and how many samples went; None for an empty one."""
        values = self.decode_all()
        taken = int(np.count_nonzero(~is_absent(values[columns, lo:hi])))
        if not taken:
            return self, 0
        values[columns, lo:hi] = ABSENT_NAN
        empty = is_absent(values)
        rows, kept = np.flatnonzero(~empty.all(axis=0)), np.flatnonzero(~empty.all(axis=1))
        if not len(kept):
            return None, taken
        layout = self.layout if len(kept) == len(values) else Layout(self.layout.ids[kept])
        return SealedBlock.of(layout, self.times[rows], values[np.ix_(kept, rows)]), taken


class Encoding:
    """One encoded block in the making, some columns at a time: of consecutive blocks that have the same
    layout, or of one that is as it was written.

    blocks: what it is made of; if they are not what the table has at the end, the work was for nothing.
    """

    __slots__ = ("_encoder", "_rows", "blocks")

    def __init__(self, blocks: Sequence[SealedBlock]) -> None:
        self.blocks = blocks
        self._rows = sum(block.rows for block in blocks)
        self._encoder = Encoder(self._rows)

    def advance(self) -> SealedBlock | None:
        """Go on by some columns; the block where those were the last."""
        start, layout = self._encoder.count, self.blocks[0].layout
        wanted = max(_STEP_LEAST, -(-len(layout) // _STEPS))
        end = min(start + wanted, len(layout))
        for first in range(start, end, CHUNK):
            self._encoder.add(self._values(first, min(first + CHUNK, end)))
        if self._encoder.count < len(layout):
            return None
        times = np.concatenate([block.times for block in self.blocks])
        return SealedBlock.encoded(layout, times, self._encoder.columns())

    def _values(self, first: int, last: int) -> Values:
        """Of some columns, all rows."""
        columns = np.arange(first, last, dtype=np.intp)
        values = np.empty((len(columns), self._rows), dtype=np.float64)
        at = 0
        for block in self.blocks:
            block.cells.decode(columns, 0, block.rows, values[:, at : at + block.rows])
            at += block.rows
        return values


class OpenBlock:
    """The block rows are appended to. Guarded by the lock of its TSDB.

    layout: the columns in use.  rows: how many are filled, the last perhaps still in part.
    number: no other has it.
    """

    __slots__ = ("_absent", "_seen", "_stale", "_times", "_values", "_written", "layout", "number", "rows")

    def __init__(self, layout: Layout, rows: int) -> None:
        used = len(layout)
        capacity = used + max(_LEAST_SPARE, used // _SPARE_SHARE)
        self.layout = layout
        self.number = next(_NUMBERS)
        self.rows = 0
        self._times: Times = np.zeros(rows, dtype=np.int64)
        self._values: Values = np.full((capacity, rows), ABSENT_NAN)
        self._absent: Mask = np.zeros(capacity, dtype=np.bool_)
        self._stale: Mask = np.zeros(capacity, dtype=np.bool_)
        self._written = 0  # cells of the last row
        self._seen: OpenCells | None = None  # what could be read since the last change

    @property
    def times(self) -> Times:
        """int64[rows], a view."""
        return self._times[: self.rows]

    @property
    def values(self) -> Values:
        """float64[C, R], the array itself; its first `rows` rows mean something, in the columns in use."""
        return self._values

    def read_row(self, row: int, columns: Rows | slice, out: Values) -> int:
        """The values of a row in some columns, to `out`; its time."""
        out[:] = self._values[columns, row]
        time_ms: int = self._times.item(row)
        return time_ms

    @property
    def is_full(self) -> bool:
        return self.rows == len(self._times)

    @property
    def spare(self) -> int:
        return len(self._values) - len(self.layout)

    @property
    def max_rows(self) -> int:
        return len(self._times)

    @property
    def nbytes(self) -> int:
        return self._values.nbytes + self._times.nbytes + self._absent.nbytes + self._stale.nbytes

    @property
    def samples(self) -> int:
        """How many cells hold a sample."""
        doubtful = np.flatnonzero(self.cells().absent)
        absent = np.count_nonzero(is_absent(self._values[doubtful, : self.rows])) if len(doubtful) else 0
        return len(self.layout) * self.rows - int(absent)

    def shift(self, delta_ms: int) -> None:
        """Move all times. Views of the earlier ones stay as they are."""
        times = self._times.copy()
        times[: self.rows] += delta_ms
        self._times = times

    def begin_row(self, timestamp_ms: int) -> None:
        """The next cells are written at this time."""
        self._seen = None
        self._note_gaps(self._absent)
        self._times[self.rows] = timestamp_ms
        self.rows += 1
        self._written = 0

    def write(self, columns: Rows | slice, values: Values, *, has_stale: bool) -> None:
        """Cells of the last row that are still absent."""
        self._seen = None
        self._values[columns, self.rows - 1] = values
        self._written += len(values)
        if has_stale:
            self._stale[columns] |= is_stale(values)

    def add_columns(self, ids: Ids, *, earlier_rows: int) -> None:
        """Give spare columns to new series; there must be enough."""
        self._seen = None
        used = len(self.layout)
        self.layout = Layout(np.concatenate([self.layout.ids, ids]))
        self._absent[used : used + len(ids)] = earlier_rows > 0

    def widen(self, ids: Ids, *, earlier_rows: int, rows: int) -> None:
        """The same for more series than there are spare columns: new arrays, with room for `rows` rows."""
        self._seen = None
        used, added = len(self.layout), len(ids)
        wider = OpenBlock(Layout(np.concatenate([self.layout.ids, ids])), max(rows, self.rows))
        wider._times[: self.rows] = self.times
        wider._values[:used, : self.rows] = self._values[:used, : self.rows]
        wider._absent[:used], wider._stale[:used] = self._absent[:used], self._stale[:used]
        wider._absent[used : used + added] = earlier_rows > 0
        self.layout = wider.layout
        self._times, self._values = wider._times, wider._values
        self._absent, self._stale = wider._absent, wider._stale

    def lengthen(self, rows: int) -> None:
        """Room for `rows` rows, more than there are: new arrays; what was handed out stays as it was."""
        times: Times = np.zeros(rows, dtype=np.int64)
        times[: self.rows] = self.times
        values: Values = np.empty((len(self._values), rows), dtype=np.float64)
        values[:, : self.rows] = self._values[:, : self.rows]
        values[:, self.rows :] = ABSENT_NAN
        self._times, self._values = times, values

    def cells(self) -> OpenCells:
        """What can be read now."""
        if self._seen is None:
            used = len(self.layout)
            absent = self._absent[:used].copy()
            self._note_gaps(absent)
            self._seen = OpenCells.of(self._values, absent, self._stale[:used].copy())
        return self._seen

    def seal(self, keep: int = 0) -> SealedBlock | None:
        """All rows but the last `keep`, encoded, without the columns none of them wrote; None for nothing."""
        used, rows = len(self.layout), self.rows - keep
        if rows <= 0 or not used:
            return None
        kept = np.flatnonzero(self.cells().occupied(0, rows))
        if not len(kept):
            return None
        layout = self.layout if len(kept) == used else Layout(self.layout.ids[kept])
        values = self._values[:used, :rows] if len(kept) == used else self._values[kept, :rows]
        return SealedBlock.of(layout, self._times[:rows], values)

    def written(self, keep: int) -> SealedBlock | None:
        """The same as it is, not encoded; None also where columns have no cell in those rows."""
        rows, cells = self.rows - keep, self.cells()
        if rows <= 0 or not len(self.layout) or not cells.occupied(0, rows).all():
            return None
        return SealedBlock.as_written(self.layout, self._times[:rows], cells)

    def continued(self, keep: int, rows: int) -> OpenBlock:
        """The block to write next, of `rows` rows: it begins with the last `keep` rows of this one.

        With the columns that any row of this one wrote. This one stays as it is.
        """
        used = len(self.layout)
        columns = np.flatnonzero(self.cells().occupied(0, self.rows))
        layout = self.layout if len(columns) == used else Layout(self.layout.ids[columns])
        made, last = OpenBlock(layout, max(rows, keep + 1)), slice(self.rows - keep, self.rows)
        cells = self._values[columns, last]
        made._times[:keep] = self._times[last]
        made._values[: len(columns), :keep] = cells
        made._absent[: len(columns)] = is_absent(cells[:, :-1]).any(axis=1)
        made._stale[: len(columns)] = is_stale(cells).any(axis=1)
        made.rows = keep
        return made

    def _note_gaps(self, absent: Mask) -> None:
        """Mark the columns that the last row did not write."""
        used = len(self.layout)
        if self.rows and self._written < used:
            absent[:used] |= is_absent(self._values[:used, self.rows - 1])
