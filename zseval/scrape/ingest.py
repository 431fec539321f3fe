"""Ingest: the body of a scrape and its time in, one row of the store out. No I/O, no clock.

What a target exposes hardly changes, so what is made of it is kept: the id of each series after merging
labels and relabelling by the parser's slot, and the row's ids as one array, which tells the store that
nothing moved. A scrape then costs the parser's comparison and one row.
Source: prometheus scrape/scrape.go (scrapeLoopAppender.append, report), storage rules as in tsdb.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from zseval.errors import ExpositionError, ScrapeError, ZsevalError
from zseval.exposition.entries import Exemplar
from zseval.exposition.negotiate import Format, format_of
from zseval.exposition.page import NO_TIMESTAMP, BrokenBodyError, Page, PageParser
from zseval.exposition.parsers import page_parser
from zseval.model.arrays import Ids, Mask, Rows, Times, Values
from zseval.model.histogram import Histogram
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.metadata import Metadata
from zseval.model.staleness import STALE_NAN
from zseval.scrape.config import ScrapeConfig
from zseval.scrape.series import final_labels
from zseval.tsdb.db import RowResult
from zseval.tsdb.errors import StaleReferences
from zseval.tsdb.exemplars import ExemplarRing, StoredExemplar

__all__ = ["HISTOGRAM_LIMIT", "REPORT", "Ingest", "Outcome", "Reading", "Store"]

REPORT = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
"""The series that say how a scrape went, in the order of their columns."""

HISTOGRAM_LIMIT = "histogram bucket limit exceeded"
"""The error of a scrape with a native histogram larger than native_histogram_bucket_limit."""

_UNKNOWN, _DROPPED = -1, -2  # in place of a series id
_MAX_AHEAD_MS = 10 * 60_000  # samples further in the future are out of bounds, as in Prometheus
_METADATA_LINGERS = 10  # scrapes for which a family's metadata outlives the family
_NO_IDS: Ids = np.zeros(0, dtype=np.int32)
_NO_ROWS: Rows = np.zeros(0, dtype=np.intp)


class StoreTable(Protocol):
    def append_row(
        self, timestamp_ms: int, ids: Ids, values: Values, *, epoch: int, starts: Times | None = None
    ) -> RowResult: ...


class Store(Protocol):
    """What scraping needs of the TSDB."""

    @property
    def epoch(self) -> int: ...
    @property
    def exemplars(self) -> ExemplarRing | None: ...
    def resolve(self, labels: Sequence[Labels]) -> Ids: ...
    def table(self, source: str) -> StoreTable: ...
    def append_samples(
        self, ids: Ids, timestamps_ms: Times, values: Values, *, epoch: int, starts: Times | None = None
    ) -> RowResult: ...
    def append_histograms(
        self,
        ids: Ids,
        timestamps_ms: Times,
        histograms: Sequence[Histogram],
        *,
        epoch: int,
        starts: Times | None = None,
    ) -> RowResult: ...


@dataclass(slots=True)
class Reading:
    """A body that was read but is not stored yet, or why it cannot be.

    fresh: labels of series that have no id yet, by slot.
    """

    page: Page | None = None
    error: ZsevalError | None = None
    fresh: dict[int, Labels] = field(default_factory=dict)
    scraped: int = 0
    post_relabel: int = 0
    added: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scrape went. refused: samples the store did not take; they do not fail the scrape."""

    error: ZsevalError | None
    duration_s: float
    scraped: int = 0
    post_relabel: int = 0
    series_added: int = 0
    refused: RowResult = RowResult()


@dataclass(slots=True)
class _Layout:
    """What a page's slots become.

    slots: of the page.  explicit: bool[N] where a sample has a time of its own, or None.
    row: intp[R], places of the floats that go into the row.  ids: int32[R + reports].
    histograms: intp[H], places of the native histograms that are kept.
    tracked: int32[…], sorted ids that get a staleness marker when the next page lacks them.
    tracked_slots: intp[…], their slots.
    repeated: how many samples repeat a series of the page.
    """

    slots: Rows
    explicit: Mask | None
    row: Rows
    histograms: Rows
    ids: Ids
    reports: Rows
    tracked: Ids
    tracked_slots: Rows
    kept: int
    repeated: int


