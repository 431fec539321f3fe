"""Batch: what one request would write, judged against what the store has, and then written.

As in Prometheus, each sample is judged by what was there before the request. Among themselves the samples of
a request need not be in order, but for native histograms and the floats of their series; Prometheus leaves
out what is not.
Source: tsdb/head_append.go (appendable) and storage/remote/write_handler.go.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.errors import StorageError
from zseval.model.arrays import Mask
from zseval.model.histogram import Histogram, InvalidHistogramError
from zseval.model.labels import Labels
from zseval.model.number import format_g
from zseval.model.staleness import is_histogram_value
from zseval.remote.known import UNKNOWN
from zseval.remote.message import Request, TimedHistogram
from zseval.remote.placing import Placing
from zseval.remote.shapes import Shape
from zseval.tsdb.db import REFUSALS, TSDB, Verdict
from zseval.tsdb.errors import DuplicateSampleError
from zseval.tsdb.exemplars import ExemplarVerdict

__all__ = ["Batch", "Kind", "Refusal", "Written"]

_MAX_AHEAD_MS = 600_000
_AHEAD = "out of bounds: timestamp is too far in the future"


class Kind(enum.IntEnum):
    """What a series may have, in the order it is looked at."""

    FLOAT = 0
    HISTOGRAM = 1
    EXEMPLAR = 2


@dataclass(frozen=True, slots=True)
class Refusal:
    """place: of the series in the request.  verdict: None where what was sent is wrong in itself."""

    place: int
    kind: Kind
    text: str
    verdict: Verdict | None


@dataclass(slots=True)
class Written:
    """How many were taken; repeats of a newest sample count.

    disordered: left out, because other samples of the request were in the way.
    """

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    disordered: int = 0


class Batch:
    """Made outside the store's lock; then `judge`, `refusals` and `write` under one and the same.

    Raises RefusedError where a part of the request cannot be read.
    """

    def __init__(self, store: TSDB, request: Request, shape: Shape, now_ms: int) -> None:
        self._store = store
        self._request = request
        self._shape = shape
        self._latest_ms = now_ms + _MAX_AHEAD_MS
        self._values, self._times = request.columns(shape.count)
        self._ids = shape.sample_ids()
        self._ahead: Mask = self._times > self._latest_ms
        extras = (
            [each for each in request.extras() if each.series not in shape.invalid]
            if shape.has_extras
            else []
        )
        self._extras = [(each, request.labels(each.series)) for each in extras]
        self._verdicts: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        self._histograms: list[_Judged] = []

    def judge(self) -> None:
        """Look at everything but exemplars. Raises StaleReferences where the shape's ids are old."""
        epoch, invalid = self._shape.epoch, self._ids == UNKNOWN
        known = np.where(invalid, 0, self._ids) if self._shape.invalid else self._ids
        self._verdicts = self._store.judge(known, self._times, self._values, epoch=epoch)
        self._verdicts[self._ahead] = Verdict.OUT_OF_BOUNDS
        if self._shape.invalid:
            self._verdicts[invalid] = Verdict.REPEATED  # nothing is written or said of it here
        self._histograms = [
            self._judged(each.series, labels, histogram)
            for each, labels in self._extras
            for histogram in each.histograms
        ]

    def refusals(self) -> Iterator[Refusal]:
        """What must not be written, in the order of the request."""
        bad = np.flatnonzero(self._verdicts > Verdict.REPEATED)
        places = np.searchsorted(np.cumsum(self._shape.counts), bad, side="right")
        floats = map(self._refused_float, bad.tolist(), places.tolist())
        histograms = [judged.refusal for judged in self._histograms if judged.refusal is not None]
        return heapq.merge(floats, histograms, key=lambda each: (each.place, each.kind))

    def write(self, placing: Placing) -> Written:
        """Everything that was not refused."""
        written = Written(samples=int(np.count_nonzero(self._verdicts <= Verdict.REPEATED)))
        if self._shape.invalid:
            written.samples -= int(np.count_nonzero(self._ids == UNKNOWN))
        stored = self._verdicts == Verdict.STORE
        if self._histograms:
            stored &= ~self._write_histograms(stored, written)
        whole = bool(stored.all())  # the usual case: the ids array stays the one the table remembers
        ids, times, values = self._ids, self._times, self._values
        if not whole:
            ids, times, values = ids[stored], times[stored], values[stored]
        result = placing.write(ids, times, values, self._shape.epoch)
        left_out = result.out_of_order + result.duplicates + result.out_of_bounds
        written.samples -= left_out
        written.disordered += left_out
        return written

    def write_exemplars(self) -> Iterator[tuple[int, ExemplarVerdict | str]]:
        """Each exemplar's series, by place, and what became of it, or why it is none.

        Those from the future are left out, and all of them where none are kept.
        """
        ring = self._store.exemplars
        for each, labels in self._extras:
            for exemplar in each.exemplars:
                if isinstance(exemplar, str):
                    yield each.series, exemplar
                elif ring is not None and exemplar.timestamp_ms <= self._latest_ms:
                    yield each.series, ring.add(labels, exemplar)

    def _judged(self, place: int, labels: Labels, timed: TimedHistogram) -> _Judged:
        histogram = timed.histogram
        if isinstance(histogram, InvalidHistogramError):
            return _Judged(place, labels, timed, Refusal(place, Kind.HISTOGRAM, str(histogram), None))
        if timed.timestamp_ms > self._latest_ms:
            refusal = Refusal(place, Kind.HISTOGRAM, _AHEAD, Verdict.OUT_OF_BOUNDS)
            return _Judged(place, labels, timed, refusal)
        verdict = self._store.judge_histogram(labels, histogram, timed.timestamp_ms)
        if verdict in REFUSALS:
            return _Judged(
                place, labels, timed, Refusal(place, Kind.HISTOGRAM, str(REFUSALS[verdict]()), verdict)
            )
        return _Judged(place, labels, timed, None)

    def _refused_float(self, sample: int, place: int) -> Refusal:
        verdict = Verdict(self._verdicts[sample])
        if self._ahead[sample]:
            text = _AHEAD
        elif verdict is Verdict.DUPLICATE:
            text = self._duplicate(sample)
        else:
            text = str(REFUSALS[verdict]())
        return Refusal(place, Kind.FLOAT, text, verdict)

    def _duplicate(self, sample: int) -> str:
        text = str(DuplicateSampleError())
        time = int(self._times[sample])
        if time == 0:
            return text
        known = self._store.newest_value(int(self._ids[sample]))
        existing = "is a histogram," if is_histogram_value(known) else f"{format_g(known)},"
        new = format_g(float(self._values[sample]))
        return f"{text} {time}; overrides not allowed: existing {existing} new value {new}"

    def _write_histograms(self, stored: Mask, written: Written) -> Mask:
        """Write histograms and, with them, sample by sample, the floats of their series: bool[N], those."""
        accepted = [judged for judged in self._histograms if judged.refusal is None]
        places = sorted({judged.place for judged in accepted})
        mixed = stored & np.isin(self._ids, self._shape.ids[places])
        owners = np.searchsorted(np.cumsum(self._shape.counts), np.flatnonzero(mixed), side="right")
        steps: list[tuple[int, Kind, int]] = [
            (place, Kind.FLOAT, sample)
            for place, sample in zip(owners.tolist(), np.flatnonzero(mixed).tolist(), strict=True)
        ]
        steps += [(judged.place, Kind.HISTOGRAM, number) for number, judged in enumerate(accepted)]
        for _, kind, number in sorted(steps):
            if kind is Kind.HISTOGRAM:
                taken = self._append_histogram(accepted[number])
                written.histograms += taken
                written.disordered += not taken
            else:
                one = slice(number, number + 1)
                result = self._store.append_samples(
                    self._ids[one], self._times[one], self._values[one], epoch=self._shape.epoch
                )
                written.samples -= 1 - result.appended
                written.disordered += 1 - result.appended
        return mixed

    def _append_histogram(self, judged: _Judged) -> bool:
        """False where another sample of the request was in its way."""
        timed = judged.timed
        assert isinstance(timed.histogram, Histogram)
        try:
            self._store.append_histogram_at(judged.labels, timed.histogram, timed.timestamp_ms)
        except StorageError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Judged:
    """A histogram of the series at `place`, and why it is refused, if it is."""

    place: int
    labels: Labels
    timed: TimedHistogram
    refusal: Refusal | None
