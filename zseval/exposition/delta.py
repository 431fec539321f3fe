"""DeltaParser: the bodies of one target, of which each is read only where it differs from the one before.

A body is compared with the previous one. An unchanged line costs the comparison, a changed one what it takes
to read a number; values are carried over in one copy. Where more than values changed, lines are looked up by
what stands before their value; only such a prefix never seen is read by the grammar, which therefore can be
strict. A body that cannot be read line by line (a quoted name or value with a line break in it, a NUL) is
given to the strict parser as a whole, and so is one with an error, for its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zseval.errors import ExpositionError, Position
from zseval.exposition.entries import Description, DescriptionKind, Entry, Exemplar, Sample, normalized
from zseval.exposition.floats import plain_floats
from zseval.exposition.lines import (
    Tail,
    head_end,
    openmetrics_description,
    openmetrics_tail,
    text_description,
    text_tail,
    usual_labels,
)
from zseval.exposition.lockstep import Changes, Lockstep, lockstep
from zseval.exposition.negotiate import Format
from zseval.exposition.openmetrics import parse_openmetrics
from zseval.exposition.page import NO_TIMESTAMP, BrokenBodyError, Mark, Page
from zseval.exposition.text import parse_text
from zseval.model.arrays import Rows, Times, Values
from zseval.model.labels import TYPE_LABEL, UNIT_LABEL
from zseval.model.metadata import Metadata, MetricType

__all__ = ["NO_TIMESTAMP", "BrokenBodyError", "DeltaParser", "Page"]

_BLANKS = b" \t"
_CALM = 3  # pages


class _NotByLines(Exception):  # noqa: N818 - a signal inside this module, not an error
    """This body is to be read as a whole."""


@dataclass(slots=True)
class _Dialect:
    parse: Callable[[bytes], Iterator[Entry]]
    tail: Callable[[bytes], Tail | None]
    description: Callable[[bytes], Description | None]
    after_line: bytes  # what makes a body of one line whole


_DIALECTS = {
    Format.TEXT: _Dialect(parse_text, text_tail, text_description, b"\n"),
    Format.OPENMETRICS: _Dialect(parse_openmetrics, openmetrics_tail, openmetrics_description, b"\n# EOF\n"),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Previous:
    """The previous body. place: intp[lines], the sample on each line, -1 where there is none."""

    lockstep: Lockstep
    place: Rows


class _Walk:
    """What is gathered while the lines of a body are gone through.

    slots: of each line, -1 where it has no sample.  tails: what follows the prefix, not read yet.
    more: what follows it where that is read already, by row.
    kind, unit, family: what the lines that describe a family said last.
    marks: rows of lines between samples, with family and kind as they are after each.
    """

    __slots__ = (
        "descriptions",
        "family",
        "kind",
        "marks",
        "more",
        "new",
        "prefixes",
        "slots",
        "tails",
        "unit",
    )

    def __init__(self, prefixes: list[bytes], slots: list[int]) -> None:
        self.prefixes = prefixes
        self.slots = slots
        self.tails: list[bytes] = []
        self.more: dict[int, Tail] = {}
        self.new: dict[int, dict[str, str]] = {}
        self.descriptions: list[Description] = []
        self.kind = MetricType.UNKNOWN
        self.unit = ""
        self.family = ""
        self.marks: list[tuple[int, str, MetricType]] = []

    def take(self, row: int, prefix: bytes, slot: int) -> None:
        self.prefixes[row] = prefix
        self.slots[row] = slot

    def skip(self, row: int) -> None:
        self.take(row, b"", -1)

    def describe(self, row: int, description: Description) -> None:
        self.descriptions.append(description)
        if description.kind is DescriptionKind.TYPE:
            self.kind, self.family = description.type, description.family
        elif description.kind is DescriptionKind.UNIT:
            self.unit = description.text
        self.mark(row)

    def mark(self, row: int) -> None:
        self.marks.append((row, self.family, self.kind))


class DeltaParser:
    """Reads the bodies of one target in a text format. Not for use by two threads at a time.

    marks: pages say what stands between samples.  describe: series get the labels `__type__` and `__unit__`.
    """

    def __init__(
        self,
        format: Format,  # noqa: A002 - the word for it
        *,
        marks: bool = False,
        describe: bool = False,
    ) -> None:
        if format not in _DIALECTS:
            raise ExpositionError(f"{format.value} is no text format")
        self._wants_marks = marks
        self._describes = describe
        self._dialect = _DIALECTS[format]
        self._openmetrics = format is Format.OPENMETRICS
        self._slot_of: dict[bytes, int] = {}  # by prefix; empty while pages only change in values
        self._calm = 0  # pages in a row that did
        self._prefix_of: list[bytes] = []
        self._kind_of: list[MetricType] = []  # of the TYPE line in force when the series was first seen
        self._unit_of: list[str] = []  # as well
        self._free: list[int] = []
        self._described: dict[bytes, Description] = {}  # comment lines of the previous body
        self._previous: _Previous | None = None
        self._slots: Rows = np.zeros(0, dtype=np.intp)
        self._values: Values = np.zeros(0, dtype=np.float64)
        self._timestamps: Times | None = None
        self._exemplars: dict[int, Exemplar] = {}
        self._metadata: dict[str, Metadata] = {}
        self._marks: tuple[Mark, ...] = ()

    def parse(self, body: bytes) -> Page:
        """The samples of a body. Raises BrokenBodyError; the next is then compared with the last good one."""
        try:
            page = self._changes(body)
            if page is not None:
                self._rest()
                return page
            return self._walk_lines(body)
        except _NotByLines:
            return self._walk_entries(body)

    def labels(self, slot: int) -> dict[str, str]:
        """The labels of the series in a slot of the latest Page or the one before it."""
        prefix, kind = self._prefix_of[slot], self._kind_of[slot]
        pairs: Sequence[tuple[str, str]] | None = usual_labels(prefix)
        if pairs is None:
            pairs = self._parse_line(prefix.rstrip(_BLANKS) + b" 1").labels
        return self._described_labels(dict(normalized(pairs, kind)), kind, self._unit_of[slot])

    def _described_labels(self, labels: dict[str, str], kind: MetricType, unit: str) -> dict[str, str]:
        """What describes the family goes before labels of these names."""
        if self._describes and kind is not MetricType.UNKNOWN:
            labels[TYPE_LABEL] = kind.value
        if self._describes and unit:
            labels[UNIT_LABEL] = unit
        return labels

    def _parse_line(self, line: bytes) -> Sample:
        for entry in self._dialect.parse(line + self._dialect.after_line):
            if isinstance(entry, Sample):
                return entry
        raise _NotByLines

    def _rest(self) -> None:
        """Let go of what only the slower ways need, once they are not needed for some pages in a row."""
        self._calm += 1
        if self._calm == _CALM:
            self._slot_of = {}

    def _wake(self) -> None:
        if self._calm >= _CALM:
            self._slot_of = {prefix: slot for slot, prefix in enumerate(self._prefix_of) if prefix}
        self._calm = 0

    # The fast way: the same series on the same lines.

    def _changes(self, body: bytes) -> Page | None:
        """The page where only tails of lines changed; None where more did."""
        previous = self._previous
        changes = None if previous is None else previous.lockstep.compare(body)
        if previous is None or changes is None:
            return None
        if len(changes.rows):
            self._update(previous.place[changes.rows], changes)
        previous.lockstep.accept(changes)
        return self._page({})

    def _update(self, places: Rows, changes: Changes) -> None:
        """Take the values of the changed lines. Raises _NotByLines, and then none is taken."""
        has_more = self._timestamps is not None or bool(self._exemplars)
        plain = None if has_more else changes.floats()
        if plain is not None:
            self._values[places] = plain
            return
        prefixes = [self._prefix_of[slot] for slot in self._slots[places].tolist()]
        self._take_tails(places.tolist(), list(map(self._tail, prefixes, changes.texts())))

    def _take_tails(self, places: list[int], parsed: list[Tail]) -> None:
        if self._timestamps is None and any(timestamp is not None for _, timestamp, _ in parsed):
            self._timestamps = np.full(len(self._values), NO_TIMESTAMP, dtype=np.int64)
        self._exemplars = dict(self._exemplars)  # the page before keeps its own
        for place, (value, timestamp, exemplar) in zip(places, parsed, strict=True):
            self._values[place] = value
            if self._timestamps is not None:
                self._timestamps[place] = NO_TIMESTAMP if timestamp is None else timestamp
            self._exemplars.pop(place, None)
            if exemplar is not None:
                self._exemplars[place] = exemplar

    def _tail(self, prefix: bytes, tail: bytes) -> Tail:
        parsed = self._dialect.tail(tail)
        if parsed is not None:
            return parsed
        sample = self._strict_line(prefix + tail)
        if not isinstance(sample, Sample) or sample.series != prefix.rstrip(_BLANKS):
            raise _NotByLines
        return sample.value, sample.timestamp_ms, sample.exemplar

    def _strict_line(self, line: bytes) -> Entry | None:
        """The entry on a line that stands for itself; None where it is empty or a comment."""
        if b"\x00" in line:
            raise _NotByLines
        try:
            entries = list(self._dialect.parse(line + self._dialect.after_line))
        except ExpositionError:
            raise _NotByLines from None
        return entries[0] if entries else None

    # The slower way: lines looked up by their prefix.

    def _walk_lines(self, body: bytes) -> Page:
        self._wake()
        lines = body.split(b"\n")
        prefixes = [line[: line.rfind(b" ") + 1] for line in lines]
        slot_of, prefix_of = self._slot_of, self._prefix_of
        known = [slot_of.get(prefix, -1) for prefix in prefixes]
        # Of a prefix that is known, the one object that is kept anyway.
        prefixes = [
            prefix if slot < 0 else prefix_of[slot] for prefix, slot in zip(prefixes, known, strict=True)
        ]
        walk = _Walk(prefixes, known)
        try:
            self._look_at_others(lines, walk)
            rows = np.array(walk.slots, dtype=np.intp)
            rows = np.flatnonzero(rows >= 0)
            tails = self._tails(lines, walk, rows.tolist())
        except _NotByLines:
            self._undo(walk)
            raise
        place = np.full(len(lines), -1, dtype=np.intp)
        place[rows] = np.arange(len(rows))
        self._previous = _Previous(lockstep(body, walk.prefixes), place)
        self._keep_marks(walk, rows)
        slots = np.array(walk.slots, dtype=np.intp)[rows]
        return self._take(slots, tails, walk)

    def _look_at_others(self, lines: list[bytes], walk: _Walk) -> None:
        """Go through the lines whose prefix up to the last space is not known."""
        last = self._last_line(lines)
        described: dict[bytes, Description] = {}
        for row in [row for row, slot in enumerate(walk.slots) if slot < 0]:
            if row < last:
                self._odd_line(row, lines[row], walk, described)
            else:
                walk.skip(row)
        self._described = described

    def _tails(self, lines: list[bytes], walk: _Walk, rows: list[int]) -> list[Tail] | Values:
        """What follows the prefixes of the lines `rows`: values alone, or more where a line has more."""
        tails = list(
            map(bytes.removeprefix, [lines[row] for row in rows], [walk.prefixes[row] for row in rows])
        )
        plain = None if walk.more else plain_floats(b"\n".join([*tails, b""]), len(tails))
        if plain is not None:
            return plain
        more = walk.more
        return [
            more[row] if row in more else self._tail(walk.prefixes[row], tail)
            for row, tail in zip(rows, tails, strict=True)
        ]

    def _last_line(self, lines: list[bytes]) -> int:
        """How many lines can hold entries: an OpenMetrics body ends with `# EOF`, which is none."""
        if not self._openmetrics:
            return len(lines)
        last = len(lines) - (1 if lines[-1] else 2)
        if last < 0 or lines[last] != b"# EOF":
            raise _NotByLines
        return last

    def _odd_line(self, row: int, line: bytes, walk: _Walk, described: dict[bytes, Description]) -> None:
        """A new series, a comment, or a line with more than a value."""
        pairs = usual_labels(walk.prefixes[row])
        if pairs is not None:
            walk.slots[row] = self._new_usual(walk.prefixes[row], pairs, walk)
            return
        end = head_end(line)
        if end:
            prefix = line[:end]
            walk.take(row, prefix, self._new_usual(prefix, usual_labels(prefix), walk))
            return
        if not line and not self._openmetrics:
            walk.skip(row)
            return
        known = self._described.get(line) or self._dialect.description(line)
        entry = known or self._strict_line(line)
        if isinstance(entry, Sample):
            self._odd_sample(row, line, entry, walk)
            return
        walk.skip(row)
        if entry is not None:
            walk.describe(row, entry)
            described[line] = entry
        elif line.strip(_BLANKS):
            walk.mark(row)  # a comment

    def _new_usual(self, prefix: bytes, pairs: Sequence[tuple[str, str]] | None, walk: _Walk) -> int:
        slot = self._slot_of.get(prefix)
        if slot is not None:
            return slot  # on an earlier line of this body
        if pairs is None:
            raise _NotByLines
        if walk.kind in _NORMALIZED:
            pairs = normalized(pairs, walk.kind)
        return self._new_slot(prefix, _unique(pairs), walk)

    def _odd_sample(self, row: int, line: bytes, sample: Sample, walk: _Walk) -> None:
        end = len(sample.series)
        prefix = line[: len(line) - len(line[end:].lstrip(_BLANKS))]
        if prefix[-1:] not in (b" ", b"\t", b"}"):
            raise _NotByLines  # `a+1` is the series a; without a mark at its end it is no prefix to go by
        slot = self._slot_of.get(prefix)
        if slot is None:
            slot = self._new_slot(prefix, _unique(normalized(sample.labels, walk.kind)), walk)
        walk.take(row, prefix, slot)
        walk.more[row] = (sample.value, sample.timestamp_ms, sample.exemplar)

    def _new_slot(self, prefix: bytes, labels: dict[str, str], walk: _Walk) -> int:
        if self._free:
            slot = self._free.pop()
            self._prefix_of[slot] = prefix
            self._kind_of[slot] = walk.kind
            self._unit_of[slot] = walk.unit
        else:
            slot = len(self._prefix_of)
            self._prefix_of.append(prefix)
            self._kind_of.append(walk.kind)
            self._unit_of.append(walk.unit)
        self._slot_of[prefix] = slot
        walk.new[slot] = self._described_labels(labels, walk.kind, walk.unit)
        return slot

    # The slowest way: the body as a whole, by the strict parser.

    def _walk_entries(self, body: bytes) -> Page:
        self._wake()
        walk = _Walk([], [])
        before: list[Sample] = []
        try:
            for entry in self._dialect.parse(body):
                if isinstance(entry, Description):
                    walk.describe(len(walk.slots), entry)
                else:
                    walk.slots.append(self._whole_slot(entry, walk))
                    before.append(entry)
        except ExpositionError as error:
            self._undo(walk)
            raise BrokenBodyError(error, before) from None
        self._previous = None
        self._keep_marks(walk, np.arange(len(before)))
        tails: list[Tail] = [(sample.value, sample.timestamp_ms, sample.exemplar) for sample in before]
        return self._take(np.array(walk.slots, dtype=np.intp), tails, walk)

    def _whole_slot(self, sample: Sample, walk: _Walk) -> int:
        prefix = sample.series + b" "
        slot = self._slot_of.get(prefix)
        if slot is not None:
            return slot
        names = [name for name, _ in sample.labels]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ExpositionError(
                f'label name "{twice}" is not unique: invalid sample', Position(sample.line, 1)
            )
        return self._new_slot(prefix, dict(sample.labels), walk)

    def _keep_marks(self, walk: _Walk, rows: Rows) -> None:
        """rows: of the samples."""
        if not self._wants_marks:
            return
        places = np.searchsorted(rows, [row for row, _, _ in walk.marks]).tolist()
        marks = tuple(
            Mark(place, family, kind) for place, (_, family, kind) in zip(places, walk.marks, strict=True)
        )
        if marks != self._marks:
            self._marks = marks

    def _undo(self, walk: _Walk) -> None:
        """Forget the slots that a body with an error made."""
        for slot in walk.new:
            del self._slot_of[self._prefix_of[slot]]
            self._prefix_of[slot] = b""
            self._free.append(slot)

    # What a walk found becomes the state to compare the next body with.

    def _take(self, slots: Rows, tails: list[Tail] | Values, walk: _Walk) -> Page:
        self._forget(slots)
        if not np.array_equal(slots, self._slots):
            self._slots = slots
        self._timestamps = None
        self._exemplars = {}
        if isinstance(tails, list):
            self._values = np.zeros(len(tails), dtype=np.float64)
            self._take_tails(list(range(len(tails))), tails)
        else:
            self._values = tails
        metadata = _metadata(walk.descriptions)
        if metadata != self._metadata:
            self._metadata = metadata
        return self._page(walk.new)

    def _forget(self, slots: Rows) -> None:
        """Free the slots that neither this page nor the one before it has."""
        keep = np.zeros(len(self._prefix_of), dtype=np.bool_)
        keep[self._slots] = True
        keep[slots] = True
        keep[self._free] = True  # these are free already
        for slot in np.flatnonzero(~keep).tolist():
            del self._slot_of[self._prefix_of[slot]]
            self._prefix_of[slot] = b""
            self._free.append(slot)

    def _page(self, new: dict[int, dict[str, str]]) -> Page:
        timestamps = None if self._timestamps is None else self._timestamps.copy()
        values, exemplars, metadata = self._values.copy(), self._exemplars, self._metadata
        return Page(self._slots, values, timestamps, exemplars, new, metadata, marks=self._marks)


_NORMALIZED = frozenset({MetricType.HISTOGRAM, MetricType.SUMMARY})


def _unique(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    labels = dict(pairs)
    if len(labels) != len(pairs):
        raise _NotByLines
    return labels


def _metadata(descriptions: list[Description]) -> dict[str, Metadata]:
    parts: dict[str, dict[DescriptionKind, Description]] = {}
    for description in descriptions:
        parts.setdefault(description.family, {})[description.kind] = description
    return {family: _of_parts(found) for family, found in parts.items()}


def _of_parts(found: dict[DescriptionKind, Description]) -> Metadata:
    kind = found.get(DescriptionKind.TYPE)
    text = found.get(DescriptionKind.HELP)
    unit = found.get(DescriptionKind.UNIT)
    return Metadata(
        kind.type if kind else MetricType.UNKNOWN, text.text if text else "", unit.text if unit else ""
    )
