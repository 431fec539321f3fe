"""Tail: the newest rows of a selector's series side by side, kept from one evaluation to the next.

A rule asks for the same few minutes of the same series again and again, and each time one row a source is
new. Only that is read; what went before stays where it is. A tail is good as long as its sources go on in
step: each with equally many new rows, all of them complete. Otherwise it is put together anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.staleness import is_absent, is_stale
from zseval.tsdb.cohort import Cohort, order_of
from zseval.tsdb.head import NO_TIME

if TYPE_CHECKING:
    from zseval.tsdb.block import OpenBlock
    from zseval.tsdb.gather import Piece
    from zseval.tsdb.irregular import Locate
    from zseval.tsdb.layout import Layout, Located
    from zseval.tsdb.table import Table

__all__ = ["Following", "Tails"]

_BUDGET_BYTES = 12 << 20  # of all tails of a store together
_MOST_BYTES = _BUDGET_BYTES // 8  # of one
_SPARE_ROWS = 16  # a tail is moved to other arrays once in so many rows
_SLACK_MS = 60_000  # what is kept beyond the longest range asked for: not every question is about now
_ASKED = 2  # moments a selector is asked about before it is worth a tail
_PATIENCE = 4  # tails put together anew among so many moments as one lasts, before that is given up
_REST = 64  # moments a selector is then asked about without one


@dataclass(slots=True, eq=False)
class _Feed:
    """A source of a tail. place: columns of its open block.  to: where they are in the tail.

    block: the number of the open block that was read, and rows: how far.
    """

    table: Table
    layout: Layout
    place: Rows | slice
    to: slice
    block: int
    rows: int

    def news(self) -> int:
        """How many rows are new; -1 where they do not go on from those that were read."""
        block = self.table.open_block
        if block is None or block.layout is not self.layout:
            return -1
        if block.number != self.block:
            gone = self.table.rolled_after(self.block)
            if gone is None or gone > self.rows:
                return -1
            self.block, self.rows = block.number, self.rows - gone
        return block.rows - self.rows


@dataclass(frozen=True, slots=True, eq=False)
class _Silent:
    """A source that has nothing of what is wanted: no row since last_ms, or no such column in its layout."""

    table: Table
    last_ms: int
    layout: Layout | None

    @property
    def is_still(self) -> bool:
        if self.layout is None:
            return self.table.last_row_ms == self.last_ms
        return self.table.open_block is not None and self.table.open_block.layout is self.layout


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """What a source has until now. located: its series in the open block.

    times: int64[T].  values: float64[C, T].
    """

    table: Table
    block: OpenBlock
    located: Located
    times: Times
    values: Values


class _Tail:
    """values: float64[R, S], row by row, of which `length` are in use.  times: int64[R, P].

    Row by row each source goes on in time; where one began later than the others, its times are NO_TIME.
    fell: bool[R], whether any value is less than the one before.
    since_ms: there is every sample after it, of each source.
    """

    __slots__ = (
        "_feeds", "_firsts", "_given", "_lasts", "_order", "_silent", "fell", "length", "of", "rows",
        "since_ms", "times", "values"
    )  # fmt: skip

    def __init__(self, parts: Sequence[_Past], silent: Sequence[_Silent], start_ms: int) -> None:
        """parts: at least one."""
        self._silent = silent
        self.since_ms = start_ms
        counts = [len(part.located.rows) for part in parts]
        self.rows: Rows = np.concatenate([part.located.rows for part in parts])
        self._order = order_of(self.rows)
        self.of: Rows = np.repeat(np.arange(len(parts), dtype=np.intp), counts)
        self.length = max(len(part.times) for part in parts)
        room = self.length + _SPARE_ROWS
        self.values: Values = np.zeros((room, len(self.rows)))
        self.times: Times = np.full((room, len(parts)), NO_TIME, dtype=np.int64)
        self._feeds: list[_Feed] = []
        start = 0
        for source, (part, count) in enumerate(zip(parts, counts, strict=True)):
            to, first, block = slice(start, start + count), self.length - len(part.times), part.block
            self.values[first : self.length, to] = part.values.T
            self.times[first : self.length, source] = part.times
            place = part.located.place
            self._feeds.append(_Feed(part.table, block.layout, place, to, block.number, block.rows))
            start += count
        self.fell: Mask = np.zeros(room, dtype=np.bool_)
        later, earlier = self.values[1 : self.length], self.values[: self.length - 1]
        self.fell[1 : self.length] = (later < earlier).any(axis=1)
        self._firsts: list[int] = self.times[: self.length].min(axis=1).tolist()  # of each row
        self._lasts: list[int] = self.times[: self.length].max(axis=1).tolist()
        self._given: tuple[int, int, int, Cohort] | None = None

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.times.nbytes + self.rows.nbytes + self.of.nbytes

    @property
    def newest_ms(self) -> int:
        """The time of the newest sample."""
        return self._lasts[-1]

    def advance(self, width_ms: int) -> bool:
        """Read what is new, and keep what is not older than so much.

        False where the sources do not go on in step, or with gaps or markers: it is of no use then.
        """
        for silent in self._silent:
            if not silent.is_still:
                return False
        fresh = self._feeds[0].news()
        for feed in self._feeds:
            if fresh < 0 or feed.news() != fresh:
                return False
        if not fresh:
            return True
        if self.length + fresh > len(self.values):
            self._move(fresh, width_ms)
        first, last = self.length, self.length + fresh
        values = self.values[first:last]
        if fresh == 1:
            self._read_row(first)
        else:
            self._read_rows(first, last)
        self.length = last
        odd = np.isnan(values)
        if odd.any() and (is_absent(values[odd]) | is_stale(values[odd])).any():
            return False
        self.fell[first:last] = (values < self.values[first - 1 : last - 1]).any(axis=1)
        return True

    def _read_row(self, row: int) -> None:
        """The only new row of each source."""
        values, moments = self.values[row], []
        for feed in self._feeds:
            block, new = feed.table.open_block, feed.rows
            assert block is not None, "it has news"
            feed.rows = new + 1
            moments.append(block.read_row(new, feed.place, values[feed.to]))
        self.times[row] = moments
        self._firsts.append(min(moments))
        self._lasts.append(max(moments))

    def _read_rows(self, first: int, last: int) -> None:
        """Several of each."""
        for source, feed in enumerate(self._feeds):
            block, new = feed.table.open_block, slice(feed.rows, feed.rows + last - first)
            assert block is not None, "it has news"
            feed.rows = new.stop
            self.values[first:last, feed.to] = block.values[feed.place, new].T
            self.times[first:last, source] = block.times[new]
        self._firsts.extend(self.times[first:last].min(axis=1).tolist())
        self._lasts.extend(self.times[first:last].max(axis=1).tolist())

    def _move(self, fresh: int, width_ms: int) -> None:
        """To other arrays, with room for new rows, without the oldest; what was given out stays as it is."""
        first = bisect_right(self._lasts, self._firsts[-1] - width_ms - _SLACK_MS)
        if first:
            self.since_ms = max(self.since_ms, self._lasts[first - 1])
            del self._firsts[:first], self._lasts[:first]
        kept = self.length - first
        room = kept + fresh + _SPARE_ROWS
        values: Values = np.empty((room, self.values.shape[1]))
        times: Times = np.empty((room, self.times.shape[1]), dtype=np.int64)
        fell: Mask = np.zeros(room, dtype=np.bool_)
        values[:kept] = self.values[first : self.length]
        times[:kept] = self.times[first : self.length]
        fell[:kept] = self.fell[first : self.length]
        self.values, self.times, self.fell, self.length, self._given = values, times, fell, kept, None

    def cohort(self, start_ms: int, end_ms: int) -> Cohort:
        """The samples with start_ms < t <= end_ms, perhaps none; the same object for the same question."""
        given = self._given
        if given is not None and given[:3] == (start_ms, end_ms, self.length):
            return given[3]
        # Rows are later than those before them, of each source and so also of all together.
        lo, hi = bisect_right(self._lasts, start_ms), bisect_right(self._lasts, end_ms)
        lows = highs = None
        is_even = (lo == self.length or self._firsts[lo] > start_ms) and (
            hi == self.length or self._firsts[hi] > end_ms
        )
        if not is_even:
            times = self.times[: self.length]
            lows = np.count_nonzero(times <= start_ms, axis=0)  # [P]
            highs = np.count_nonzero(times <= end_ms, axis=0)
            lo, hi = int(lows.min()), int(highs.max())
            lows, highs = lows - lo, highs - lo
        hi = max(lo, hi)
        rising = not self.fell[lo + 1 : hi].any()
        made = Cohort.of_rows(
            self.rows,
            self.of,
            self.times[lo:hi],
            self.values[lo:hi],
            lows,
            highs,
            rising=rising,
            order=self._order,
        )
        if is_even:
            made.span = start_ms, end_ms
        self._given = start_ms, end_ms, self.length, made
        return made


class Following:
    """Whether a selector is worth a tail, and its tail."""

    __slots__ = (
        "__weakref__", "_asked", "_failures", "_last_end_ms", "_rest", "_stamp", "_wide_ms", "tail", "used"
    )  # fmt: skip

    def __init__(self) -> None:
        self.tail: _Tail | None = None
        self.used = 0
        self._wide_ms = 0  # the longest range that was asked for
        self._last_end_ms = NO_TIME
        self._asked = 0
        self._failures = 0
        self._rest = 0
        self._stamp = -1

    def cohort(
        self, tables: Sequence[Table], locate: Locate, start_ms: int, end_ms: int, stamp: int, tails: Tails
    ) -> Cohort | None:
        """The samples with start_ms < t <= end_ms of all series, each of which is in one of the tables only.

        stamp: another where anything but appending happened to them.  None where there is no tail for them.
        """
        if not self._is_worth_it(end_ms):
            return None
        tail = self.tail
        if tail is not None and (stamp != self._stamp or not tail.advance(self._wide_ms)):
            tail = self.tail = None
            self._failures += 1
        if tail is not None and start_ms < tail.since_ms and end_ms < tail.newest_ms:
            return None  # it is about the past
        if tail is None or start_ms < tail.since_ms:
            tail = self._made(tables, locate, start_ms, end_ms)
            if tail is None:
                return None
            self.tail, self._stamp = tail, stamp
            tails.keep(self)
        tails.moment += 1
        self.used = tails.moment
        return tail.cohort(start_ms, end_ms)

    def let_go(self) -> None:
        """There is no room for this one, and will be none soon."""
        self.tail, self._rest = None, _REST

    def _is_worth_it(self, end_ms: int) -> bool:
        if end_ms != self._last_end_ms:
            self._last_end_ms = end_ms
            self._asked += 1
            self._rest = max(0, self._rest - 1)
            if self._asked % _REST == 0:
                self._failures = 0
        return self._asked > _ASKED and not self._rest

    def _made(self, tables: Sequence[Table], locate: Locate, start_ms: int, end_ms: int) -> _Tail | None:
        made = None if self._failures > _PATIENCE else _built(tables, locate, start_ms)
        if made is None:
            self._rest, self._failures = _REST, 0
            return None
        self._wide_ms = max(self._wide_ms, end_ms - start_ms)
        return made


class Tails:
    """The tails of a store; of those that are too much together, the ones used last are kept."""

    __slots__ = ("_kept", "moment")

    def __init__(self) -> None:
        self._kept: WeakSet[Following] = WeakSet()
        self.moment = 0

    @property
    def nbytes(self) -> int:
        return sum(each.tail.nbytes for each in self._kept if each.tail is not None)

    def keep(self, new: Following) -> None:
        """With the room that this one needs."""
        self._kept.add(new)
        new.used = self.moment + 1
        excess = self.nbytes - _BUDGET_BYTES
        for each in sorted(self._kept, key=lambda each: each.used) if excess > 0 else ():
            if excess > 0 and each is not new and each.tail is not None:
                excess -= each.tail.nbytes
                each.let_go()


def _built(tables: Sequence[Table], locate: Locate, start_ms: int) -> _Tail | None:
    """None where what is wanted is not complete, or too much."""
    parts: list[_Past] = []
    silent: list[_Silent] = []
    cells = 0
    for table in tables:
        block, last_ms = table.open_block, table.last_row_ms
        located = None if block is None else locate(block.layout)
        if last_ms <= start_ms:
            silent.append(_Silent(table, last_ms, None))
        elif block is not None and located is not None:
            pieces = table.read(locate, start_ms, last_ms).pieces
            cells += len(located.rows) * sum(len(piece.times) for piece in pieces)
            if cells * 8 > _MOST_BYTES:
                return None
            part = _past(table, block, located, pieces)
            if part is None:
                return None
            parts.append(part)
        elif block is not None and not table.has_sealed_after(start_ms):
            silent.append(_Silent(table, last_ms, block.layout))
        else:
            return None
    return _Tail(parts, silent, start_ms) if parts else None


def _past(table: Table, block: OpenBlock, located: Located, pieces: Sequence[Piece]) -> _Past | None:
    """None where a sample is missing, or a marker."""
    values: Values = np.empty((len(located.rows), sum(len(piece.times) for piece in pieces)))
    first = 0
    for piece in pieces:
        last, rows = first + len(piece.times), piece.located.rows
        if piece.located is not located and not np.array_equal(rows, located.rows):
            return None
        piece.cells.decode(piece.located.columns, piece.lo, piece.hi, values[:, first:last])
        first = last
    odd = np.isnan(values)
    if odd.any() and (is_absent(values[odd]) | is_stale(values[odd])).any():
        return None
    times = pieces[0].times if len(pieces) == 1 else np.concatenate([piece.times for piece in pieces])
    return _Past(table, block, located, times, values)
