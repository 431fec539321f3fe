"""Classic histograms of the text formats as native ones with custom buckets (NHCB).

Lines that follow one another under a histogram's TYPE line, with the same labels but for `le`, are one
histogram. What of a page is whose is worked out when its lines change; a page of the same lines costs the
arithmetic, for all histograms of the same bounds at once.
Where the counts of a histogram contradict each other it stays classic. Prometheus drops such a one from text
pages without a word, and fails the scrape of protobuf pages.
Source: prometheus model/textparse/nhcbparse.go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from zseval.exposition.created import segments
from zseval.exposition.entries import Exemplar
from zseval.exposition.floats import parse_float
from zseval.exposition.histograms import custom_histograms, limited
from zseval.exposition.options import HistogramLimits
from zseval.exposition.page import HistogramSample, Mark, Page, PageParser
from zseval.exposition.slots import Slots
from zseval.model.arrays import Rows
from zseval.model.histogram import Histogram
from zseval.model.labels import METRIC_NAME
from zseval.model.metadata import MetricType

__all__ = ["NhcbParser"]

_BUCKET, _COUNT, _SUM = "_bucket", "_count", "_sum"
_Pairs = tuple[tuple[str, str], ...]
_NO_ROWS: Rows = np.zeros(0, dtype=np.intp)


class _Part(NamedTuple):
    """A series as part of a histogram. suffix: "" for none.  rest: labels without name and `le`."""

    base: str
    suffix: str
    bound: float | None
    rest: _Pairs


@dataclass(slots=True)
class _Group:
    """Lines that are one histogram. end: the place after which it is complete.

    buckets: place by bound.  count, total: places, -1 for none.
    """

    part: _Part
    end: int = 0
    members: list[int] = field(default_factory=list)
    buckets: dict[float, int] = field(default_factory=dict)
    count: int = -1
    total: int = -1

    def add(self, place: int, part: _Part) -> None:
        self.members.append(place)
        if part.suffix == _COUNT:
            self.count = place
        elif part.suffix == _SUM:
            self.total = place
        elif part.bound is not None:
            self.buckets.setdefault(part.bound, place)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Histograms of the same bounds.

    groups: which.  buckets: intp[H, B], places.  counts, sums: intp[H], -1 for none.
    """

    bounds: tuple[float, ...]
    groups: list[int]
    buckets: Rows
    counts: Rows | None
    sums: Rows


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Which samples come out, where `broken` groups stay classic.

    source: intp[M], the place whose time each has; of a histogram its last line.  starts: intp[M], the place
    whose start it has, its first line.  slots: intp[M].  group: which histogram, by place.
    """

    broken: frozenset[int]
    source: Rows
    starts: Rows
    slots: Rows
    group: dict[int, int]


@dataclass(slots=True, eq=False)
class _Plan:
    """What becomes of a page of these slots and marks."""

    slots_in: Rows
    marks_in: tuple[Mark, ...]
    groups: list[_Group] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)  # of the groups' histograms
    batches: list[_Batch] = field(default_factory=list)
    layout: _Layout | None = None


class NhcbParser:
    """Reads pages by another parser, which has to give marks. Slots of that have even numbers here."""

    def __init__(self, inner: PageParser, limits: HistogramLimits, *, keep_classic: bool) -> None:
        self._inner = inner
        self._limits = limits
        self._keep_classic = keep_classic
        self._slots: Slots[_Pairs] = Slots()
        self._parts: dict[int, _Part] = {}  # by slot
        self._plan: _Plan | None = None

    def labels(self, slot: int) -> dict[str, str]:
        """The labels of the series in a slot of the latest Page or the one before it."""
        return dict(self._slots.key(slot >> 1)) if slot & 1 else self._inner.labels(slot >> 1)

    def parse(self, body: bytes) -> Page:
        """The samples of a body. Raises BrokenBodyError."""
        page = self._inner.parse(body)
        new = {2 * slot: labels for slot, labels in page.new.items()}
        for slot in page.new:
            self._parts.pop(slot, None)
        plan = self._plan
        if plan is None or plan.slots_in is not page.slots or plan.marks_in is not page.marks:
            plan = self._plan = self._planned(page, plan, new)
        found = _converted(page, plan)
        broken = frozenset(number for number, each in enumerate(found) if each is None)
        if plan.layout is None or plan.layout.broken != broken:
            plan.layout = self._laid_out(plan, broken)
        return self._page(page, plan, plan.layout, found, new)

    # What belongs together.

    def _planned(self, page: Page, before: _Plan | None, new: dict[int, dict[str, str]]) -> _Plan:
        plan = _Plan(page.slots, page.marks)
        for first, end, mark in segments(page):
            if mark.type is MetricType.HISTOGRAM:
                plan.groups += self._groups(page, range(first, end), mark.family)
        for group in plan.groups:
            labels = {METRIC_NAME: group.part.base, **dict(group.part.rest)}
            key = tuple(labels.items())
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots.add(key)
                new[2 * slot + 1] = labels
            plan.slots.append(slot)
        had = np.array(before.slots, dtype=np.intp) if before is not None else _NO_ROWS
        self._slots.keep(had, np.array(plan.slots, dtype=np.intp))
        plan.batches = _batched(plan.groups)
        return plan

    def _groups(self, page: Page, places: range, family: str) -> list[_Group]:
        """The histograms among the samples that follow one another under one TYPE line."""
        groups: list[_Group] = []
        is_open = False
        for place in places:
            part = self._part(int(page.slots[place]))
            if is_open and (part.base, part.rest) != (groups[-1].part.base, groups[-1].part.rest):
                groups[-1].end = place
                is_open = False
            if not part.suffix or part.base != family or (part.suffix == _BUCKET and part.bound is None):
                continue
            if not is_open:
                groups.append(_Group(part))
                is_open = True
            groups[-1].add(place, part)
        if is_open:
            groups[-1].end = places.stop
        return groups

    def _part(self, slot: int) -> _Part:
        part = self._parts.get(slot)
        if part is None:
            part = self._parts[slot] = _part_of(self._inner.labels(slot))
        return part

    # What comes out.

    def _laid_out(self, plan: _Plan, broken: frozenset[int]) -> _Layout:
        hidden = np.zeros(len(plan.slots_in), dtype=np.bool_)
        ends: list[tuple[int, int]] = []
        for number, group in enumerate(plan.groups):
            if number in broken:
                continue
            ends.append((group.end, number))
            if not self._keep_classic:
                hidden[group.members] = True
        shown = np.flatnonzero(~hidden)
        at = np.searchsorted(shown, [end for end, _ in ends])  # histograms come before what follows them
        numbers = [number for _, number in ends]
        last = np.array([plan.groups[number].members[-1] for number in numbers], dtype=np.intp)
        first = np.array([plan.groups[number].members[0] for number in numbers], dtype=np.intp)
        slots = np.array([2 * plan.slots[number] + 1 for number in numbers], dtype=np.intp)
        made = np.insert(2 * plan.slots_in[shown], at, slots)
        places = (at + np.arange(len(at))).tolist()
        before = None if plan.layout is None else plan.layout.slots
        return _Layout(
            broken,
            np.insert(shown, at, last),
            np.insert(shown, at, first),
            before if before is not None and np.array_equal(before, made) else made,
            dict(zip(places, numbers, strict=True)),
        )

    def _page(
        self,
        page: Page,
        plan: _Plan,
        layout: _Layout,
        found: list[Histogram | None],
        new: dict[int, dict[str, str]],
    ) -> Page:
        exemplars, own = _exemplars(page, plan, layout) if page.exemplars else ({}, {})
        histograms: dict[int, HistogramSample] = {}
        for place, number in layout.group.items():
            value = found[number]
            if value is not None:
                histograms[place] = limited(value, self._limits, own.get(number, ()))
        return replace(
            page,
            slots=layout.slots,
            values=page.values[layout.source],
            timestamps=None if page.timestamps is None else page.timestamps[layout.source],
            starts=None if page.starts is None else page.starts[layout.starts],
            exemplars=exemplars,
            new=new,
            histograms=histograms,
            marks=(),
        )


def _part_of(labels: dict[str, str]) -> _Part:
    name = labels[METRIC_NAME]
    rest = tuple(sorted(pair for pair in labels.items() if pair[0] not in (METRIC_NAME, "le")))
    for suffix in (_BUCKET, _SUM, _COUNT):
        if name.endswith(suffix):
            bound = parse_float(labels.get("le", "").encode()) if suffix == _BUCKET else None
            if bound is not None and math.isnan(bound):
                bound = None
            return _Part(name.removesuffix(suffix), suffix, bound, rest)
    return _Part(name, "", None, rest)


def _batched(groups: list[_Group]) -> list[_Batch]:
    by_shape: dict[tuple[tuple[float, ...], bool], list[int]] = {}
    for number, group in enumerate(groups):
        by_shape.setdefault((tuple(sorted(group.buckets)), group.count >= 0), []).append(number)
    batches = []
    for (bounds, has_count), numbers in by_shape.items():
        some = [groups[number] for number in numbers]
        buckets = [[group.buckets[bound] for bound in bounds] for group in some]
        counts = np.array([group.count for group in some], dtype=np.intp) if has_count else None
        sums = np.array([group.total for group in some], dtype=np.intp)
        shaped = np.array(buckets, dtype=np.intp).reshape(len(some), len(bounds))
        batches.append(_Batch(bounds, numbers, shaped, counts, sums))
    return batches


def _converted(page: Page, plan: _Plan) -> list[Histogram | None]:
    """Each group as a native histogram, None where it is none."""
    found: list[Histogram | None] = [None] * len(plan.groups)
    for batch in plan.batches:
        counts = None if batch.counts is None else page.values[batch.counts]
        sums = np.where(batch.sums >= 0, page.values[batch.sums], 0.0)
        made = custom_histograms(batch.bounds, page.values[batch.buckets], counts, sums)
        for number, each in zip(batch.groups, made, strict=True):
            found[number] = each
    return found


def _exemplars(
    page: Page, plan: _Plan, layout: _Layout
) -> tuple[dict[int, Exemplar], dict[int, tuple[Exemplar, ...]]]:
    """Those of floats by place, and those of histograms by group: these have to have a time."""
    group_of = {
        member: number
        for number, group in enumerate(plan.groups)
        if number not in layout.broken
        for member in group.members
    }
    moved: dict[int, list[Exemplar]] = {}
    for place, exemplar in page.exemplars.items():
        if place in group_of and exemplar.timestamp_ms is not None:
            moved.setdefault(group_of[place], []).append(exemplar)
    own = {
        number: tuple(sorted(each, key=lambda one: (one.timestamp_ms or 0, one.value)))
        for number, each in moved.items()
    }
    kept = {
        at: page.exemplars[place]
        for at, place in enumerate(layout.source.tolist())
        if at not in layout.group and place in page.exemplars and place not in group_of
    }
    return kept, own