class Ingest:
    """Turns the bodies of one target into rows. Its methods are called one after the other, by one loop;
    `read` and `read_new` may run in another thread."""

    def __init__(self, store: Store, source: str, target: Labels, config: ScrapeConfig) -> None:
        self._store = store
        self._table = store.table(source)
        self._target = target
        self.config = config
        self._content = ("", "")  # content type and fallback of the latest body
        self._format: Format | None = None
        self._parser: PageParser | None = None
        self._id_of: Ids = _NO_IDS  # by slot
        self._layout: _Layout | None = None
        self._tracked: Ids = _NO_IDS  # with a value in the latest row
        self._tracked_slots: Rows = _NO_ROWS
        self._epoch = -1
        self._report_ids: Ids = _NO_IDS
        self._declared: dict[str, Metadata] = {}
        self._lingering: dict[str, tuple[int, Metadata]] = {}
        self._count = 0
        self._exemplars: dict[int, Exemplar] = {}  # of the latest page, by place
        self._exemplar_series: dict[int, Labels] = {}  # by slot

    @property
    def metadata(self) -> dict[str, Metadata]:
        """By metric family, as the target declares it, and for ten scrapes after it stopped to."""
        return {name: metadata for name, (_, metadata) in self._lingering.items()} | self._declared

    # First half: no store.

    def read(self, body: bytes, content_type: str) -> Reading:
        """Read a body. An empty one is a page without samples, whatever its type."""
        if not body:
            return Reading()
        try:
            page = self._parsed(body, content_type)
        except BrokenBodyError as error:
            kept = self._count_kept(error)
            return Reading(error=error, scraped=len(error.before), post_relabel=kept)
        except (ScrapeError, ExpositionError) as error:
            return Reading(error=error)
        self._forget(page)
        return self._labelled(page)

    def read_new(self, body: bytes, content_type: str) -> Reading:
        """`read`, and give new series their ids at once, so that little is left for `store` to do."""
        reading = self.read(body, content_type)
        if reading.error is None and reading.page is not None:
            self._renew_ids(reading.page)
            self._resolve(reading.fresh)
            reading.fresh = {}
        return reading

    def _parsed(self, body: bytes, content_type: str) -> Page:
        content = (content_type, self.config.fallback_scrape_protocol)
        if self._parser is None or content != self._content:
            found = format_of(*content)
            if self._parser is None or found is not self._format:
                self._begin(found)
            self._content = content
        assert self._parser is not None
        return self._parser.parse(body)

    def _begin(self, found: Format) -> None:
        # Slots of another parser mean other series: what they were is settled before they are given up.
        self._parser = page_parser(found, self.config.page_options)
        self._format = found
        self._id_of = _NO_IDS
        self._layout = None
        self._tracked_slots = _NO_ROWS
        self._exemplars, self._exemplar_series = {}, {}

    def _count_kept(self, error: BrokenBodyError) -> int:
        """How many samples before the error metric relabelling leaves."""
        if not self.config.metric_relabel:
            return len(error.before)
        kept = 0
        for sample in error.before:
            try:
                kept += final_labels(dict(sample.labels), self._target, self.config) is not None
            except ScrapeError:
                break
        return kept

    def _forget(self, page: Page) -> None:
        """Slots given to new series have no id yet."""
        if not page.new:
            return
        short = max(page.new) + 1 - len(self._id_of)
        if short > 0:
            self._id_of = np.concatenate([self._id_of, np.full(max(short, 64), _UNKNOWN, dtype=np.int32)])
        self._id_of[list(page.new)] = _UNKNOWN
        for slot in page.new:
            self._exemplar_series.pop(slot, None)

    def _labelled(self, page: Page) -> Reading:
        """What is to be stored, under which labels. Beyond a limit nothing is given to the store."""
        reading = Reading(page, scraped=len(page.slots), post_relabel=len(page.slots))
        if self._layout is not None and page.slots is self._layout.slots:
            self._look_at_histograms(page, reading)
            return reading
        if not self.config.metric_relabel and self._is_over_limit(page, reading, len(page.new)):
            return reading
        for place in np.flatnonzero(self._id_of[page.slots] == _UNKNOWN).tolist():
            try:
                self._label(int(page.slots[place]), page, reading)
            except ScrapeError as error:
                kept = int((self._id_of[page.slots[:place]] != _DROPPED).sum())
                return Reading(error=error, scraped=place + 1, post_relabel=kept)
        reading.added = len(reading.fresh)
        if not self._is_over_limit(page, reading, reading.added):
            self._look_at_histograms(page, reading)
        return reading

    def _look_at_histograms(self, page: Page, reading: Reading) -> None:
        """Fail the scrape for a native histogram that contradicts itself or has more buckets than allowed."""
        for place, sample in page.histograms.items():
            if not (sample.flaw or sample.is_too_large) or self._id_of[page.slots[place]] == _DROPPED:
                continue
            kept = self._id_of[page.slots] != _DROPPED
            if reading.error is None:
                reading.error = ScrapeError(HISTOGRAM_LIMIT)
                reading.post_relabel = int(kept.sum())
                reading.added = sum(slot in reading.fresh for slot in np.unique(page.slots[:place]).tolist())
            if sample.flaw:
                reading.error = ScrapeError(sample.flaw)
                reading.scraped, reading.post_relabel = place + 1, int(kept[:place].sum())
                return

    def _label(self, slot: int, page: Page, reading: Reading) -> None:
        if slot in reading.fresh or self._id_of[slot] == _DROPPED:
            return  # the page has the series twice
        assert self._parser is not None
        exposed = page.new.get(slot) or self._parser.labels(slot)
        labels = final_labels(exposed, self._target, self.config)
        if labels is None:
            self._id_of[slot] = _DROPPED
        else:
            reading.fresh[slot] = labels

    def _is_over_limit(self, page: Page, reading: Reading, added: int) -> bool:
        """Whether more samples are left than sample_limit allows; then the reading says so."""
        limit = self.config.sample_limit
        if limit <= 0 or len(page.slots) <= limit:
            return False
        kept = page.slots[self._id_of[page.slots] != _DROPPED]
        own_times = self.config.honor_timestamps and page.timestamps is not None
        if (len(kept) if own_times else len(np.unique(kept))) <= limit:
            return False
        reading.error = ScrapeError("sample limit exceeded")
        reading.post_relabel, reading.added = len(kept), min(added, limit)
        return True

    # Second half: the store.

    def store(self, reading: Reading, timestamp_ms: int, elapsed: Callable[[], float]) -> Outcome:
        """Write the row of a scrape, and `up` and its companions with it.

        elapsed: seconds since the scrape began; asked once, last.
        """
        for _ in range(3):
            try:
                return self._store_once(reading, timestamp_ms, elapsed)
            except StaleReferences:
                continue
        raise ScrapeError("the store renumbers its series faster than they are written")

    def fail(self, error: ZsevalError, timestamp_ms: int, elapsed: Callable[[], float]) -> Outcome:
        """Write the row of a scrape that failed: `up` 0 and a staleness marker for every series."""
        return self.store(Reading(error=error), timestamp_ms, elapsed)

    def finish(self, timestamp_ms: int) -> None:
        """The target is gone: staleness markers for its series, `up` and its companions included."""
        if self._epoch < 0:
            return
        self._renew_ids(None)
        ids = np.unique(np.concatenate([self._tracked, self._report_ids]))
        values = np.full(len(ids), STALE_NAN, dtype=np.float64)
        self._table.append_row(timestamp_ms, ids, values, epoch=self._epoch)
        self._tracked, self._tracked_slots = _NO_IDS, _NO_ROWS

    def _store_once(self, reading: Reading, timestamp_ms: int, elapsed: Callable[[], float]) -> Outcome:
        self._renew_ids(reading.page)
        if reading.error is not None or reading.page is None:
            return self._store_nothing(reading, timestamp_ms, elapsed)
        self._resolve(reading.fresh)
        layout = self._laid_out(reading.page)
        return self._store_page(reading.page, layout, timestamp_ms, elapsed, reading.added)

    def _store_nothing(self, reading: Reading, timestamp_ms: int, elapsed: Callable[[], float]) -> Outcome:
        stale = np.setdiff1d(self._tracked, self._report_ids)
        ids = np.concatenate([self._report_ids, stale])
        values = np.full(len(ids), STALE_NAN, dtype=np.float64)
        up = 0.0 if reading.error is not None else 1.0
        duration = elapsed()
        values[: len(REPORT)] = (up, duration, reading.scraped, reading.post_relabel, reading.added)
        result = self._table.append_row(timestamp_ms, ids, values, epoch=self._epoch)
        self._tracked, self._tracked_slots = _NO_IDS, _NO_ROWS
        return Outcome(reading.error, duration, reading.scraped, reading.post_relabel, reading.added, result)

    def _store_page(
        self, page: Page, layout: _Layout, timestamp_ms: int, elapsed: Callable[[], float], added: int
    ) -> Outcome:
        size = len(layout.row)
        stale = _NO_IDS
        if self._tracked is not layout.tracked:
            here = np.concatenate([layout.tracked, self._report_ids])
            stale = np.setdiff1d(self._tracked, here)
        ids = layout.ids if not len(stale) else np.concatenate([layout.ids, stale])
        values = np.empty(len(ids), dtype=np.float64)
        values[:size] = page.values if size == len(page.values) else page.values[layout.row]
        values[len(layout.ids) :] = STALE_NAN
        own = self._store_explicit(page, layout, timestamp_ms)
        own = _sum(own, self._store_histograms(page, layout, timestamp_ms))
        duration = elapsed()
        report = np.array([1.0, duration, len(page.slots), layout.kept, added], dtype=np.float64)
        values[size : len(layout.ids)] = report[layout.reports]
        starts: Times | None = None
        if page.starts is not None:
            starts = np.zeros(len(ids), dtype=np.int64)
            starts[:size] = page.starts[layout.row]
        row = self._table.append_row(timestamp_ms, ids, values, epoch=self._epoch, starts=starts)
        self._tracked, self._tracked_slots = layout.tracked, layout.tracked_slots
        self._keep_exemplars(page, timestamp_ms)
        self._describe(page)
        return Outcome(None, duration, len(page.slots), layout.kept, added, _sum(row, own, layout.repeated))

    def _store_explicit(self, page: Page, layout: _Layout, now_ms: int) -> RowResult:
        """The floats that have times of their own."""
        if layout.explicit is None or page.timestamps is None:
            return RowResult()
        ids = self._id_of[page.slots]
        chosen = layout.explicit & (ids >= 0)
        chosen[layout.histograms] = False
        ahead = chosen & (page.timestamps > now_ms + _MAX_AHEAD_MS)
        chosen &= ~ahead
        result = self._store.append_samples(
            ids[chosen],
            page.timestamps[chosen],
            page.values[chosen],
            epoch=self._epoch,
            starts=None if page.starts is None else page.starts[chosen],
        )
        return _sum(result, RowResult(out_of_bounds=int(ahead.sum())))

    def _store_histograms(self, page: Page, layout: _Layout, now_ms: int) -> RowResult:
        """The native histograms, whether they have times of their own or not."""
        places = layout.histograms
        if not len(places):
            return RowResult()
        times = np.full(len(places), now_ms, dtype=np.int64)
        if page.timestamps is not None and layout.explicit is not None:
            times = np.where(layout.explicit[places], page.timestamps[places], times)
        ahead = times > now_ms + _MAX_AHEAD_MS
        places, times = places[~ahead], times[~ahead]
        result = self._store.append_histograms(
            self._id_of[page.slots[places]],
            times,
            [page.histograms[place].value for place in places.tolist()],
            epoch=self._epoch,
            starts=None if page.starts is None else page.starts[places],
        )
        return _sum(result, RowResult(out_of_bounds=int(ahead.sum())))

    def _keep_exemplars(self, page: Page, timestamp_ms: int) -> None:
        """Exemplars of stored series; one without a time of its own has that of its sample."""
        ring, before = self._store.exemplars, self._exemplars
        self._exemplars = page.exemplars
        if ring is None:
            return
        if page.exemplars is not before:
            for place, exemplar in page.exemplars.items():
                self._keep_exemplar(ring, page, place, exemplar, timestamp_ms)
        for place, sample in page.histograms.items():
            for exemplar in sample.exemplars:
                self._keep_exemplar(ring, page, place, exemplar, timestamp_ms)

    def _keep_exemplar(
        self, ring: ExemplarRing, page: Page, place: int, exemplar: Exemplar, timestamp_ms: int
    ) -> None:
        slot = int(page.slots[place])
        if self._id_of[slot] < 0:
            return
        series = self._exemplar_series.get(slot)
        if series is None:
            series = self._exemplar_series[slot] = self._labels(slot)
        time_ms, has_time = exemplar.timestamp_ms, exemplar.timestamp_ms is not None
        if time_ms is None:
            time_ms = self._sample_time(page, place, timestamp_ms)
        ring.add(series, StoredExemplar(exemplar.labels, exemplar.value, time_ms, has_time))

    def _sample_time(self, page: Page, place: int, timestamp_ms: int) -> int:
        if page.timestamps is None or not self.config.honor_timestamps:
            return timestamp_ms
        own = int(page.timestamps[place])
        return timestamp_ms if own == NO_TIMESTAMP else own

    def _resolve(self, fresh: dict[int, Labels]) -> None:
        if fresh:
            self._id_of[list(fresh)] = self._store.resolve(list(fresh.values()))
            self._layout = None

    def _renew_ids(self, page: Page | None) -> None:
        """Resolve everything again where the store has renumbered its series."""
        epoch = self._store.epoch
        if epoch == self._epoch:
            return
        self._report_ids = self._store.resolve(
            [Labels({METRIC_NAME: name, **dict(self._target)}) for name in REPORT]
        )
        slots = self._tracked_slots if page is None else np.concatenate([self._tracked_slots, page.slots])
        slots = np.unique(slots)
        slots = slots[self._id_of[slots] >= 0] if len(slots) else slots
        labels = [self._labels(slot) for slot in slots.tolist()]
        self._id_of[self._id_of >= 0] = _UNKNOWN
        if labels:
            self._id_of[slots] = self._store.resolve(labels)
        self._tracked = np.unique(self._id_of[self._tracked_slots]) if len(self._tracked_slots) else _NO_IDS
        self._layout = None
        self._epoch = epoch

    def _labels(self, slot: int) -> Labels:
        assert self._parser is not None
        labels = final_labels(self._parser.labels(slot), self._target, self.config)
        assert labels is not None  # it was kept before, and the rules are the same
        return labels

    def _laid_out(self, page: Page) -> _Layout:
        explicit: Mask | None = None
        if page.timestamps is not None and self.config.honor_timestamps:
            explicit = page.timestamps != NO_TIMESTAMP
        layout = self._layout
        if layout is not None and layout.slots is page.slots and _same(layout.explicit, explicit):
            return layout
        self._layout = self._new_layout(page, explicit)
        return self._layout

    def _new_layout(self, page: Page, explicit: Mask | None) -> _Layout:
        slots = page.slots
        ids = self._id_of[slots]
        kept = ids >= 0
        native = np.zeros(len(slots), dtype=np.bool_)
        native[list(page.histograms)] = True
        timed = np.zeros(len(slots), dtype=np.bool_) if explicit is None else explicit
        places = np.flatnonzero(kept & ~timed)
        _, first = np.unique(ids[places], return_index=True)
        once = places[np.sort(first)]  # of a series exposed twice the first sample counts
        row = once[~native[once]]
        _, first = np.unique(slots[places], return_index=True)
        reports = np.flatnonzero(~np.isin(self._report_ids, ids[row]))  # an exposed `up` wins over ours
        tracked = np.flatnonzero(kept) if self.config.track_timestamps_staleness else once
        return _Layout(
            slots=slots,
            explicit=explicit,
            row=row,
            histograms=np.sort(np.concatenate([once[native[once]], np.flatnonzero(kept & timed & native)])),
            ids=np.concatenate([ids[row], self._report_ids[reports]]),
            reports=reports,
            tracked=np.unique(ids[tracked]),
            tracked_slots=np.unique(slots[tracked]),
            kept=int(kept.sum()),
            repeated=len(places) - len(first),
        )

    def _describe(self, page: Page) -> None:
        self._count += 1
        if self._lingering:
            self._lingering = {
                name: (until, metadata)
                for name, (until, metadata) in self._lingering.items()
                if until >= self._count and name not in page.metadata
            }
        if page.metadata is not self._declared:
            for name, metadata in self._declared.items():
                if name not in page.metadata:
                    self._lingering[name] = (self._count - 1 + _METADATA_LINGERS, metadata)
            self._declared = page.metadata


def _same(one: Mask | None, other: Mask | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _sum(row: RowResult, own: RowResult, repeated: int = 0) -> RowResult:
    return RowResult(
        row.appended + own.appended,
        row.out_of_order + own.out_of_order,
        row.duplicates + own.duplicates + repeated,
        row.out_of_bounds + own.out_of_bounds,
    )
