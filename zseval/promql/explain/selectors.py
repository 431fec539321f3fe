"""Why a selector finds nothing: which of its matchers, or which time, is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol, runtime_checkable

from zseval.model.duration import format_duration
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.frame import Selection

__all__ = ["Index", "Indexed", "listed", "why_nothing"]

_EVER = (-(2**62), 2**62)
_LISTED = 10
_LOOK_BACK_MS = (600_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000)  # ever wider, until a sample is found


@runtime_checkable
class Indexed(Protocol):
    """A store that can be asked for its labels: TSDB."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection: ...
    def series(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]: ...
    def label_names(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]: ...
    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]: ...


class Index:
    """Questions to a store about all the time it covers, or up to a moment."""

    def __init__(self, db: Indexed) -> None:
        self._db = db

    def has(self, matchers: Sequence[Matcher], start_ms: int = _EVER[0], end_ms: int = _EVER[1]) -> bool:
        return bool(self._db.label_names([list(matchers)], start_ms, end_ms))

    def count(self, matchers: Sequence[Matcher]) -> int:
        return len(self._db.series([list(matchers)], *_EVER))

    def names(self, matchers: Sequence[Matcher]) -> list[str]:
        """The names of labels on series that match; of all series where there are no matchers."""
        return self._db.label_names([list(matchers)] if matchers else [], *_EVER)

    def values(self, name: str, matchers: Sequence[Matcher]) -> list[str]:
        return self._db.label_values(name, [list(matchers)] if matchers else [], *_EVER)

    def newest_before(self, matchers: Sequence[Matcher], time_ms: int) -> int | None:
        """The time of the newest sample of these series not after `time_ms`, if it is within a day."""
        for width in _LOOK_BACK_MS:
            selection = self._db.select(matchers, time_ms - width, time_ms)
            newest = [
                int(frame.times[-1]) if frame.counts is None else int(frame.times[row, count - 1])
                for frame in selection.frames
                for row, count in enumerate([1] if frame.counts is None else frame.counts.tolist())
                if count and frame.times.size
            ]
            if newest:
                return max(newest)
        return None


def why_nothing(index: Index, matchers: Sequence[Matcher], end_ms: int, width_ms: int, what: str) -> str:
    """Why these matchers find no sample in the `width_ms` up to `end_ms`. what: the name of that time."""
    if index.has(matchers):
        return _wrong_time(index, matchers, end_ms, width_ms, what)
    named = [each for each in matchers if _is_name(each)]
    others = [each for each in matchers if not _is_name(each)]
    if named and not index.has(named):
        return _no_such_metric(index, named[0])
    for each in others:
        if not index.has([*named, each]):
            return _no_such_label(index, named, each)
    return _not_together(index, named, others)


def _is_name(matcher: Matcher) -> bool:
    return matcher.name == METRIC_NAME and matcher.type is MatchType.EQUAL


def _wrong_time(index: Index, matchers: Sequence[Matcher], end_ms: int, width_ms: int, what: str) -> str:
    count = index.count(matchers)
    subject = f"{count} series match, but" if count != 1 else "a series matches, but"
    newest = index.newest_before(matchers, end_ms)
    if newest is not None and newest > end_ms - width_ms:
        return f"{subject} ended before this step: the newest sample is a staleness marker"
    if newest is not None:
        age = format_duration((end_ms - newest) // 1000 * 1000)
        return f"{subject} the newest sample is {age} older than this step: more than {what}"
    if index.has(matchers, _EVER[0], end_ms):
        return f"{subject} the newest sample is more than a day older than this step"
    return f"{subject} all their samples are later than this step"


def _no_such_metric(index: Index, matcher: Matcher) -> str:
    names = index.values(METRIC_NAME, [])
    if not names:
        return "there is no series at all"
    close = get_close_matches(matcher.value, names, n=5, cutoff=0.6)
    close += [name for name in names if matcher.value in name and name not in close][: 5 - len(close)]
    hint = f"close names: {', '.join(close)}" if close else f"none of the {len(names)} names is close"
    return f"there is no metric {matcher.value}; {hint}"


def _no_such_label(index: Index, named: Sequence[Matcher], matcher: Matcher) -> str:
    if not index.values(matcher.name, named):
        of = f" of {named[0].value}" if named else ""
        names = [name for name in index.names(named) if name != METRIC_NAME]
        return f"no series{of} has a label {matcher.name}; labels seen: {listed(names)}"
    return f"no series has label {matcher}; values seen: {listed(index.values(matcher.name, named))}"


def _not_together(index: Index, named: Sequence[Matcher], others: Sequence[Matcher]) -> str:
    """Each matcher finds something; which is the first that leaves nothing of what those before found."""
    found = list(named)
    for each in others:
        if not index.has([*found, each]):
            before = ",".join(map(str, found))
            values = listed(index.values(each.name, found))
            return f"no series of {{{before}}} has label {each}; values seen there: {values}"
        found.append(each)
    return "no series matches"


def listed(texts: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    if not texts:
        return "none"
    shown = ", ".join(text or '""' for text in texts[:_LISTED])
    return shown if len(texts) <= _LISTED else f"{shown} and {len(texts) - _LISTED} more"
