"""Irregular: samples that come with times of their own rather than in rows.

They are appended to a buffer in the order they come. A full buffer is sealed into a segment: sorted by
series, series with identical times together under one time axis, the others with encoded times of their
own. Segments merge, several of a level into one of the next, until their series are as long as a
table's block; so single appends, bulk loads and remote-write requests all end up equally compact, and
every sample is sorted a few times in its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from zseval.model.arrays import Ids, Mask, Rows, Times, Values
from zseval.model.staleness import ABSENT_NAN, is_absent
from zseval.tsdb.block import SealedBlock
from zseval.tsdb.codec import encode
from zseval.tsdb.gather import LooseSamples, Piece, Source
from zseval.tsdb.growing import Growing
from zseval.tsdb.head import NO_TIME
from zseval.tsdb.layout import Layout, Located
from zseval.tsdb.runs import END_OF_TIME, Runs

__all__ = ["Irregular", "Locate"]

_BUFFER_SAMPLES = 1 << 16  # 1.3 MB; a selection looks through all of it
_FAN_IN = 8  # segments of a level that become one
_LONG_ENOUGH = 120  # samples a series; longer ones would compress hardly better
_LARGEST_MERGE = 1 << 22  # samples: bounds the memory a merge takes to about 200 MB
_SHARED_LEAST = 4  # series that share their times before a block of their own pays
_MOST_SHARED = 64  # such blocks of one segment: each costs some objects to keep and to read
_EXACT = 2**52  # times beyond are not exact in float64

Locate = Callable[[Layout], "Located | None"]


class RaggedBlock:
    """Series with encoded times of their own, left-aligned; absent cells fill the rest.

    Only `layout` is replaced, when series are renumbered, and the times moved, when the clock was set.
    """

    __slots__ = ("_moved_ms", "_times", "_times_are_bits", "_values", "layout")

    def __init__(self, layout: Layout, times: Times, values: Values) -> None:
        # The codec takes float64. It keeps every bit, so times too large to be exact go in as their bits.
        self._times_are_bits = bool(times.min() < -_EXACT or times.max() > _EXACT)
        self._times = encode(times.view(np.float64) if self._times_are_bits else times.astype(np.float64))
        self._values = encode(values)
        self._moved_ms = 0  # to be added to the encoded times
        self.layout = layout

    @property
    def nbytes(self) -> int:
        return self._times.nbytes + self._values.nbytes

    def loose(self, located: Located) -> LooseSamples:
        """All samples of the located series."""
        shape = (len(located.columns), self._values.rows)
        coded, values = np.empty(shape), np.empty(shape)
        self._times.decode(located.columns, 0, self._times.rows, coded)
        self._values.decode(located.columns, 0, self._values.rows, values)
        times = coded.view(np.int64) if self._times_are_bits else coded.astype(np.int64)
        series, at = np.nonzero(~is_absent(values))
        return LooseSamples(located.rows[series], times[series, at] + self._moved_ms, values[series, at])

    def shift(self, delta_ms: int) -> None:
        """Move all times."""
        self._moved_ms += delta_ms


@dataclass(slots=True, eq=False)
class Segment:
    """Samples sealed together. samples, series: how many.  level: how often they were merged."""

    shared: list[SealedBlock]
    ragged: list[RaggedBlock]
    samples: int
    series: int
    min_time_ms: int
    max_time_ms: int
    level: int
    nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.nbytes = sum(block.nbytes + block.layout.ids.nbytes for block in self.blocks)

    @property
    def blocks(self) -> list[SealedBlock | RaggedBlock]:
        blocks: list[SealedBlock | RaggedBlock] = [*self.shared, *self.ragged]
        return blocks

    @property
    def is_growing(self) -> bool:
        """True while merging would still make its series worth more."""
        return self.samples < _LONG_ENOUGH * self.series and self.samples * _FAN_IN <= _LARGEST_MERGE

    def shift(self, delta_ms: int) -> None:
        """Move all times."""
        for block in self.blocks:
            block.shift(delta_ms)
        self.min_time_ms += delta_ms
        self.max_time_ms += delta_ms

    def loose(self) -> Iterator[LooseSamples]:
        """All samples, with series ids for rows."""
        for block in self.shared:
            values = block.decode_all()
            series, at = np.nonzero(~is_absent(values))
            yield LooseSamples(block.layout.ids[series].astype(np.intp), block.times[at], values[series, at])
        for ragged in self.ragged:
            ids = ragged.layout.ids.astype(np.intp)
            yield ragged.loose(Located(ids, np.arange(len(ids), dtype=np.intp), slice(0, len(ids))))


class Irregular:
    """The buffer and segments of one TSDB. Guarded by its lock; segments are oldest first."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self._ids = Growing(np.int32)
        self._times = Growing(np.int64)
        self._values = Growing(np.float64)
        self._min_ms, self._max_ms = END_OF_TIME, NO_TIME

    def append_one(self, series: int, timestamp_ms: int, value: float) -> bool:
        """One admitted sample. True if that sealed a segment."""
        self._ids.append(series)
        self._times.append(timestamp_ms)
        self._values.append(value)
        self._min_ms, self._max_ms = min(self._min_ms, timestamp_ms), max(self._max_ms, timestamp_ms)
        return self._seal_if_full()

    def append(self, series: Ids, times: Times, values: Values) -> bool:
        """Admitted samples; those of one series in time order. True if that sealed a segment."""
        if not len(series):
            return False
        self._ids.extend(series)
        self._times.extend(times)
        self._values.extend(values)
        self._min_ms, self._max_ms = min(self._min_ms, int(times.min())), max(self._max_ms, int(times.max()))
        return self._seal_if_full()

    @property
    def buffered(self) -> int:
        return len(self._ids)

    @property
    def open_bytes(self) -> int:
        return self._ids.nbytes + self._times.nbytes + self._values.nbytes

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return self.buffered + sum(segment.samples for segment in self.segments)

    @property
    def sealed_count(self) -> int:
        return sum(len(segment.blocks) for segment in self.segments)

    @property
    def min_time_ms(self) -> int:
        """The oldest sample's time, END_OF_TIME where there is none."""
        return min([self._min_ms, *(segment.min_time_ms for segment in self.segments)])

    def buffer_ends_before(self, time_ms: int) -> bool:
        return bool(self.buffered) and self._max_ms < time_ms

    def buffer_begins_before(self, time_ms: int) -> bool:
        return self._min_ms < time_ms

    def seal(self) -> None:
        """Make a segment of the buffer, and merge where there are enough of a level."""
        if self.buffered:
            self.segments.append(_segment(Runs.of(self._ids.view, self._times.view, self._values.view), 0))
            self._clear()
            self._merge()

    def drop_buffer(self) -> None:
        """Forget what is not sealed."""
        self._clear()

    def read(self, locate: Locate, wanted: Ids, start_ms: int, end_ms: int) -> Source:
        """Samples of the wanted series with start_ms < t <= end_ms."""
        pieces: list[Piece] = []
        loose: list[LooseSamples] = []
        for segment in self.segments:
            if segment.max_time_ms <= start_ms or segment.min_time_ms > end_ms:
                continue
            for block in segment.shared:
                pieces.extend(piece_of(block, locate, start_ms, end_ms))
            for ragged in segment.ragged:
                located = locate(ragged.layout)
                if located is not None:
                    loose.append(_within(ragged.loose(located), start_ms, end_ms))
        if self.buffered and self._max_ms > start_ms and self._min_ms <= end_ms and len(wanted):
            loose.append(self._read_buffer(wanted, start_ms, end_ms))
        return Source(pieces, [part for part in loose if len(part.rows)])

    def reaches(self, start_ms: int, end_ms: int) -> bool:
        """Whether there may be a sample with start_ms < t <= end_ms."""
        return (self._max_ms > start_ms and self._min_ms <= end_ms) or any(
            segment.max_time_ms > start_ms and segment.min_time_ms <= end_ms for segment in self.segments
        )

    def occupied(self, start_ms: int, end_ms: int) -> Iterator[Ids]:
        """Ids of the series with a sample in start_ms < t <= end_ms, perhaps repeated."""
        for segment in self.segments:
            if start_ms < segment.min_time_ms and segment.max_time_ms <= end_ms:
                yield from (block.layout.ids for block in segment.blocks)
            elif segment.max_time_ms > start_ms and segment.min_time_ms <= end_ms:
                for part in segment.loose():
                    yield _within(part, start_ms, end_ms).rows.astype(np.int32)
        times = self._times.view
        yield self._ids.view[(times > start_ms) & (times <= end_ms)]

    def layouts(self) -> Iterator[Layout]:
        for segment in self.segments:
            for block in segment.blocks:
                yield block.layout

    def buffered_ids(self) -> Ids:
        """int32[N], a view; repeated as they come."""
        return self._ids.view

    def shift(self, delta_ms: int) -> None:
        """Move all times."""
        for segment in self.segments:
            segment.shift(delta_ms)
        if self.buffered:
            self._times.view[:] += delta_ms
            self._min_ms += delta_ms
            self._max_ms += delta_ms

    def renumber(self, new_ids: Ids, layouts: dict[Layout, Layout]) -> None:
        """Series ids change to new_ids[id]; `layouts` has the new form of each layout."""
        for segment in self.segments:
            for block in segment.blocks:
                block.layout = layouts[block.layout]
        self._ids.view[:] = new_ids[self._ids.view]

    def delete(self, wanted: Mask, start_ms: int, end_ms: int) -> int:
        """Drop samples start_ms < t <= end_ms of the series marked in bool[S]; how many that were."""
        deleted = 0
        self.seal()
        kept: list[Segment] = []
        for segment in self.segments:
            left, count = _delete_from(segment, wanted, start_ms, end_ms)
            deleted += count
            if left is not None:
                kept.append(left)
        self.segments = kept
        return deleted

    def _read_buffer(self, wanted: Ids, start_ms: int, end_ms: int) -> LooseSamples:
        ids, times = self._ids.view, self._times.view
        at = np.minimum(np.searchsorted(wanted, ids), len(wanted) - 1)
        found = np.flatnonzero((wanted[at] == ids) & (times > start_ms) & (times <= end_ms))
        return LooseSamples(at[found], times[found], self._values.view[found])

    def _seal_if_full(self) -> bool:
        if self.buffered < _BUFFER_SAMPLES:
            return False
        self.seal()
        return True

    def _clear(self) -> None:
        self._ids.clear()
        self._times.clear()
        self._values.clear()
        self._min_ms, self._max_ms = END_OF_TIME, NO_TIME

    def _merge(self) -> None:
        while len(self.segments) >= _FAN_IN:
            last = self.segments[-_FAN_IN:]
            level = last[-1].level
            if any(segment.level != level or not segment.is_growing for segment in last):
                return
            merged = _runs(part for segment in last for part in segment.loose())
            self.segments[-_FAN_IN:] = [_segment(merged, level + 1)]


