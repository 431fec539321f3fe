"""`_created` lines of OpenMetrics as start times of the series they belong to, not as series.

A family's `_created` line follows the samples it is of; a sample belongs to the next such line before the
family ends, where their labels agree but for `le` and `quantile`.
Source: prometheus model/textparse/openmetricsparse.go (StartTimestamp, isCreatedSeries).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from zseval.exposition.page import Mark, Page, PageParser
from zseval.model.arrays import Mask, Rows, Times
from zseval.model.labels import METRIC_NAME
from zseval.model.metadata import MetricType

__all__ = ["CreatedParser", "segments"]

_SUFFIX = "_created"
_WITH_START = frozenset({MetricType.COUNTER, MetricType.SUMMARY, MetricType.HISTOGRAM})
_BUCKET_LABELS = {MetricType.SUMMARY: "quantile", MetricType.HISTOGRAM: "le"}
_Identity = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What becomes of a page of these slots and marks.

    kept: bool[N].  created: intp[M], for each kept sample the place of its `_created` line, -1 for none.
    slots, marks: of the page that comes out.  place_of: intp[N], where a kept sample goes.
    """

    slots_in: Rows
    marks_in: tuple[Mark, ...]
    kept: Mask
    created: Rows
    slots: Rows
    marks: tuple[Mark, ...]
    place_of: Rows


class CreatedParser:
    """Reads pages by another parser, which has to give marks."""

    def __init__(self, inner: PageParser) -> None:
        self._inner = inner
        self._plan: _Plan | None = None

    def labels(self, slot: int) -> dict[str, str]:
        return self._inner.labels(slot)

    def parse(self, body: bytes) -> Page:
        page = self._inner.parse(body)
        plan = self._plan
        if plan is None or plan.slots_in is not page.slots or plan.marks_in is not page.marks:
            plan = self._plan = self._planned(page, plan)
        if not (plan.created >= 0).any() and plan.kept.all():
            return page
        kept, starts = plan.kept, _starts(page, plan.created)
        place_of = plan.place_of.tolist() if page.exemplars else []
        return replace(
            page,
            slots=plan.slots,
            values=page.values[kept],
            timestamps=None if page.timestamps is None else page.timestamps[kept],
            exemplars={place_of[at]: each for at, each in page.exemplars.items() if kept[at]},
            starts=starts,
            marks=plan.marks,
        )

    def _planned(self, page: Page, before: _Plan | None) -> _Plan:
        count = len(page.slots)
        kept = np.ones(count, dtype=np.bool_)
        created = np.full(count, -1, dtype=np.intp)
        for first, end, mark in segments(page):
            if mark.type in _WITH_START:
                self._plan_segment(page, range(first, end), mark, kept, created)
        slots = page.slots if kept.all() else page.slots[kept]
        if before is not None and np.array_equal(slots, before.slots):
            slots = before.slots
        place_of: Rows = np.cumsum(kept) - kept  # how many are kept before each
        places = np.append(place_of, int(kept.sum()))
        marks = tuple(replace(mark, place=int(places[mark.place])) for mark in page.marks)
        if before is not None and marks == before.marks:
            marks = before.marks
        return _Plan(page.slots, page.marks, kept, created[kept], slots, marks, place_of)

    def _plan_segment(self, page: Page, places: range, mark: Mark, kept: Mask, created: Rows) -> None:
        """The samples of one family between two marks, from the last to the first."""
        labels = {place: self._inner.labels(int(page.slots[place])) for place in places}
        lines = [place for place in places if labels[place][METRIC_NAME].endswith(_SUFFIX)]
        if not lines:
            return
        kept[lines] = False
        after = {}  # the next line of each place
        following = -1
        for place in reversed(places):
            if not kept[place]:
                following = place
            after[place] = following
        known: _Identity | None = None  # of the latest line that was found
        line = -1
        for place in places:
            if not kept[place]:
                continue
            identity = _identity(labels[place], mark)
            if identity != known:
                line = after[place]
                known = identity if line >= 0 and _identity(labels[line], mark) == identity else None
            created[place] = line if known is not None else -1


def segments(page: Page) -> Iterator[tuple[int, int, Mark]]:
    """Samples between marks: from, to, and the mark before them. Those before the first mark are left out."""
    ends = [mark.place for mark in page.marks[1:]] + [len(page.slots)]
    for mark, end in zip(page.marks, ends, strict=bool(page.marks)):
        if mark.place < end:
            yield mark.place, end, mark


def _identity(labels: dict[str, str], mark: Mark) -> _Identity:
    """The family's name, as far as the sample bears it, and the labels without those of buckets."""
    name = labels[METRIC_NAME]
    without = _BUCKET_LABELS.get(mark.type, "")
    name = name.removesuffix(_SUFFIX) if name.endswith(_SUFFIX) else name[: len(mark.family)]
    pairs = [pair for pair in labels.items() if pair[0] not in (METRIC_NAME, without)]
    return name, tuple(sorted(pairs))


def _starts(page: Page, created: Rows) -> Times | None:
    """int64[M] ms, 0 where there is no line or no time on it."""
    if not (created >= 0).any():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found = page.values[created] * 1000.0
        known = (created >= 0) & (np.abs(found) < 2.0**63)
    return np.where(known, found, 0.0).astype(np.int64)
