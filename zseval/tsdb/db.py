"""TSDB: append, select, label queries; owns the lock.

Rows of many series go to tables, single samples to the irregular store; a selection reads both. The
lock covers appending and the collecting of what a selection reads. Decoding and putting together
happen outside it, on blocks that no longer change.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Times, Values
from zseval.model.duration import parse_duration
from zseval.model.histogram import Histogram, InvalidHistogramError
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.model.staleness import ABSENT_BITS, HISTOGRAM_BITS, HISTOGRAM_NAN, NORMAL_NAN_BITS
from zseval.model.symbols import Symbols
from zseval.tsdb.cohort import Recent, cohorts
from zseval.tsdb.errors import (
    DuplicateSampleError,
    InvalidSampleError,
    OutOfBoundsError,
    OutOfOrderError,
)
from zseval.tsdb.exemplars import ExemplarRing
from zseval.tsdb.frame import Selection
from zseval.tsdb.gather import gather
from zseval.tsdb.head import NO_TIME, Head, RowResult, Verdict, storable
from zseval.tsdb.holdings import Holdings
from zseval.tsdb.index import Index
from zseval.tsdb.irregular import Locate
from zseval.tsdb.prepare import prepare
from zseval.tsdb.runs import END_OF_TIME
from zseval.tsdb.series import SeriesTable
from zseval.tsdb.start_times import StartTimes
from zseval.tsdb.status import HeadStatus, head_status
from zseval.tsdb.table import Sizing, Table
from zseval.tsdb.tail import Tails

__all__ = ["REFUSALS", "TSDB", "RowResult", "Table", "Verdict"]

_BLOCK_ROWS = 120
_LEAST_ROWS = 16
_KEPT_ROWS = 24  # of a full block stay open, so that windows of five minutes at 15 s need no decoding
_KEPT_SHARE = 4  # but at most one of so many of its rows
_MERGED_BLOCKS = 2  # blocks of full length that are joined into one
_RETENTION_PARTS = 8  # joined blocks span no more than this part of the retention: they leave as a whole
_OPEN_BYTES = 32 << 20  # what all open blocks together should take; many series get fewer rows each
_IDLE_MS = 3_600_000  # a source silent for so long has its open block encoded
_RESOLVED_AT_A_TIME = 512
_DEAD_LEAST = 1024  # series without samples that are worth a renumbering, at least
_DEAD_SHARE = 4  # and at least this fraction of all

REFUSALS: dict[Verdict, type[OutOfOrderError | OutOfBoundsError | DuplicateSampleError]] = {
    Verdict.OUT_OF_ORDER: OutOfOrderError,
    Verdict.OUT_OF_BOUNDS: OutOfBoundsError,
    Verdict.DUPLICATE: DuplicateSampleError,
}
"""The error of each verdict that refuses a sample."""


def _kept_rows(rows: int) -> int:
    """How many of an open block's rows stay open when it is full."""
    return min(_KEPT_ROWS, rows // _KEPT_SHARE)


class TSDB:
    """An in-memory store of samples. One thread appends, any thread selects.

    retention: how far back from the newest sample (`15d`), None to keep everything. retention_bytes: a
    budget for all samples kept. Both drop whole blocks. block_rows: the most rows a block gets.
    max_exemplars: how many `exemplars` keeps; that is None where it is 0.
    Inside, times are int64 ms; only `append` takes seconds.
    """

    def __init__(
        self,
        retention: str | None = "15d",
        *,
        retention_bytes: int | None = None,
        block_rows: int = _BLOCK_ROWS,
        max_exemplars: int = 0,
    ) -> None:
        self._retention_ms = None if retention is None else parse_duration(retention)
        self._retention_bytes = retention_bytes
        self._block_rows = block_rows
        span_ms = END_OF_TIME if self._retention_ms is None else self._retention_ms // _RETENTION_PARTS
        self._sizing = Sizing(self._rows_for, _kept_rows, _MERGED_BLOCKS * block_rows, span_ms)
        self._head = Head(self._retention_ms, self._maintain)
        self._series = SeriesTable()
        self._index = Index(self._series)
        self._held = Holdings()
        self.exemplars = ExemplarRing(max_exemplars) if max_exemplars > 0 else None
        self._tails = Tails()
        self._rewritten = 0  # how often anything but appending happened to the samples
        self._generations_before = 0  # of earlier epochs
        self._settled_series = 0  # ids below it were there at the last look for dead series

    @property
    def symbols(self) -> Symbols:
        """The strings of all labels. Another table takes its place when `epoch` changes."""
        return self._series.symbols

    @property
    def epoch(self) -> int:
        """Changes when series ids are renumbered."""
        return self._head.epoch

    @property
    def generation(self) -> int:
        """Changes when series are added."""
        return self._generations_before + len(self._series)

    @property
    def series_count(self) -> int:
        """How many series there are; their ids are below it."""
        return len(self._series)

    @property
    def min_time_ms(self) -> int:
        """The time of the oldest sample kept; the largest int64 where there is none, as Prometheus has it."""
        with self._head.lock:
            return self._held.min_time_ms

    @property
    def max_time_ms(self) -> int:
        """The time of the newest sample ever taken; the smallest int64 where there was none."""
        return self._head.max_time_ms

    def append(
        self,
        labels: Mapping[str, str] | Labels,
        value: float,
        timestamp: float,
        start_timestamp: float | None = None,
    ) -> None:
        """One sample; timestamp in Unix seconds, and so is when its counter began, where that is known.

        Raises OutOfOrderError, DuplicateSampleError or OutOfBoundsError as Prometheus' head does, and
        InvalidSampleError where there is no label.
        """
        made = labels if isinstance(labels, Labels) else Labels(labels)
        if not made:
            raise InvalidSampleError
        timestamp_ms = round(timestamp * 1000)
        value = _storable_value(value)
        with self._head.lock:
            series = self._series.resolve(made)
            self._head.grow(len(self._series))
            verdict = self._head.judge(series, timestamp_ms, value)
            if verdict in REFUSALS:
                raise REFUSALS[verdict]()
            if verdict is Verdict.STORE:
                self._head.record_one(series, timestamp_ms, value)
                if self._held.irregular.append_one(series, timestamp_ms, value):
                    self._head.due_ms = NO_TIME
                if start_timestamp:  # 0 says as little as None, as in Prometheus
                    self._held.starts.append_one(series, timestamp_ms, float(round(start_timestamp * 1000)))
                self._head.settle()

    def append_histogram(
        self,
        labels: Mapping[str, str] | Labels,
        histogram: Histogram,
        timestamp: float,
        start_timestamp: float | None = None,
    ) -> None:
        """One native histogram; timestamp in Unix seconds. A series may have floats at other times.

        Raises as `append` does, and InvalidSampleError for a histogram that contradicts itself.
        """
        made = labels if isinstance(labels, Labels) else Labels(labels)
        if not made:
            raise InvalidSampleError
        started = None if not start_timestamp else round(start_timestamp * 1000)
        self.append_histogram_at(made, histogram, round(timestamp * 1000), started)

    def append_histogram_at(
        self, labels: Labels, histogram: Histogram, timestamp_ms: int, start_ms: int | None = None
    ) -> None:
        """`append_histogram` in milliseconds."""
        with self._head.lock:
            verdict = self.judge_histogram(labels, histogram, timestamp_ms)
            if verdict in REFUSALS:
                raise REFUSALS[verdict]()
            if verdict is Verdict.STORE:
                series = self._series.resolve(labels)
                self._store_histogram(series, timestamp_ms, histogram, start_ms or 0)
                self._head.settle()

    def judge_histogram(self, labels: Labels, histogram: Histogram, timestamp_ms: int) -> Verdict:
        """What `append_histogram_at` would do. Raises InvalidSampleError as that does."""
        try:
            histogram.validate()
        except InvalidHistogramError as error:
            raise InvalidSampleError(str(error)) from error
        with self._head.lock:
            series = self._series.resolve(labels)
            self._head.grow(len(self._series))
            return self._judge_histogram(series, timestamp_ms, histogram)

    def judge(self, ids: Ids, timestamps_ms: Times, values: Values, *, epoch: int) -> NDArray[np.int8]:
        """int8[N], Verdict: what `append_samples` would do with each of these if it came alone.

        Raises StaleReferences where `epoch` is not the store's.
        """
        with self._head.lock:
            self._head.check_epoch(epoch)
            return self._head.verdicts(ids, timestamps_ms, storable(values))

    def newest_value(self, series: int) -> float:
        """The value of a series' newest sample; HISTOGRAM_NAN stands for a histogram."""
        return self._head.newest_value(series)

    def exclusively(self) -> AbstractContextManager[object]:
        """While it is entered, no other thread appends or selects: what was judged stays true."""
        return self._head.lock

    def resolve(self, labels: Sequence[Labels]) -> Ids:
        """Series ids int32[n], creating series as needed; good for the `epoch` from before the call, if it
        is still that.

        Raises InvalidSampleError where there is a label set without labels.
        """
        if not all(labels):
            raise InvalidSampleError
        ids: list[int] = []
        for start in range(0, len(labels), _RESOLVED_AT_A_TIME):
            with self._head.lock:  # let go of in between: other sources have rows to write
                ids += map(self._series.resolve, labels[start : start + _RESOLVED_AT_A_TIME])
                self._head.grow(len(self._series))
        return np.array(ids, dtype=np.int32)

    def table(self, source: str) -> Table:
        """The table of one sample source, made when asked for the first time."""
        with self._head.lock:
            table = self._held.tables.get(source)
            if table is None:
                table = Table(source, self._head, self._held.irregular, self._held.starts, self._sizing)
                self._held.tables[source] = table
            table.is_released = False
            return table

    def release(self, source: str) -> None:
        """A source that will not write again: its open block is encoded, and it goes with its last block."""
        with self._head.lock:
            table = self._held.tables.get(source)
            if table is not None:
                table.rest()
                table.is_released = True
                self._held.forget_released()

    def append_samples(
        self,
        ids: Ids,
        timestamps_ms: Times,
        values: Values,
        *,
        epoch: int,
        starts: Times | None = None,
    ) -> RowResult:
        """Samples with a time each, as if they came one after another.

        ids: int32[N].  timestamps_ms: int64[N].  values: float64[N].
        starts: int64[N], when the counter of each began, in ms, 0 where that is not known.
        Raises StaleReferences where `epoch` is not the store's.
        """
        if not len(ids) == len(timestamps_ms) == len(values):
            raise ValueError(f"{len(ids)} series, {len(timestamps_ms)} times and {len(values)} values")
        values = storable(values)
        times = np.asarray(timestamps_ms, dtype=np.int64)
        with self._head.lock:
            self._head.check_epoch(epoch)
            if not len(ids):
                return RowResult()
            taken, result = self._head.admit(ids, times, values)
            if self._held.irregular.append(ids[taken], times[taken], values[taken]):
                self._head.due_ms = NO_TIME
            if starts is not None:
                started = taken & (starts != 0)
                self._held.starts.append(ids[started], times[started], starts[started].astype(np.float64))
            self._head.settle()
        return result

    def append_histograms(
        self,
        ids: Ids,
        timestamps_ms: Times,
        histograms: Sequence[Histogram],
        *,
        epoch: int,
        starts: Times | None = None,
    ) -> RowResult:
        """Native histograms with a time each, as if they came one after another.

        ids: int32[N].  timestamps_ms, starts: int64[N], as in `append_samples`. The histograms have to be
        valid: that is not looked at again. Raises StaleReferences where `epoch` is not the store's.
        """
        if not len(ids) == len(timestamps_ms) == len(histograms):
            raise ValueError(
                f"{len(ids)} series, {len(timestamps_ms)} times and {len(histograms)} histograms"
            )
        begun = [0] * len(ids) if starts is None else starts.tolist()
        counts = Counter[Verdict]()
        with self._head.lock:
            self._head.check_epoch(epoch)
            for series, time_ms, histogram, start_ms in zip(
                ids.tolist(), timestamps_ms.tolist(), histograms, begun, strict=True
            ):
                verdict = self._judge_histogram(series, time_ms, histogram)
                if verdict is Verdict.STORE:
                    self._store_histogram(series, time_ms, histogram, start_ms)
                counts[verdict] += 1
            self._head.settle()
        return RowResult(
            counts[Verdict.STORE] + counts[Verdict.REPEATED],
            counts[Verdict.OUT_OF_ORDER],
            counts[Verdict.DUPLICATE],
            counts[Verdict.OUT_OF_BOUNDS],
        )

    def _judge_histogram(self, series: int, timestamp_ms: int, histogram: Histogram) -> Verdict:
        verdict = self._head.judge(series, timestamp_ms, HISTOGRAM_NAN)
        if verdict is Verdict.REPEATED and self._held.histograms.newest(series) != histogram:
            return Verdict.DUPLICATE
        return verdict

    def _store_histogram(self, series: int, timestamp_ms: int, histogram: Histogram, start_ms: int) -> None:
        """start_ms: 0 for not known."""
        after_float = self._head.newest_bits(series) != HISTOGRAM_BITS
        self._head.record_one(series, timestamp_ms, HISTOGRAM_NAN)
        if self._held.histograms.append(series, timestamp_ms, histogram, after_float=after_float):
            self._head.due_ms = NO_TIME
        if start_ms:
            self._held.starts.append_one(series, timestamp_ms, float(start_ms))

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """The series every matcher accepts and their samples with start_ms < t <= end_ms.

        Nothing in the result may be written to; nothing in it changes.
        """
        prepare(self._head.lock, self._index, matchers, self._held.tables.values)
        with self._head.lock:
            epoch, resolved = self.epoch, self._index.resolve(matchers)
            tables, is_apart = resolved.among(self._held.tables.values())
            histograms = self._held.histograms.read(resolved.ids, start_ms, end_ms)
            recent: list[Recent] = []
            if is_apart and not histograms and not self._held.irregular.reaches(start_ms, end_ms):
                cohort = resolved.following.cohort(
                    tables, resolved.locate, start_ms, end_ms, self._rewritten, self._tails
                )
                if cohort is not None:
                    found = (cohort,) if cohort.times.shape[1] else ()
                    return Selection(resolved.ids, epoch, resolved.labels, (), cohorts=found)
                recent, tables = _recent_of(tables, resolved.locate, start_ms, end_ms)
            sources = [table.read(resolved.locate, start_ms, end_ms) for table in tables]
            sources.append(self._held.irregular.read(resolved.locate, resolved.ids, start_ms, end_ms))
        used = [source for source in sources if source.pieces or source.loose]
        frames = gather(used, len(resolved.ids)) if used else ()
        newest = cohorts(recent, (start_ms, end_ms))
        return Selection(resolved.ids, epoch, resolved.labels, frames, histograms, cohorts=newest)

    def start_times(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[int, StartTimes] | None:
        """The start times that came with samples start_ms < t <= end_ms of these series, None for none.

        With the epoch of the series ids that its rows are.
        """
        with self._head.lock:
            if not self._held.starts.samples:
                return None
            resolved = self._index.resolve(matchers)
            found = self._held.starts.read(resolved.locate, resolved.ids, start_ms, end_ms)
            epoch = self.epoch
        frames = gather([found], len(resolved.ids))
        if not frames:
            return None
        starts = StartTimes.of(frames)
        return epoch, StartTimes(resolved.ids[starts.rows].astype(np.intp), starts.times, starts.starts)

    def series(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[Labels]:
        """The label sets, sorted, of the series that any of the matcher sets selects and that have a sample
        in start_ms <= t <= end_ms. No matcher sets select everything.
        """
        with self._head.lock:
            found, table = self._active(matcher_sets, start_ms, end_ms), self._series
        return sorted(table.label_sets(found).to_list())  # without the lock, as in prepare.py

    def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        """The label names, sorted, of those series."""
        with self._head.lock:
            found, index = self._active(matcher_sets, start_ms, end_ms), self._index
        return index.names_among(found)

    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        """The values, sorted, that a label has on those series."""
        with self._head.lock:
            found = self._active(matcher_sets, start_ms, end_ms)
            if len(found) == len(self._series):
                return self._index.values(name)
            index = self._index
        return index.values_among(name, found)

    def delete(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> int:
        """Forget the samples in start_ms <= t <= end_ms of the series every matcher accepts; how many.

        Series that lose their last sample lose their place in the index. The others still refuse samples
        older than the newest they ever had.
        """
        with self._head.lock:
            wanted = np.zeros(len(self._series), dtype=np.bool_)
            wanted[self._index.find(matchers)] = True
            deleted = self._held.delete(wanted, start_ms - 1, end_ms)
            if deleted:
                self._rewritten += 1
                self._held.forget_released()
                alive = self._held.alive(len(self._series))
                if not alive[wanted].all():
                    self._renumber(alive | ~wanted)
            return deleted

    def shift(self, delta_ms: int) -> None:
        """Move the time of every sample by so many ms, as when the clock they were stamped by was set.

        What was selected before stays as it was. Costs next to nothing: blocks keep one time and offsets.
        """
        with self._head.lock:
            self._rewritten += 1
            self._held.shift(delta_ms)
            self._head.shift(delta_ms)
        if self.exemplars is not None:
            self.exemplars.shift(delta_ms)

    def status(self, limit: int = 10) -> HeadStatus:
        """How much there is, and the `limit` largest metrics and labels."""
        with self._head.lock:
            return head_status(self._held, self._series, self._index, self._head, limit)

    def _rows_for(self, columns: int) -> int:
        """Rows of a block of so many columns: as many as fit what all open blocks may take together."""
        affordable = _OPEN_BYTES // (8 * max(len(self._series), columns, 1))
        sealed = self._block_rows
        longest = sealed + min(_KEPT_ROWS, sealed // (_KEPT_SHARE - 1))
        return min(longest, max(_LEAST_ROWS, affordable))

    def _active(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> Ids:
        """int32[N], increasing: selected series with a sample in start_ms <= t <= end_ms."""
        active = self._held.occupied(len(self._series), start_ms - 1, end_ms)
        if matcher_sets:
            selected = np.zeros(len(self._series), dtype=np.bool_)
            for matchers in matcher_sets:
                selected[self._index.find(matchers)] = True
            active &= selected
        return np.flatnonzero(active).astype(np.int32)

    def _maintain(self) -> None:
        """Drop what retention no longer covers, encode what fell silent, and say when to come again."""
        newest, held = self._head.max_time_ms, self._held
        dropped = False
        if self._retention_ms is not None:
            dropped = held.drop_before(newest - self._retention_ms)
        held.rest(newest - _IDLE_MS)
        if self._retention_bytes is not None:
            dropped |= held.drop_to_fit(self._retention_bytes, newest - _IDLE_MS)
        if dropped:
            self._rewritten += 1
            held.tidy()
            self._collect_dead()
        self._head.due_ms = newest + _IDLE_MS // 2
        if self._retention_ms is not None:
            self._head.due_ms = min(self._head.due_ms, held.next_end_ms() + self._retention_ms + 1)

    def _collect_dead(self) -> None:
        """Renumber if many series have no block left. Ids handed out since the last look are spared."""
        alive = self._held.alive(len(self._series))
        alive[self._settled_series :] = True
        dead = len(alive) - int(np.count_nonzero(alive))
        self._settled_series = len(alive)
        if dead > max(_DEAD_LEAST, len(alive) // _DEAD_SHARE):
            self._renumber(alive)

    def _renumber(self, alive: Mask) -> None:
        """Forget the series not marked in bool[S]; the others get the ids 0, 1, … in the same order."""
        new_ids = (np.cumsum(alive) - 1).astype(np.int32)
        self._held.renumber(new_ids)
        self._generations_before += len(self._series) + 1
        self._series = self._series.compacted(alive)
        self._index = Index(self._series)
        self._head.compact(alive)
        self._settled_series = len(self._series)


def _storable_value(value: float) -> float:
    """The ordinary NaN in place of the pattern that means "no sample"."""
    if value == value or struct.pack("<d", value) != struct.pack("<Q", ABSENT_BITS):
        return value
    normal: float = struct.unpack("<d", struct.pack("<Q", NORMAL_NAN_BITS))[0]
    return normal


def _recent_of(
    tables: Sequence[Table], locate: Locate, start_ms: int, end_ms: int
) -> tuple[list[Recent], list[Table]]:
    """What is in open blocks, and the tables that have to be read the usual way."""
    recent: list[Recent] = []
    others: list[Table] = []
    for table in tables:
        found = table.recent(locate, start_ms, end_ms)
        if found is None:
            others.append(table)
        else:
            recent.append(found)
    return recent, others
