"""Head: the newest sample of each series, and which samples may follow it.

The rules are those of Prometheus' head without an out-of-order window (tsdb/head_append.go,
`appendable`): a sample must be newer than the series' newest, or be exactly it.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, Times, Values
from zseval.model.staleness import NORMAL_NAN_BITS, has_nan, is_absent
from zseval.tsdb.errors import StaleReferences
from zseval.tsdb.growing import Growing

__all__ = ["NO_TIME", "Head", "RowResult", "Verdict", "storable"]

NO_TIME = -(2**63)
"""The time of "no sample yet": older than any."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """How many samples were taken (repeats of the newest sample count as taken), and why others were not."""

    appended: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    out_of_bounds: int = 0


class Verdict(enum.IntEnum):
    """What becomes of one sample."""

    STORE = 0
    REPEATED = 1
    DUPLICATE = 2
    OUT_OF_ORDER = 3
    OUT_OF_BOUNDS = 4


def storable(values: Values) -> Values:
    """float64 values as they are stored: the pattern that means "no sample" becomes the ordinary NaN."""
    values = np.asarray(values, dtype=np.float64)
    if not has_nan(values):
        return values
    absent = is_absent(values)
    if absent.any():
        values = values.copy()
        values.view(np.int64)[absent] = NORMAL_NAN_BITS
    return values


class Head:
    """State shared by all tables of one TSDB; `lock` guards it and them.

    epoch: of the series ids.  min_valid_ms: samples before it are out of bounds.
    due_ms: when max_time_ms has reached it, `maintain` is called after an append.
    """

    def __init__(self, retention_ms: int | None, maintain: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self.epoch = 0
        self.max_time_ms = NO_TIME
        self.due_ms = NO_TIME
        self._retention_ms = retention_ms
        self._maintain = maintain
        self._times = Growing(np.int64)
        self._values = Growing(np.float64)

    @property
    def nbytes(self) -> int:
        return self._times.nbytes + self._values.nbytes

    @property
    def min_valid_ms(self) -> int:
        if self._retention_ms is None or self.max_time_ms == NO_TIME:
            return NO_TIME
        return self.max_time_ms - self._retention_ms

    def grow(self, series: int) -> None:
        """Make room for series ids below this number."""
        self._times.resize(series, NO_TIME)
        self._values.resize(series, 0.0)

    def compact(self, alive: Mask) -> None:
        """Keep the series marked in bool[S]: they are renumbered in order."""
        times, values = self._times.view[alive], self._values.view[alive]
        self._times, self._values = Growing(np.int64), Growing(np.float64)
        self._times.extend(times)
        self._values.extend(values)
        self.epoch += 1

    def shift(self, delta_ms: int) -> None:
        """Move the times of the newest samples."""
        times = self._times.view
        times[times != NO_TIME] += delta_ms
        if self.max_time_ms != NO_TIME:
            self.max_time_ms += delta_ms
        self.due_ms = NO_TIME

    def check_epoch(self, epoch: int) -> None:
        """Raises StaleReferences where ids are of another epoch."""
        if epoch != self.epoch:
            raise StaleReferences(epoch, self.epoch)

    def settle(self) -> None:
        """After an append: housekeeping, where it is due."""
        if self.max_time_ms >= self.due_ms:
            self._maintain()

    def all_new(self, series: Rows | slice, timestamp_ms: int) -> bool:
        """True where each of these series may get a sample at this time and has none there yet."""
        newest = int(np.maximum.reduce(self._times.view[series]))
        return newest < timestamp_ms and timestamp_ms >= self.min_valid_ms

    def record_row(self, series: Rows | slice, timestamp_ms: int, values: Values) -> None:
        """Samples of one time were stored."""
        self._times.view[series] = timestamp_ms
        self._values.view[series] = values
        self.max_time_ms = max(self.max_time_ms, timestamp_ms)

    def judge(self, series: int, timestamp_ms: int, value: float) -> Verdict:
        """Whether one sample may be stored."""
        if timestamp_ms < self.min_valid_ms:
            return Verdict.OUT_OF_BOUNDS
        newest = int(self._times.view[series])
        if timestamp_ms > newest:
            return Verdict.STORE
        if timestamp_ms < newest:
            return Verdict.OUT_OF_ORDER
        known = self._values.view[series : series + 1].tobytes()
        return Verdict.REPEATED if np.float64(value).tobytes() == known else Verdict.DUPLICATE

    def verdicts(self, series: Ids, times: Times, values: Values) -> NDArray[np.int8]:
        """int8[N], Verdict: what would become of each of these samples if it came alone."""
        newest = self._times.view[series]
        found = np.where(times > newest, np.int8(Verdict.STORE), np.int8(Verdict.OUT_OF_ORDER))
        again = np.flatnonzero(times == newest)
        if len(again):
            known = self._values.view[series[again]].view(np.int64)
            same = values[again].view(np.int64) == known
            found[again] = np.where(same, np.int8(Verdict.REPEATED), np.int8(Verdict.DUPLICATE))
        found[times < self.min_valid_ms] = Verdict.OUT_OF_BOUNDS
        return found

    def newest_value(self, series: int) -> float:
        """The newest value of a series, HISTOGRAM_NAN where that is a histogram."""
        return float(self._values.view[series])

    def newest_bits(self, series: int) -> int:
        """The bits of the newest value of a series."""
        return int(self._values.view[series : series + 1].view(np.int64)[0])

    def record_one(self, series: int, timestamp_ms: int, value: float) -> None:
        self._times.view[series] = timestamp_ms
        self._values.view[series] = value
        self.max_time_ms = max(self.max_time_ms, timestamp_ms)

    def admit(self, series: Ids, times: Times, values: Values) -> tuple[Mask, RowResult]:
        """Which of these samples to store (bool[N]), as if they came one after another; records those.

        A series may occur several times.
        """
        if self._follow_on(series, times):
            self._record(series, times, values)
            return np.ones(len(series), dtype=np.bool_), RowResult(appended=len(series))
        order = np.argsort(series, kind="stable")
        ids, at, bits = series[order], times[order], values[order].view(np.int64)
        newest, newest_at = _newest_before(ids, at, self._times.view[ids])
        known_bits = np.where(newest_at >= 0, bits[newest_at], self._values.view[ids].view(np.int64))
        too_old = at < self.min_valid_ms
        stored = ~too_old & (at > newest)
        same_time = ~too_old & (at == newest)
        repeated = same_time & (bits == known_bits)
        result = RowResult(
            int(np.count_nonzero(stored | repeated)),
            int(np.count_nonzero(~too_old & (at < newest))),
            int(np.count_nonzero(same_time & ~repeated)),
            int(np.count_nonzero(too_old)),
        )
        mask = np.empty(len(series), dtype=np.bool_)
        mask[order] = stored
        if stored.any():
            self._record(ids[stored], at[stored], values[order][stored])
        return mask, result

    def _follow_on(self, series: Ids, times: Times) -> bool:
        """True for the usual batch: series by series, each in order and newer than what is stored."""
        if not len(series) or (series[1:] < series[:-1]).any():
            return False
        if ((times[1:] <= times[:-1]) & (series[1:] == series[:-1])).any():
            return False
        return bool((times > self._times.view[series]).all()) and int(times.min()) >= self.min_valid_ms

    def _record(self, series: Ids, times: Times, values: Values) -> None:
        """Samples were stored. Of a series' several the last is the newest, and the last write wins."""
        self._times.view[series] = times
        self._values.view[series] = values
        self.max_time_ms = max(self.max_time_ms, int(times.max()))


def _newest_before(ids: Ids, at: Times, known: Times) -> tuple[Times, Rows]:
    """For each sample of a batch sorted by series: the newest time of the series before it.

    ids: int32[N], ascending.  at: int64[N].  known: int64[N], the newest stored time of its series.
    Returns that time, and which sample of the batch had it first (-1 for the stored one).
    """
    count = len(ids)
    first = np.ones(count, dtype=np.bool_)
    first[1:] = ids[1:] != ids[:-1]
    group = np.cumsum(first)
    distinct, ranks = np.unique(np.maximum(at, known), return_inverse=True)
    # A running maximum within each series: the series number leads, so that it starts anew with each.
    key = group * len(distinct) + ranks
    running = np.maximum.accumulate(key)
    leads = np.ones(count, dtype=np.bool_)
    leads[1:] = running[1:] > running[:-1]
    leads &= at > known
    position = np.maximum.accumulate(np.where(leads, np.arange(count), -1))
    starts = np.maximum.accumulate(np.where(first, np.arange(count), 0))
    before = np.empty(count, dtype=np.intp)
    before[:1] = -1
    before[1:] = position[:-1]
    before[before < starts] = -1
    return np.where(before >= 0, at[before], known), before
