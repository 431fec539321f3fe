"""Table: a ring of blocks for one sample source, written a row at a time.

A row is one strided write. Which columns it goes to is worked out when an ids array is seen for the
first time, and remembered by the array's identity: a source that keeps its ids array pays nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from zseval.errors import StorageError
from zseval.model.arrays import Ids, Mask, Rows, Times, Values
from zseval.model.staleness import has_nan, is_absent, is_stale
from zseval.tsdb.block import Encoding, OpenBlock, SealedBlock
from zseval.tsdb.cohort import Recent
from zseval.tsdb.gather import Piece, Source
from zseval.tsdb.head import NO_TIME, Head, RowResult, storable
from zseval.tsdb.irregular import Irregular, Locate, piece_of
from zseval.tsdb.layout import Layout, slice_of
from zseval.tsdb.runs import END_OF_TIME

__all__ = ["Sizing", "Table"]

_PLACED_TIMES = 4  # remembered ids arrays together may name so many times the columns; a rule group has many
_PLACED_LEAST = 4096  # or so many, in a narrow table
_FIRST_ROWS = 16  # room that a block begins with; it doubles until the block has all the rows it may have
_WIDE = 256  # columns from which encoding a full block takes long enough to hold others up
_LARGE_SHARE = 4  # a block with this part of the rows of a joined one is joined once only: each time is work
_YOUNG_SHARE = 4  # a block with less than this part of its rows filled is widened rather than sealed


@dataclass(frozen=True, slots=True)
class Sizing:
    """rows_for: how many rows an open block of so many columns gets.

    kept_rows: how many of an open block's last rows stay open when it is full.
    merged_rows: sealed blocks are joined until they have so many.  merged_ms: but not beyond this span.
    """

    rows_for: Callable[[int], int]
    kept_rows: Callable[[int], int]
    merged_rows: int
    merged_ms: int


class _Place:
    """Where the series of one ids array are. columns belong to `block` and no other."""

    __slots__ = ("block", "columns", "ids", "is_unique", "series")

    def __init__(self, ids: Ids) -> None:
        self.ids = ids  # held so that its identity cannot pass to another array
        self.is_unique = len(np.unique(ids)) == len(ids)
        self.series = slice_of(ids.astype(np.intp))
        self.block: OpenBlock | None = None
        self.columns: Rows | slice = slice(0, 0)


def _max_time(block: SealedBlock) -> int:
    return block.max_time_ms


class Table:
    """All series of one sample source; made by `TSDB.table`.

    `append_row` takes the lock itself; everything else is for the TSDB, which holds it.
    """

    def __init__(
        self, source: str, head: Head, irregular: Irregular, starts: Irregular, sizing: Sizing
    ) -> None:
        self.source = source
        self.blocks: list[SealedBlock] = []
        self.is_released = False
        self._head = head
        self._irregular = irregular
        self._starts = starts
        self._sizing = sizing
        self._open: OpenBlock | None = None
        self._last_ms = NO_TIME
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._placed = 0  # the lengths of their ids arrays together
        self._encoding: Encoding | None = None
        # Sources that appear together would fill all their blocks together: the first block of each is
        # shorter by a part of its own.
        self._phase = crc32(source.encode("utf-8", "surrogateescape"))
        self._rolled: tuple[int, int] | None = None  # the block before the open one, and its rows that went

    def append_row(
        self, timestamp_ms: int, ids: Ids, values: Values, *, epoch: int, starts: Times | None = None
    ) -> RowResult:
        """One sample for each of `ids`, int32[S], at one time.

        values: float64[S].  starts: int64[S], when the counter of each began, in ms, 0 for not known.
        The ids array must not be changed afterwards: handing in the same object again is the fast path.
        Raises StaleReferences where `epoch` is not the store's, StorageError after the table was released.
        """
        if len(ids) != len(values):
            raise ValueError(f"{len(ids)} series and {len(values)} values")
        values = storable(values)
        with self._head.lock:
            self._head.check_epoch(epoch)
            if self.is_released:
                raise StorageError(f"the table of {self.source!r} was released")
            if not len(ids):
                return RowResult()
            if self._encoding is not None:
                self._go_on_encoding()
            place = self._place(ids)
            if (
                place.is_unique
                and timestamp_ms >= self._last_ms
                and self._head.all_new(place.series, timestamp_ms)
            ):
                self._write(timestamp_ms, place, values)
                self._head.record_row(place.series, timestamp_ms, values)
                if starts is not None:
                    self._keep_starts(timestamp_ms, ids, starts)
                result = RowResult(appended=len(ids))
            else:
                result = self._append_some(timestamp_ms, ids, values, starts)
            self._head.settle()
        return result

    @property
    def is_empty(self) -> bool:
        return not self.blocks and self._open is None

    @property
    def min_time_ms(self) -> int:
        """The oldest row's time, END_OF_TIME where there is none."""
        if self.blocks:
            return self.blocks[0].min_time_ms
        return int(self._open.times[0]) if self._open is not None and self._open.rows else END_OF_TIME

    @property
    def sealed_count(self) -> int:
        return len(self.blocks)

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        opened = 0 if self._open is None else self._open.samples
        return opened + sum(block.samples for block in self.blocks)

    @property
    def last_row_ms(self) -> int:
        return self._last_ms

    @property
    def has_open(self) -> bool:
        return self._open is not None

    @property
    def open_block(self) -> OpenBlock | None:
        """The block that rows are written to."""
        return self._open

    def rolled_after(self, number: int) -> int | None:
        """Where the open block goes on with the last rows of that block: how many others it had."""
        return self._rolled[1] if self._rolled is not None and self._rolled[0] == number else None

    def has_sealed_after(self, time_ms: int) -> bool:
        """Whether a sealed block reaches beyond a time."""
        return bool(self.blocks) and self.blocks[-1].max_time_ms > time_ms

    @property
    def open_bytes(self) -> int:
        return self._open.nbytes if self._open is not None else 0

    def seal(self) -> None:
        """Encode the open block; the next row opens another with its own series only."""
        if self._open is not None:
            self._add(self._open.seal())
            self._open = None

    def _add(self, sealed: SealedBlock | None) -> None:
        if sealed is not None:
            self.blocks.append(sealed)
            self._merge()
            if sealed.is_encoded:  # else it will take less soon, and nothing has to leave for its sake
                self._head.due_ms = NO_TIME

    def _merge(self) -> None:
        """Encode what is as it was written. Else join the newest blocks once they are enough for one of full
        length, or small ones once they are enough for half of it: fewer pieces to read, and columns that take
        less. Blocks of wide tables begin with a third of that.

        A wide table does it at each of the next rows: at once, it would hold everything else up.
        """
        if self._encoding is not None or not self.blocks:
            return
        raw = next((block for block in reversed(self.blocks) if not block.is_encoded), None)
        if raw is not None:
            self._encoding = Encoding([raw])
            return
        full = self._sizing.merged_rows
        is_small = self.blocks[-1].rows < full // _LARGE_SHARE
        for wanted in (full, full // 2) if is_small else (full,):
            first = self._first_to_join(wanted)
            if len(self.blocks) - first > 1:
                self._encoding = Encoding(self.blocks[first:])
                if len(self.blocks[first].layout) < _WIDE:
                    self._go_on_encoding()
                return

    def _go_on_encoding(self) -> None:
        """The new block takes the place of its parts, if these are still what they were."""
        assert self._encoding is not None
        parts = self._encoding.blocks
        first = next((at for at, block in enumerate(self.blocks) if block is parts[0]), len(self.blocks))
        now = self.blocks[first : first + len(parts)]
        layout = parts[0].layout
        is_same = len(now) == len(parts) and all(
            block is part and block.layout is layout for block, part in zip(now, parts, strict=True)
        )
        made = self._encoding.advance() if is_same else None
        if made is not None:
            self.blocks[first : first + len(parts)] = [made]
        if made is not None or not is_same:
            self._encoding = None
            self._head.due_ms = NO_TIME  # it takes less
            self._merge()

    def _first_to_join(self, wanted: int) -> int:
        """Where the newest blocks begin that together have the wanted rows; the end where there are none."""
        layout, first, rows = self.blocks[-1].layout, len(self.blocks), 0
        while first and self.blocks[first - 1].layout is layout and self.blocks[first - 1].rows < wanted:
            first -= 1
            rows += self.blocks[first].rows
        span = self.blocks[-1].max_time_ms - self.blocks[first].min_time_ms if rows else 0
        return first if rows >= wanted and span <= self._sizing.merged_ms else len(self.blocks)

    def rest(self) -> None:
        """Encode the open block of a source that fell silent, and let go of what would make rows quick."""
        self.seal()
        self._end_encoding()
        self._forget_places()

    def _end_encoding(self) -> None:
        while self._encoding is not None:
            self._go_on_encoding()

    def drop_open(self) -> None:
        """Forget the open block."""
        self._open = None
        self._forget_places()

    def read(self, locate: Locate, start_ms: int, end_ms: int) -> Source:
        """Rows with start_ms < t <= end_ms of the series that `locate` finds."""
        pieces: list[Piece] = []
        for sealed in self._reaching(start_ms, end_ms):
            pieces.extend(piece_of(sealed, locate, start_ms, end_ms))
        block = self._open
        if block is not None and block.rows and self._last_ms > start_ms:
            located = locate(block.layout)
            if located is not None:
                lo, hi = np.searchsorted(block.times, [start_ms, end_ms], side="right").tolist()
                if lo < hi:
                    pieces.append(Piece(located, block.times[lo:hi], block.cells(), lo, hi))
        return Source(pieces)

    def recent(self, locate: Locate, start_ms: int, end_ms: int) -> Recent | None:
        """What `read` would give, where that is in the open block and no sample of it is missing or a marker.

        None where it is not so, or where nothing is there.
        """
        block = self._open
        if block is None or not block.rows or self.has_sealed_after(start_ms):
            return None
        located = locate(block.layout)
        if located is None:
            return None
        cells, times = block.cells(), block.times
        lo, hi = int(times.searchsorted(start_ms, "right")), int(times.searchsorted(end_ms, "right"))
        if lo >= hi:
            return None
        place = located.place
        if not cells.is_full and (cells.absent[place].any() or cells.stale[place].any()):
            wanted = cells.values[place, lo:hi]
            if (is_absent(wanted) | is_stale(wanted)).any():
                return None
        return Recent(located, times[lo:hi], cells.values, lo)

    def occupied(self, start_ms: int, end_ms: int) -> Iterator[Ids]:
        """Ids of the series with a cell in start_ms < t <= end_ms, perhaps repeated."""
        whole: Layout | None = None
        for block in self._reaching(start_ms, end_ms):
            if start_ms < block.min_time_ms and block.max_time_ms <= end_ms:
                if block.layout is not whole:
                    yield block.layout.ids
                whole = block.layout
            else:
                lo, hi = np.searchsorted(block.times, [start_ms, end_ms], side="right").tolist()
                if lo < hi:
                    yield block.layout.ids[block.cells.occupied(lo, hi)]
        if self._open is not None:
            lo, hi = np.searchsorted(self._open.times, [start_ms, end_ms], side="right").tolist()
            if lo < hi:
                yield self._open.layout.ids[self._open.cells().occupied(lo, hi)]

    def _reaching(self, start_ms: int, end_ms: int) -> Iterator[SealedBlock]:
        """The sealed blocks that may have rows with start_ms < t <= end_ms."""
        first = bisect_right(self.blocks, start_ms, key=_max_time)
        for number in range(first, len(self.blocks)):
            if self.blocks[number].min_time_ms > end_ms:
                return
            yield self.blocks[number]

    def layouts(self) -> Iterator[Layout]:
        for block in self.blocks:
            yield block.layout
        if self._open is not None:
            yield self._open.layout

    def shift(self, delta_ms: int) -> None:
        """Move all times."""
        for block in self.blocks:
            block.shift(delta_ms)
        if self._open is not None:
            self._open.shift(delta_ms)
        if self._last_ms != NO_TIME:
            self._last_ms += delta_ms

    def renumber(self, layouts: dict[Layout, Layout]) -> None:
        """Series ids change; `layouts` has the new form of each layout."""
        for block in self.blocks:
            block.layout = layouts[block.layout]
        if self._open is not None:
            self._open.layout = layouts[self._open.layout]
        self._forget_places()

    def delete(self, wanted: Mask, start_ms: int, end_ms: int) -> int:
        """Drop cells with start_ms < t <= end_ms of the series marked in bool[S]; how many samples."""
        if self._open is not None and wanted[self._open.layout.ids].any() and self._last_ms > start_ms:
            self.seal()
        deleted = 0
        kept: list[SealedBlock] = []
        for block in self.blocks:
            columns = np.flatnonzero(wanted[block.layout.ids])
            lo, hi = np.searchsorted(block.times, [start_ms, end_ms], side="right").tolist()
            left: SealedBlock | None = block
            if len(columns) and lo < hi:
                left, count = block.without(columns, lo, hi)
                deleted += count
            if left is not None:
                kept.append(left)
        self.blocks = kept
        return deleted

    def _append_some(self, timestamp_ms: int, ids: Ids, values: Values, starts: Times | None) -> RowResult:
        """A row of which not every sample may be taken, or that is older than the table's last."""
        times = np.full(len(ids), timestamp_ms, dtype=np.int64)
        taken, result = self._head.admit(ids, times, values)
        if taken.any():
            if timestamp_ms >= self._last_ms:
                self._write(timestamp_ms, _Place(ids[taken]), values[taken])
            elif self._irregular.append(ids[taken], times[taken], values[taken]):
                self._head.due_ms = NO_TIME
            if starts is not None:
                self._keep_starts(timestamp_ms, ids[taken], starts[taken])
        return result

    def _keep_starts(self, timestamp_ms: int, ids: Ids, starts: Times) -> None:
        known = np.flatnonzero(starts)
        if len(known):
            times = np.full(len(known), timestamp_ms, dtype=np.int64)
            self._starts.append(ids[known], times, starts[known].astype(np.float64))

    def _forget_places(self) -> None:
        self._places.clear()
        self._placed = 0

    def _place(self, ids: Ids) -> _Place:
        place = self._places.get(id(ids))
        if place is not None:
            self._places.move_to_end(id(ids))
            return place
        place = self._places[id(ids)] = _Place(ids)
        self._placed += len(ids)
        columns = len(ids) if self._open is None else max(len(ids), len(self._open.layout))
        while self._placed > _PLACED_TIMES * columns + _PLACED_LEAST:
            _, oldest = self._places.popitem(last=False)
            self._placed -= len(oldest.ids)
        return place

    def _write(self, timestamp_ms: int, place: _Place, values: Values) -> None:
        """Admitted samples of distinct series, at the last row's time or later."""
        is_new_row = timestamp_ms != self._last_ms
        if self._open is not None and is_new_row and self._open.is_full:
            self._lengthen_or_roll(self._open)
        if self._open is None:
            self._open = self._opened(Layout(place.ids.astype(np.int32)))
        if place.block is not self._open:
            place.columns = slice_of(self._columns(place.ids, is_new_row=is_new_row))
            place.block = self._open
        if is_new_row or not self._open.rows:
            self._open.begin_row(timestamp_ms)
        has_stale = has_nan(values) and bool(is_stale(values).any())
        self._open.write(place.columns, values, has_stale=has_stale)
        self._last_ms = timestamp_ms

    def _columns(self, ids: Ids, *, is_new_row: bool) -> Rows:
        """The column of each of these distinct series in the open block, which may become another."""
        columns, known = self._lookup(ids)
        if not known.all():
            self._make_room(ids[~known], is_new_row=is_new_row)
            columns, known = self._lookup(ids)
        return columns

    def _lookup(self, ids: Ids) -> tuple[Rows, Mask]:
        assert self._open is not None
        have = self._open.layout.ids
        if len(have) >= len(ids) and np.array_equal(have[: len(ids)], ids):
            return np.arange(len(ids), dtype=np.intp), np.ones(len(ids), dtype=np.bool_)
        order = np.argsort(have, kind="stable")
        at = np.minimum(np.searchsorted(have, ids, sorter=order), len(have) - 1)
        columns = order[at]
        return columns, have[columns] == ids

    def _make_room(self, new: Ids, *, is_new_row: bool) -> None:
        """Columns for new series: spare ones, a wider block while it is young, else the next block."""
        block = self._open
        assert block is not None
        earlier_rows = block.rows if is_new_row else block.rows - 1
        if len(new) <= block.spare:
            block.add_columns(new, earlier_rows=earlier_rows)
        elif block.rows * _YOUNG_SHARE <= self._sizing.rows_for(len(block.layout)):
            rows = self._sizing.rows_for(len(block.layout) + len(new))
            block.widen(new, earlier_rows=earlier_rows, rows=min(rows, max(_FIRST_ROWS, block.max_rows)))
        else:
            self._roll(new)

    def _opened(self, layout: Layout) -> OpenBlock:
        # Not at once with room for all rows: while sources appear, that would be worked out for too few of
        # them, and an open block is resident from its first row.
        return OpenBlock(layout, min(_FIRST_ROWS, self._sizing.rows_for(len(layout))))

    def _lengthen_or_roll(self, block: OpenBlock) -> None:
        rows = self._sizing.rows_for(len(block.layout))
        if not self.blocks and len(block.layout) >= _WIDE:
            rows -= self._phase % (rows // 2)
        if block.rows < rows:
            block.lengthen(min(rows, 2 * block.rows))
        else:
            self._roll_on()

    def _roll_on(self) -> None:
        """Seal the open block, which is full, but for its last rows: they begin the next.

        What rules and dashboards ask about is the newest minutes, which need no decoding that way.
        """
        block = self._open
        assert block is not None
        keep = self._sizing.kept_rows(block.max_rows)
        if not keep:
            self._roll(block.layout.ids[:0])
            return
        rows = min(self._sizing.rows_for(len(block.layout)), max(_FIRST_ROWS, 2 * keep))
        following = block.continued(keep, rows)
        self._end_encoding()  # as good as always it has ended
        written = block.written(keep) if len(block.layout) >= _WIDE else None
        self._add(block.seal(keep) if written is None else written)
        self._open, self._rolled = following, (block.number, block.rows - keep)

    def _roll(self, new: Ids) -> None:
        """Seal the open block and open the next, for the series that had a cell in it and the new ones."""
        self.seal()
        layout = self.blocks[-1].layout
        if len(new):
            layout = Layout(np.concatenate([layout.ids, new]))
        self._open = self._opened(layout)
