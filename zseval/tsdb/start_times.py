"""Start times: when the counter behind a sample began, for the samples that came with that.

Kept apart from the samples: whoever gives none pays for none. A start time is stored like an irregular
sample whose value it is, in ms; series repeat theirs from sample to sample, which encodes to almost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Rows, Times
from zseval.tsdb.frame import Frame

__all__ = ["StartTimes"]


@dataclass(frozen=True, eq=False)
class StartTimes:
    """Start times of some samples of a selection.

    rows: intp[N], which series.  times: int64[N], of the samples, ms.  starts: int64[N], ms, none is 0.
    """

    rows: Rows
    times: Times
    starts: Times

    @classmethod
    def of(cls, frames: tuple[Frame, ...]) -> StartTimes:
        """Those of frames whose values they are."""
        rows, times, starts = [], [], []
        for frame in frames:
            shape = frame.values.shape
            held = np.ones(shape, dtype=np.bool_)
            if frame.counts is not None:
                held = np.arange(shape[1]) < frame.counts[:, np.newaxis]
            rows.append(np.broadcast_to(frame.rows[:, np.newaxis], shape)[held])
            times.append(np.broadcast_to(frame.times, shape)[held])
            starts.append(frame.values[held].astype(np.int64))
        return cls(np.concatenate(rows), np.concatenate(times), np.concatenate(starts))

    @cached_property
    def _index(self) -> tuple[Times, Times, Times]:
        """Distinct times; sorted keys of row and time; the start time of each key."""
        distinct, place = np.unique(self.times, return_inverse=True)
        keys = self.rows.astype(np.int64) * len(distinct) + place
        order = np.argsort(keys, kind="stable")
        return distinct, keys[order], self.starts[order]

    def at(self, rows: Rows, times: NDArray[Any]) -> Times:
        """int64, ms, 0 where there is none: for samples of these rows at these times, as they broadcast."""
        distinct, keys, starts = self._index
        place = np.minimum(np.searchsorted(distinct, times), len(distinct) - 1)
        wanted = rows * np.int64(len(distinct)) + place
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = (keys[found] == wanted) & (distinct[place] == times)
        return np.where(known, starts[found], 0)

    def among(self, ids: Ids) -> StartTimes | None:
        """With rows that count in `ids` (int32[S], increasing), where they were series ids; None for none."""
        place = np.minimum(np.searchsorted(ids, self.rows), max(len(ids) - 1, 0))
        kept = np.flatnonzero(ids[place] == self.rows) if len(ids) else np.zeros(0, dtype=np.intp)
        return StartTimes(place[kept], self.times[kept], self.starts[kept]) if len(kept) else None
