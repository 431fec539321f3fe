"""Placing: which table of the store each series' samples go to.

Senders say nothing of where samples come from. But samples of one scrape have one timestamp, down to the
millisecond, scrape after scrape; so series that are first seen at the same moment share a table, and what
comes of them later are its rows. Few series at a time, and histories of many samples a series, go where
samples have times of their own.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from zseval.model.arrays import Ids, Times, Values
from zseval.tsdb.db import TSDB, RowResult, Table

__all__ = ["Placing"]

_LEAST_ROW = 16  # series of one moment that are worth a table
_MOST_TABLES = 256  # a query reads all of them
_HISTORY = 4  # more samples a series than this in one request are its history, and no rows
_NOWHERE = -1


class Placing:
    """For one thread, and one epoch of the store's series ids after the other."""

    def __init__(self, store: TSDB) -> None:
        self._store = store
        self._epoch = store.epoch
        self._owners: Ids = np.zeros(0, dtype=np.int32)  # the number of each series' table
        self._tables: OrderedDict[int, Table] = OrderedDict()  # the one used last is last
        self._made = 0

    def write(self, ids: Ids, times: Times, values: Values, epoch: int) -> RowResult:
        """Samples of a request, int32[N], int64[N] and float64[N], in order of time. Raises StaleReferences.

        Of several samples of a series at one time the first is taken.
        """
        self._follow(epoch)
        if not len(ids):
            return RowResult()
        if (times == times[0]).all():
            return self._row(int(times[0]), ids, values)
        distinct, place = np.unique(times, return_inverse=True)
        if len(distinct) > _HISTORY and len(ids) > _HISTORY * len(np.unique(ids)):
            return self._history(ids, times, values)
        order = np.argsort(place, kind="stable")
        borders = np.flatnonzero(np.diff(place[order])) + 1
        total = RowResult()
        for time, part in zip(distinct.tolist(), np.split(order, borders), strict=True):
            total = _sum(total, self._row(time, ids[part], values[part]))
        return total

    def _follow(self, epoch: int) -> None:
        """Make room for new series; forget everything where series were renumbered."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._owners = np.zeros(0, dtype=np.int32)
            while self._tables:
                self._release()
        short = self._store.series_count - len(self._owners)
        if short > 0:
            room = np.full(short + len(self._owners) // 8, _NOWHERE, dtype=np.int32)
            self._owners = np.concatenate([self._owners, room])

    def _history(self, ids: Ids, times: Times, values: Values) -> RowResult:
        """Many samples of each series. As a rule they come series by series, and in order."""
        same = ids[1:] == ids[:-1]
        is_split = len(same) - np.count_nonzero(same) >= len(np.unique(ids))
        if is_split or (times[1:] < times[:-1])[same].any():
            order = np.argsort(times, kind="stable")
            ids, times, values = ids[order], times[order], values[order]
        return self._store.append_samples(ids, times, values, epoch=self._epoch)

    def _row(self, time_ms: int, ids: Ids, values: Values) -> RowResult:
        """Samples of one moment."""
        owners = self._owners[ids]
        if (owners == owners[0]).all():
            return self._part(time_ms, int(owners[0]), ids, values)
        total = RowResult()
        for owner in np.unique(owners).tolist():
            part = np.flatnonzero(owners == owner)
            total = _sum(total, self._part(time_ms, owner, ids[part], values[part]))
        return total

    def _part(self, time_ms: int, owner: int, ids: Ids, values: Values) -> RowResult:
        """Samples of one moment whose series have the same table, or none."""
        table = self._tables.get(owner)
        if (table is None or time_ms < table.last_row_ms) and len(ids) >= _LEAST_ROW:
            # Late rows are another sender's, or of another of its shards: they are in order among themselves.
            owner = self._table_at(time_ms)
            self._owners[ids] = owner
            table = self._tables[owner]
        if table is None:
            times = np.full(len(ids), time_ms, dtype=np.int64)
            return self._store.append_samples(ids, times, values, epoch=self._epoch)
        self._tables.move_to_end(owner)
        return table.append_row(time_ms, ids, values, epoch=self._epoch)

    def _table_at(self, time_ms: int) -> int:
        """The table whose last row is of this moment, else a new one."""
        for number, table in self._tables.items():
            if table.last_row_ms == time_ms:
                return number
        if len(self._tables) >= _MOST_TABLES:
            self._release()
        number, self._made = self._made, self._made + 1
        self._tables[number] = self._store.table(_name(number))
        return number

    def _release(self) -> None:
        """Let go of the table that was used longest ago."""
        number, _ = self._tables.popitem(last=False)
        self._owners[self._owners == number] = _NOWHERE
        self._store.release(_name(number))


def _name(number: int) -> str:
    return f"remote write {number}"


def _sum(one: RowResult, other: RowResult) -> RowResult:
    return RowResult(
        one.appended + other.appended,
        one.out_of_order + other.out_of_order,
        one.duplicates + other.duplicates,
        one.out_of_bounds + other.out_of_bounds,
    )
