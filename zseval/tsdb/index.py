"""Index: matchers to one increasing array of series ids.

Postings are one stable argsort of all pair ids (label name with value): for each pair the series that
have it, increasing. Series created since then sit in a small second level that is rebuilt alone, so
that a new series does not cost a sort of everything. A regular expression is asked once for each
distinct value, and only for values it has not seen.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from sortedcontainers import SortedList

from zseval.model.arrays import Ids, Mask, Rows
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.layout import Layout, Located
from zseval.tsdb.series import PairSpan, SeriesTable
from zseval.tsdb.tail import Following

__all__ = ["Index", "Postings", "Resolved", "Unsorted", "Untried"]

_RESOLVED_KEPT = 1024  # selectors of a few hundred rules and a dashboard or two
_RESOLVED_TIMES = 4  # together they may name so many times the series there are
_RESOLVED_LEAST = 100_000  # or so many, in a small store
_PATTERNS_KEPT = 1024
_FEW_PAIRS = 64  # above it, one pass over all pairs beats joining many short postings
_TAIL_LEAST = 1024  # new series before the first level is sorted again, at least
_TAIL_SHARE = 8  # and at least this fraction of it


class _Layouts(Protocol):
    def layouts(self) -> Iterator[Layout]: ...


Holder = TypeVar("Holder", bound=_Layouts)


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """What a set of matchers selects. ids: int32[S], increasing.  labels: their label sets.

    following: the newest samples of these series, where they are asked for again and again.
    """

    ids: Ids
    labels: LabelSets
    _located: WeakKeyDictionary[Layout, Located | None] = field(default_factory=WeakKeyDictionary)
    _holders: dict[int, tuple[list[Any], bool]] = field(default_factory=dict)  # by Layout.made
    following: Following = field(default_factory=Following)

    def locate(self, layout: Layout) -> Located | None:
        """Where in a layout these series are, None where none is; remembered as long as the layout lives."""
        try:
            return self._located[layout]
        except KeyError:
            return self._located.setdefault(layout, layout.locate(self.ids))

    @property
    def is_placed(self) -> bool:
        """Whether `among` has nothing to do."""
        return Layout.made in self._holders

    def among(self, holders: Iterable[Holder]) -> tuple[list[Holder], bool]:
        """Those that may hold samples of these series, remembered until a layout is made.

        Also whether each of the series is in one of them only.
        holders: all tables of the store, whichever those are when a layout was made last.
        """
        known: tuple[list[Holder], bool] | None = self._holders.get(Layout.made)
        if known is not None:
            return known
        return self.place(Layout.made, [(holder, list(holder.layouts())) for holder in holders])

    def place(
        self, made: int, holders: Iterable[tuple[Holder, Iterable[Layout]]]
    ) -> tuple[list[Holder], bool]:
        """The same for holders with their layouts, as they were when so many layouts had been made."""
        found = []
        seen = np.zeros(len(self.ids), dtype=np.bool_)
        is_apart = True
        for holder, layouts in holders:
            mine = np.zeros(len(self.ids), dtype=np.bool_)
            for layout in layouts:
                located = self.locate(layout)
                if located is not None:
                    mine[located.rows] = True
            if mine.any():
                found.append(holder)
                is_apart = is_apart and not (seen & mine).any()
                seen |= mine
        self._holders.clear()
        self._holders[made] = found, is_apart
        return found, is_apart


@dataclass(frozen=True, slots=True, eq=False)
class Unsorted:
    """Pairs of the series first <= id < last, as postings are made of. pair_count: of all pairs there are."""

    span: PairSpan
    first: int
    last: int
    pair_count: int


@dataclass(frozen=True, slots=True, eq=False)
class Untried:
    """Values of a label, with their pairs, that a matcher was not asked about. seen: how many it was."""

    matcher: Matcher
    seen: int
    pairs: dict[str, int]

    def accepted(self) -> list[int]:
        """The pairs that it accepts."""
        matches = self.matcher.matches
        return [pair for value, pair in self.pairs.items() if matches(value)]


class Postings:
    """Pair id -> series, for the series first <= id < last. Immutable."""

    def __init__(self, unsorted: Unsorted) -> None:
        span = unsorted.span
        order = np.argsort(span.pairs, kind="stable")
        self.first, self.last = unsorted.first, unsorted.last
        self._series: Ids = span.owners[order].astype(np.int32)
        self._ends = np.cumsum(np.bincount(span.pairs, minlength=unsorted.pair_count))

    @property
    def nbytes(self) -> int:
        return self._series.nbytes + self._ends.nbytes

    def of(self, pair: int) -> Ids:
        """The series that have a pair, increasing; a view."""
        if pair >= len(self._ends):
            return self._series[:0]
        return self._series[self._ends[pair - 1] if pair else 0 : self._ends[pair]]

    def of_any(self, accepted: Mask) -> Ids:
        """The series that have a pair marked in bool[P], in no order, perhaps more than once."""
        ends = self._ends
        counts = np.diff(ends, prepend=0)
        return self._series[np.repeat(accepted[: len(ends)], counts)]


class Index:
    """The search structures over one SeriesTable, its `table`. Guarded by the lock of its TSDB.

    Without it, `known`, `values_among` and `names_among` may be called, of series there were with it.
    """

    def __init__(self, table: SeriesTable) -> None:
        self.table = table
        self._levels: list[Postings] = [Postings(self._from(0))]
        self._resolved: OrderedDict[tuple[Matcher, ...], tuple[int, Resolved]] = OrderedDict()
        self._resolved_series = 0
        self._patterns: OrderedDict[Matcher, tuple[int, list[int]]] = OrderedDict()
        self._sorted: dict[str, SortedList] = {}

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in self._levels)

    def known(self, matchers: Sequence[Matcher]) -> Resolved | None:
        """What `resolve` gives where it has nothing to do."""
        known = self._resolved.get(tuple(matchers))
        return known[1] if known is not None and known[0] == len(self.table) else None

    def resolve(self, matchers: Sequence[Matcher]) -> Resolved:
        """The series every matcher accepts, from the cache where no series was added since."""
        key, count = tuple(matchers), len(self.table)
        known = self._resolved.get(key)
        if known is not None and known[0] == count:
            self._resolved.move_to_end(key)
            return known[1]
        return self.remember(matchers, self.find(key), None, count)

    def remember(
        self, matchers: Sequence[Matcher], ids: Ids, labels: LabelSets | None, count: int
    ) -> Resolved:
        """What matchers selected when there were `count` series. labels: those of `ids`, where known."""
        key = tuple(matchers)
        known = self._resolved.get(key)
        if known is not None and np.array_equal(known[1].ids, ids):
            made = known[1]  # the same object, so that what others cached for it stays good
        else:
            made = Resolved(ids, self.table.label_sets(ids) if labels is None else labels)
        self._remember(key, count, made)
        return made

    def _remember(self, key: tuple[Matcher, ...], count: int, made: Resolved) -> None:
        """Keep a resolution, and of the others the newest that fit."""
        replaced = self._resolved.pop(key, None)
        if replaced is not None:
            self._resolved_series -= len(replaced[1].ids)
        self._resolved[key] = count, made
        self._resolved_series += len(made.ids)
        most = max(_RESOLVED_LEAST, _RESOLVED_TIMES * count)
        while len(self._resolved) > 1 and (
            self._resolved_series > most or len(self._resolved) > _RESOLVED_KEPT
        ):
            _, (_, oldest) = self._resolved.popitem(last=False)
            self._resolved_series -= len(oldest.ids)

    def find(self, matchers: Iterable[Matcher]) -> Ids:
        """int32[S], the series every matcher accepts, increasing; no matchers accept all."""
        wanted: list[Matcher] = []
        unwanted: list[Matcher] = []
        for matcher in matchers:
            (unwanted if matcher.matches_empty else wanted).append(matcher)
        selected = np.ones(len(self.table), dtype=np.bool_)
        for matcher in sorted(wanted, key=_cost):
            accepted = self._marked(self._accepted(matcher))
            selected &= accepted
            if not selected.any():
                return np.empty(0, dtype=np.int32)
        for matcher in unwanted:
            # It accepts "": so every series is selected but those with a value it refuses.
            selected[self._series_of(self._refused(matcher))] = False
        return np.flatnonzero(selected).astype(np.int32)

    def names(self) -> list[str]:
        """All label names, sorted."""
        return sorted(self.table.values_of)

    def values(self, name: str) -> list[str]:
        """All values of a label, sorted."""
        known = self.table.values_of.get(name, {})
        kept = self._sorted.get(name)
        if kept is None:
            kept = self._sorted[name] = SortedList(known)
        elif len(kept) < len(known):
            kept.update(list(islice(known, len(kept), None)))
        return list(kept)

    def _marked(self, pairs: Sequence[int]) -> Mask:
        marked = np.zeros(len(self.table), dtype=np.bool_)
        marked[self._series_of(pairs)] = True
        return marked

    def _series_of(self, pairs: Sequence[int]) -> Ids:
        """Series that have one of these pairs, in no order."""
        levels = self._fresh_levels()
        if len(pairs) <= _FEW_PAIRS:
            parts = [level.of(pair) for level in levels for pair in pairs]
        else:
            accepted = np.zeros(self.table.pair_count, dtype=np.bool_)
            accepted[np.array(pairs, dtype=np.intp)] = True
            parts = [level.of_any(accepted) for level in levels]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

    def _fresh_levels(self) -> list[Postings]:
        """One or two levels that together cover all series."""
        unsorted = self.unsorted()
        if unsorted is not None:
            self.take(Postings(unsorted))
        return self._levels

    def unsorted(self) -> Unsorted | None:
        """What the next look-up has to sort; None where nothing is new."""
        count, base = len(self.table), self._levels[0]
        if self._levels[-1].last == count:
            return None
        is_much = count - base.last > max(_TAIL_LEAST, base.last // _TAIL_SHARE)
        return self._from(0 if is_much else base.last)

    def take(self, level: Postings) -> None:
        """What was sorted, unless something newer was since."""
        if level.last <= self._levels[-1].last:
            return
        if not level.first:
            self._levels = [level]
        elif level.first == self._levels[0].last:
            self._levels = [self._levels[0], level]

    def _from(self, first: int) -> Unsorted:
        table = self.table
        return Unsorted(table.pairs_from(first), first, len(table), table.pair_count)

    def _accepted(self, matcher: Matcher) -> Sequence[int]:
        """Pairs of the matcher's label that it accepts; it does not accept ""."""
        values = self.table.values_of.get(matcher.name, {})
        literals = None if matcher.is_negative else matcher.literals
        if literals is not None:
            return [values[literal] for literal in dict.fromkeys(literals) if literal in values]
        return self._matching(matcher, values)

    def _refused(self, matcher: Matcher) -> Sequence[int]:
        """Pairs of the matcher's label that it refuses; it accepts ""."""
        values = self.table.values_of.get(matcher.name, {})
        literals = matcher.literals if matcher.is_negative else None
        if literals is not None:
            return [values[literal] for literal in dict.fromkeys(literals) if literal in values]
        accepted = set(self._matching(matcher, values))
        return [pair for pair in values.values() if pair not in accepted]

    def _matching(self, matcher: Matcher, values: dict[str, int]) -> list[int]:
        """Pairs whose value the matcher accepts; only values new since the last time are tried."""
        untried = self._untried(matcher, values)
        if untried.pairs or matcher not in self._patterns:
            self.note(untried, untried.accepted())
        self._patterns.move_to_end(matcher)
        return self._patterns[matcher][1]

    def untried(self, matcher: Matcher) -> Untried | None:
        """The values a look-up has to try; None where it tries none."""
        if matcher.literals is not None:
            return None
        return self._untried(matcher, self.table.values_of.get(matcher.name, {}))

    def _untried(self, matcher: Matcher, values: dict[str, int]) -> Untried:
        seen = self._patterns.get(matcher, (0, []))[0]
        return Untried(matcher, seen, dict(islice(values.items(), seen, None)))

    def note(self, untried: Untried, accepted: list[int]) -> None:
        """What was found out about values, unless others have found it out since."""
        seen, pairs = self._patterns.get(untried.matcher, (0, []))
        if seen == untried.seen:
            self._patterns[untried.matcher] = seen + len(untried.pairs), pairs + accepted
            if len(self._patterns) > _PATTERNS_KEPT:
                self._patterns.popitem(last=False)

    def values_among(self, name: str, series: Ids) -> list[str]:
        """The values a label has on these series, sorted."""
        pairs = np.unique(self.table.pairs_of(series).pairs)
        symbol = self.table.symbols.find(name)
        if symbol is None:
            return []
        symbols = self.table.pair_values[pairs[self.table.pair_names[pairs] == symbol]]
        return sorted(map(self.table.symbols.text, symbols.tolist()))

    def names_among(self, series: Ids) -> list[str]:
        """The label names these series have, sorted."""
        pairs = np.unique(self.table.pairs_of(series).pairs)
        return sorted(map(self.table.symbols.text, np.unique(self.table.pair_names[pairs]).tolist()))

    def series_per_pair(self) -> Rows:
        """intp[P], how many series have each pair."""
        return np.bincount(self.table.pairs_from(0).pairs, minlength=self.table.pair_count)


def _cost(matcher: Matcher) -> int:
    return 0 if matcher.type is MatchType.EQUAL else 1
