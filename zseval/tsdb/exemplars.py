"""ExemplarRing: the newest exemplars of all series, so many and no more.

What a series already has is refused in silence, what is older than its newest as out of order.
Source: prometheus tsdb/exemplar.go (CircularExemplarStorage).
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher

__all__ = ["DEFAULT_EXEMPLARS", "ExemplarRing", "ExemplarVerdict", "StoredExemplar"]

DEFAULT_EXEMPLARS = 100_000
_LONGEST_LABELS = 128  # characters of all names and values together, as OpenMetrics has it


class ExemplarVerdict(enum.Enum):
    """What became of an exemplar."""

    STORED = "stored"
    DUPLICATE = "duplicate exemplar"
    OUT_OF_ORDER = "out of order exemplar"
    TOO_LONG = "label length for exemplar exceeds maximum of 128 UTF-8 characters"


@dataclass(frozen=True, slots=True)
class StoredExemplar:
    """has_time: its time was exposed with it; else it is that of the scrape."""

    labels: Labels
    value: float
    timestamp_ms: int
    has_time: bool = False

    def repeats(self, other: StoredExemplar) -> bool:
        """Whether it says nothing that `other` does not. The time of a scrape makes no difference."""
        if (self.has_time or other.has_time) and self.timestamp_ms != other.timestamp_ms:
            return False
        return self.value == other.value and self.labels == other.labels


class ExemplarRing:
    """At most `capacity` exemplars; the oldest to arrive leaves first. Any thread may use it."""

    def __init__(self, capacity: int = DEFAULT_EXEMPLARS) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._arrived: deque[Labels] = deque()  # the series of each, oldest first
        self._by_series: dict[Labels, deque[StoredExemplar]] = {}

    def __len__(self) -> int:
        return len(self._arrived)

    def add(self, series: Labels, exemplar: StoredExemplar) -> ExemplarVerdict:
        """Keep the exemplar of a series, where it says something new."""
        length = sum(len(name) + len(value) for name, value in exemplar.labels)
        if length > _LONGEST_LABELS:
            return ExemplarVerdict.TOO_LONG
        with self._lock:
            own = self._by_series.get(series)
            if own:
                newest = own[-1]
                if exemplar.repeats(newest):
                    return ExemplarVerdict.DUPLICATE
                if (exemplar.timestamp_ms, exemplar.value) < (newest.timestamp_ms, newest.value):
                    return ExemplarVerdict.OUT_OF_ORDER
            if self._capacity <= 0:
                return ExemplarVerdict.STORED
            self._make_room(self._capacity - 1)
            self._by_series.setdefault(series, deque()).append(exemplar)
            self._arrived.append(series)
        return ExemplarVerdict.STORED

    def resize(self, capacity: int) -> None:
        """Hold so many from now on; the oldest leave at once where that is fewer. 0 holds none."""
        with self._lock:
            self._capacity = max(capacity, 0)
            self._make_room(self._capacity)

    def select(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[tuple[Labels, list[StoredExemplar]]]:
        """Exemplars with start <= t <= end of the series that any of the sets accepts, by series.

        Series are sorted by labels and exemplars by arrival; a series without any is left out.
        """
        with self._lock:
            found = [
                (series, [each for each in own if start_ms <= each.timestamp_ms <= end_ms])
                for series, own in self._by_series.items()
                if any(_accepts(matchers, series) for matchers in matcher_sets)
            ]
        return sorted(((series, own) for series, own in found if own), key=lambda pair: pair[0])

    def shift(self, delta_ms: int) -> None:
        """Move all times, as when the clock they were stamped by was set."""
        with self._lock:
            self._by_series = {
                series: deque(replace(each, timestamp_ms=each.timestamp_ms + delta_ms) for each in own)
                for series, own in self._by_series.items()
            }

    def _make_room(self, capacity: int) -> None:
        while len(self._arrived) > capacity:
            series = self._arrived.popleft()
            own = self._by_series[series]
            own.popleft()
            if not own:
                del self._by_series[series]


def _accepts(matchers: Sequence[Matcher], series: Labels) -> bool:
    return all(matcher.matches(series.get(matcher.name) or "") for matcher in matchers)
