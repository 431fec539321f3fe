"""SeriesWriter: one rule's results into the store, and staleness markers for what it no longer gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from zseval.model.arrays import Ids, Values
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN

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


class SeriesWriter:
    """Remembers which series the rule gave last, and their ids, so that the same series cost no look-up."""

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source
        self._labels: tuple[Labels, ...] = ()
        self._ids: Ids = np.zeros(0, dtype=np.int32)
        self._epoch = -1

    @property
    def labels(self) -> tuple[Labels, ...]:
        """The series of the last write."""
        return self._labels

    def write(self, time_ms: int, labels: Sequence[Labels], values: Sequence[float]) -> Refused:
        """Samples at one time; series of the last write that are not among them are marked stale."""
        before, now = self._labels, tuple(labels)
        kept = set(now)
        vanished = [each for each in before if each not in kept] if now != before else []
        if now != before or self._epoch != self._store.epoch:
            self._epoch = self._store.epoch
            self._ids = self._store.resolve(now)
            self._labels = now
        if not vanished:
            return self._append(time_ms, self._ids, np.asarray(values, dtype=np.float64))
        gone = self._store.resolve(vanished)
        ids = np.concatenate([self._ids, gone])
        row = np.concatenate([np.asarray(values, dtype=np.float64), np.full(len(gone), STALE_NAN)])
        return self._append(time_ms, ids, row)

    def end(self, time_ms: int) -> None:
        """Mark everything stale, as when the rule is gone."""
        self.write(time_ms, (), ())

    def _append(self, time_ms: int, ids: Ids, values: Values) -> Refused:
        table = self._store.table(self._source)
        return table.append_row(time_ms, ids, values, epoch=self._store.epoch)
