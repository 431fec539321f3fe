"""Holdings: whatever holds samples of a TSDB, and what is done to all of it alike."""

from __future__ import annotations

import numpy as np

from zseval.model.arrays import Ids, Mask
from zseval.tsdb.histograms import Histograms
from zseval.tsdb.irregular import Irregular
from zseval.tsdb.layout import Layout
from zseval.tsdb.retention import drop_before, drop_to_fit, stored_bytes
from zseval.tsdb.table import Table

__all__ = ["Holdings"]


class Holdings:
    """Guarded by the lock of its TSDB.

    tables: by source.  irregular: samples that came one by one.  histograms: native ones.
    starts: start times of samples, in ms, as values at the samples' times.
    """

    __slots__ = ("histograms", "irregular", "starts", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.irregular = Irregular()
        self.starts = Irregular()
        self.histograms = Histograms()

    def holders(self) -> list[Table | Irregular]:
        """What holds float samples."""
        return [*self.tables.values(), self.irregular]

    @property
    def min_time_ms(self) -> int:
        """The time of the oldest sample; the largest int64 where there is none."""
        floats = min(holder.min_time_ms for holder in self.holders())
        return min(floats, self.histograms.min_time_ms)

    @property
    def stored_bytes(self) -> int:
        """Of floats and start times; `histograms` knows its own."""
        return stored_bytes(self.tables.values(), self.irregular) + self._start_bytes()

    def _start_bytes(self) -> int:
        return stored_bytes((), self.starts) if self.starts.samples else 0

    def occupied(self, count: int, start_ms: int, end_ms: int) -> Mask:
        """bool[count], by series id: which have a sample with start_ms < t <= end_ms."""
        active = np.zeros(count, dtype=np.bool_)
        for holder in (*self.holders(), self.histograms):
            for ids in holder.occupied(start_ms, end_ms):
                active[ids] = True
        return active

    def delete(self, wanted: Mask, start_ms: int, end_ms: int) -> int:
        """Drop samples start_ms < t <= end_ms of the series marked in bool[S]; how many that were."""
        deleted = sum(holder.delete(wanted, start_ms, end_ms) for holder in self.holders())
        self.starts.delete(wanted, start_ms, end_ms)
        return deleted + self.histograms.delete(wanted, start_ms, end_ms)

    def shift(self, delta_ms: int) -> None:
        """Move the time of every sample."""
        for holder in (*self.holders(), self.starts, self.histograms):
            holder.shift(delta_ms)

    def rest(self, silent_before_ms: int) -> None:
        """Encode what was written last before a time."""
        for table in self.tables.values():
            if table.has_open and table.last_row_ms < silent_before_ms:
                table.rest()
        for irregular in (self.irregular, self.starts):
            if irregular.buffer_begins_before(silent_before_ms):
                irregular.seal()

    def drop_before(self, cutoff_ms: int) -> bool:
        """Drop what ends before a time. True if anything went."""
        dropped = drop_before(self.tables.values(), self.irregular, cutoff_ms)
        return self.histograms.drop_before(cutoff_ms) or dropped

    def drop_to_fit(self, limit_bytes: int, silent_before_ms: int) -> bool:
        """Drop what ends first until the rest fits. True if anything went.

        silent_before_ms: histograms of series that ended before it are not waited for.
        """
        limit = limit_bytes - self._start_bytes()
        tables = self.tables.values()
        return drop_to_fit(tables, self.irregular, self.histograms, limit, silent_before_ms=silent_before_ms)

    def tidy(self) -> None:
        """Once something was dropped: start times of samples that are gone, and sources that ended."""
        drop_before((), self.starts, self.min_time_ms)
        self.forget_released()

    def forget_released(self) -> None:
        """Tables that nobody writes to, once they are empty."""
        for source in [name for name, table in self.tables.items() if table.is_released and table.is_empty]:
            del self.tables[source]

    def next_end_ms(self) -> int:
        """When what ends first ends; the end of time where nothing does."""
        ends = [table.blocks[0].max_time_ms for table in self.tables.values() if table.blocks]
        ends += [segment.max_time_ms for segment in self.irregular.segments]
        ends.append(self.histograms.next_end_ms())
        return min(ends)

    def layouts(self) -> set[Layout]:
        """Of all blocks."""
        holders = [*self.holders(), self.starts]
        return {layout for holder in holders for layout in holder.layouts()}

    def alive(self, count: int) -> Mask:
        """bool[count], by series id: which are in some block."""
        alive = np.zeros(count, dtype=np.bool_)
        for layout in self.layouts():
            alive[layout.ids] = True
        for irregular in (self.irregular, self.starts):
            alive[irregular.buffered_ids()] = True
        alive[self.histograms.ids()] = True
        return alive

    def renumber(self, new_ids: Ids) -> None:
        """Series ids change to new_ids[id], int32[S]; the others are in no block."""
        layouts = {layout: Layout(new_ids[layout.ids]) for layout in self.layouts()}
        for table in self.tables.values():
            table.renumber(layouts)
        for irregular in (self.irregular, self.starts):
            irregular.renumber(new_ids, layouts)
        self.histograms.renumber(new_ids)
