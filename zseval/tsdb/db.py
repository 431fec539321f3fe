"""TSDB: append, select, label queries; owns the lock.

First version: one dict of samples a series. Correct, and soon to be replaced by the columnar ring.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zseval.errors import StorageError
from zseval.model.arrays import Ids, Times, Values
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher
from zseval.model.staleness import NORMAL_NAN_BITS, is_absent, is_stale
from zseval.model.symbols import Symbols
from zseval.tsdb.errors import (
    DuplicateSampleError,
    InvalidSampleError,
    OutOfOrderError,
    StaleReferences,
)
from zseval.tsdb.frame import Frame, Selection

__all__ = ["TSDB", "RowResult", "Table"]


@dataclass(frozen=True, slots=True)
class RowResult:
    """How many samples of a row were taken, and why others were not."""

    appended: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    out_of_bounds: int = 0


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


class Table:
    """All series of one sample source."""

    def __init__(self, db: TSDB, source: str) -> None:
        self.source = source
        self._db = db

    def append_row(self, timestamp_ms: int, ids: Ids, values: Values, *, epoch: int) -> RowResult:
        """One sample for each of `ids` at one time."""
        times = np.full(len(ids), timestamp_ms, dtype=np.int64)
        return self._db.append_samples(ids, times, values, epoch=epoch)


class TSDB:
    """An in-memory store; one thread appends, any thread selects."""

    def __init__(
        self, retention: str | None = "15d", *, retention_bytes: int | None = None, block_rows: int = 120
    ) -> None:
        self.symbols = Symbols()
        self.epoch = 0
        self._lock = threading.RLock()
        self._ids: dict[Labels, int] = {}
        self._labels: list[Labels] = []
        self._times: list[list[int]] = []
        self._values: list[list[float]] = []
        self._tables: dict[str, Table] = {}

    @property
    def generation(self) -> int:
        return len(self._labels)

    def append(
        self,
        labels: Mapping[str, str] | Labels,
        value: float,
        timestamp: float,
        start_timestamp: float | None = None,
    ) -> None:
        """One sample; timestamp in Unix seconds."""
        if start_timestamp is not None:
            raise StorageError("start timestamps are not stored")
        made = labels if isinstance(labels, Labels) else Labels(labels)
        if not made:
            raise InvalidSampleError
        with self._lock:
            result = self.append_samples(
                self.resolve([made]),
                np.array([round(timestamp * 1000)], dtype=np.int64),
                np.array([value], dtype=np.float64),
                epoch=self.epoch,
            )
        if result.out_of_order:
            raise OutOfOrderError
        if result.duplicates:
            raise DuplicateSampleError

    def resolve(self, labels: Sequence[Labels]) -> Ids:
        """Series ids, creating series as needed."""
        with self._lock:
            return np.array([self._resolve(each) for each in labels], dtype=np.int32)

    def _resolve(self, labels: Labels) -> int:
        series = self._ids.get(labels)
        if series is None:
            series = self._ids[labels] = len(self._labels)
            self._times.append([])
            self._values.append([])
            self._labels.append(labels)
        return series

    def table(self, source: str) -> Table:
        with self._lock:
            if source not in self._tables:
                self._tables[source] = Table(self, source)
            return self._tables[source]

    def append_samples(self, ids: Ids, timestamps_ms: Times, values: Values, *, epoch: int) -> RowResult:
        """Samples at times of their own."""
        if epoch != self.epoch:
            raise StaleReferences(epoch, self.epoch)
        appended = out_of_order = duplicates = 0
        clean = values.copy()
        clean.view(np.int64)[is_absent(clean)] = NORMAL_NAN_BITS
        with self._lock:
            for series, time, value in zip(ids.tolist(), timestamps_ms.tolist(), clean.tolist(), strict=True):
                times, kept = self._times[series], self._values[series]
                if times and time < times[-1]:
                    out_of_order += 1
                elif times and time == times[-1] and _bits(value) != _bits(kept[-1]):
                    duplicates += 1
                else:
                    appended += 1
                    if not times or time > times[-1]:
                        times.append(time)
                        kept.append(value)
        return RowResult(appended, out_of_order, duplicates)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        """Samples with start_ms < t <= end_ms of the series that every matcher accepts."""
        with self._lock:
            found = self._matching(matchers)
            labels = LabelSets.of([self._labels[series] for series in found], self.symbols)
            by_times: dict[bytes, list[tuple[int, Times, Values]]] = {}
            for row, series in enumerate(found):
                times = np.array(self._times[series], dtype=np.int64)
                lo, hi = np.searchsorted(times, [start_ms, end_ms], side="right")
                if lo < hi:
                    values = np.array(self._values[series], dtype=np.float64)
                    cut = times[lo:hi]
                    by_times.setdefault(cut.tobytes(), []).append((row, cut, values[lo:hi]))
        frames = []
        for group in by_times.values():
            block = np.stack([values for _, _, values in group])
            rows = np.array([row for row, _, _ in group], dtype=np.intp)
            frames.append(Frame(rows, group[0][1], block, None, bool(is_stale(block).any())))
        return Selection(np.array(found, dtype=np.int32), self.epoch, labels, tuple(frames))

    def _matching(self, matchers: Sequence[Matcher]) -> list[int]:
        return [
            series
            for series, labels in enumerate(self._labels)
            if all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)
        ]

    def series(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[Labels]:
        """Label sets with a sample in start_ms <= t <= end_ms."""
        with self._lock:
            found = sorted(
                {series for matchers in matcher_sets or [()] for series in self._matching(matchers)}
            )
            return sorted(
                self._labels[series]
                for series in found
                if any(start_ms <= time <= end_ms for time in self._times[series])
            )

    def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[str]:
        return sorted({name for labels in self.series(matcher_sets, start_ms, end_ms) for name, _ in labels})

    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]:
        values = {labels.get(name) for labels in self.series(matcher_sets, start_ms, end_ms)}
        return sorted(values - {""})
