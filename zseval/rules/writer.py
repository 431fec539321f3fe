"""SeriesWriter: one rule's results into the store, and staleness markers for what it no longer gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from zseval.model.arrays import Ids, Values
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.tsdb.errors import StaleReferences
from zseval.tsdb.head import RowResult

__all__ = ["Refused", "SeriesWriter", "Store", "Table"]


class Refused(Protocol):
    """What the store says of a row."""

    @property
    def out_of_order(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def out_of_bounds(self) -> int: ...


class Table(Protocol):
    def append_row(self, timestamp_ms: int, ids: Ids, values: Values, *, epoch: int) -> Refused: ...


class Store(Protocol):
    """What rules need of a TSDB for writing."""

    @property
    def epoch(self) -> int: ...
    def resolve(self, labels: Sequence[Labels]) -> Ids: ...
    def table(self, source: str) -> Table: ...
    def release(self, source: str) -> None: ...
    def append_histogram_at(self, labels: Labels, histogram: Histogram, timestamp_ms: int) -> None: ...


_NOTHING = RowResult()


class SeriesWriter:
    """Remembers which series the rule gave last, and their ids.

    The same labels as last time, in the same order, cost no look-up: comparing them is comparing
    objects that mostly are the same.
    """

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source
        self._labels: tuple[Labels, ...] = ()
        self._histograms: tuple[Labels, ...] = ()
        self._resolved: tuple[Labels, ...] = ()
        self._ids: Ids = np.zeros(0, dtype=np.int32)
        self._epoch = -1

    @property
    def labels(self) -> tuple[Labels, ...]:
        """The series of the last write."""
        return self._labels

    def write(
        self,
        time_ms: int,
        labels: Sequence[Labels],
        values: Values | Sequence[float],
        histograms: Sequence[tuple[Labels, Histogram]] = (),
    ) -> Refused:
        """Samples at one time; series of the last write that are not among them are marked stale.

        Returns what the store says of the floats; raises StorageError for a histogram it refuses. A marker
        it refuses is no news: the series then has a sample of somebody else's at that time.
        """
        if not (labels or histograms or self._labels or self._histograms):
            return _NOTHING
        gone = self._exchange(tuple(labels), tuple(each for each, _ in histograms))
        result = self._append(time_ms, self._known_ids, np.asarray(values, dtype=np.float64))
        for each, histogram in histograms:
            self._store.append_histogram_at(each, histogram, time_ms)
        if gone:
            self._append(time_ms, lambda: self._store.resolve(gone), np.full(len(gone), STALE_NAN))
        return result

    def _exchange(self, labels: tuple[Labels, ...], histograms: tuple[Labels, ...]) -> tuple[Labels, ...]:
        """Remember these series in place of those of the last write; returns the ones that are gone."""
        before, before_histograms = self._labels, self._histograms
        if labels == before and histograms == before_histograms:
            return ()
        self._labels, self._histograms = labels, histograms
        kept = {*labels, *histograms}
        return tuple(each for each in (*before, *before_histograms) if each not in kept)

    def _append(self, time_ms: int, ids: Callable[[], Ids], row: Values) -> Refused:
        table = self._store.table(self._source)
        while True:
            epoch = self._store.epoch
            try:
                return table.append_row(time_ms, ids(), row, epoch=epoch)
            except StaleReferences:
                self._epoch = -1  # somebody's append made the store renumber its series just now

    def _known_ids(self) -> Ids:
        epoch = self._store.epoch
        if self._epoch != epoch or self._resolved is not self._labels:
            self._ids, self._resolved, self._epoch = self._store.resolve(self._labels), self._labels, epoch
        return self._ids

    def end(self, time_ms: int) -> None:
        """Mark everything stale, as when the rule is gone."""
        self.write(time_ms, (), ())