def piece_of(block: SealedBlock, locate: Locate, start_ms: int, end_ms: int) -> Iterator[Piece]:
    """The rows of a sealed block with start_ms < t <= end_ms, if there are any of a wanted series."""
    if block.max_time_ms <= start_ms or block.min_time_ms > end_ms:
        return
    located = locate(block.layout)
    if located is not None:
        times = block.times
        lo, hi = np.searchsorted(times, [start_ms, end_ms], side="right").tolist()
        if lo < hi:
            yield Piece(located, times[lo:hi], block.cells, lo, hi)


def _within(part: LooseSamples, start_ms: int, end_ms: int) -> LooseSamples:
    keep = (part.times > start_ms) & (part.times <= end_ms)
    return part if keep.all() else LooseSamples(part.rows[keep], part.times[keep], part.values[keep])


def _runs(parts: Iterator[LooseSamples]) -> Runs:
    loose = list(parts)
    return Runs.of_unordered(
        np.concatenate([part.rows for part in loose]),
        np.concatenate([part.times for part in loose]),
        np.concatenate([part.values for part in loose]),
    )


def _segment(runs: Runs, level: int) -> Segment:
    """Seal runs whose keys are series ids."""
    shared: list[SealedBlock] = []
    ragged: list[RaggedBlock] = []
    groups, rest = runs.equal_times(max(_SHARED_LEAST, len(runs) // _MOST_SHARED))
    for group in groups:
        times, values = runs.matrix(group)
        shared.append(SealedBlock.of(Layout(runs.keys[group].astype(np.int32)), times[0], values))
    for group in runs.by_length(rest):
        times, values = runs.padded(group, 0, ABSENT_NAN)
        layout = Layout(runs.keys[group].astype(np.int32))
        ragged.append(RaggedBlock(layout, _padded_on(times, runs.counts[group]), values))
    return Segment(
        shared, ragged, len(runs.times), len(runs), int(runs.times.min()), int(runs.times.max()), level
    )


def _padded_on(times: Times, counts: Rows) -> Times:
    """The padding repeats each series' last time: its steps then stay small."""
    last = np.take_along_axis(times, counts[:, None] - 1, axis=1)
    return np.where(np.arange(times.shape[1]) < counts[:, None], times, last)


def _delete_from(segment: Segment, wanted: Mask, start_ms: int, end_ms: int) -> tuple[Segment | None, int]:
    """The segment less what is deleted (None for an empty one), and how many samples went."""
    outside = segment.max_time_ms <= start_ms or segment.min_time_ms > end_ms
    if outside or not any(wanted[block.layout.ids].any() for block in segment.blocks):
        return segment, 0
    runs = _runs(segment.loose())
    owners = np.repeat(runs.keys, runs.counts)
    drop = wanted[owners] & (runs.times > start_ms) & (runs.times <= end_ms)
    deleted = int(np.count_nonzero(drop))
    if not deleted:
        return segment, 0
    if drop.all():
        return None, deleted
    return _segment(Runs.of(owners[~drop], runs.times[~drop], runs.values[~drop]), segment.level), deleted
