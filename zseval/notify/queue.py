"""AlertQueue: what one Alertmanager is still to be told, bounded.

It holds the newest state of each alert, in the order the alerts first came: while nobody listens, an
alert that fires, is resent and resolves takes one place, and its end is what will be delivered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from zseval.model.alert import Alert
from zseval.model.labels import Labels

__all__ = ["AlertQueue"]


class AlertQueue:
    """For one event loop. capacity: how many alerts it holds; the oldest make room for new ones."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ValueError("a queue holds at least one alert")
        self.capacity = capacity
        self._waiting: OrderedDict[Labels, Alert] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alerts: Iterable[Alert]) -> int:
        """Add alerts, each in place of its older state; returns how many others were dropped for it."""
        for alert in alerts:
            self._waiting[alert.labels] = alert
        dropped = 0
        while len(self._waiting) > self.capacity:
            self._waiting.popitem(last=False)
            dropped += 1
        return dropped

    def take(self, most: int) -> list[Alert]:
        """The first alerts, no longer in the queue."""
        return [self._waiting.popitem(last=False)[1] for _ in range(min(most, len(self._waiting)))]

    def shift(self, delta_ms: int) -> None:
        """Move the times of what waits, as when the clock was set: an end would else lie in the past."""
        for labels, alert in self._waiting.items():
            self._waiting[labels] = replace(
                alert,
                starts_at_ms=alert.starts_at_ms + delta_ms,
                ends_at_ms=alert.ends_at_ms + delta_ms if alert.ends_at_ms else 0,
            )

    def put_back(self, alerts: Sequence[Alert]) -> int:
        """Return to the front what could not be delivered, unless a newer state came meanwhile.

        Returns how many found no room.
        """
        dropped = 0
        for alert in reversed(alerts):
            if alert.labels in self._waiting:
                continue
            if len(self._waiting) >= self.capacity:
                dropped += 1
                continue
            self._waiting[alert.labels] = alert
            self._waiting.move_to_end(alert.labels, last=False)
        return dropped
