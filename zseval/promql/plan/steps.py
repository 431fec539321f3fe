"""Steps: the times an expression is evaluated at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Times

__all__ = ["Steps"]


@dataclass(frozen=True, slots=True)
class Steps:
    """`count` evaluation times from `start_ms` on, `interval_ms` apart (above 0); int64 ms.

    count may be 0: a subquery whose range holds no aligned time.
    """

    start_ms: int
    interval_ms: int
    count: int

    @classmethod
    def at(cls, time_ms: int) -> Steps:
        """The single time of an instant query."""
        return cls(time_ms, 1, 1)

    @classmethod
    def between(cls, start_ms: int, end_ms: int, interval_ms: int) -> Steps:
        """start, start + interval, … up to and including the last one not after the end."""
        return cls(start_ms, interval_ms, max(0, (end_ms - start_ms) // interval_ms + 1))

    @property
    def end_ms(self) -> int:
        """The last of the times (before the start where there is none)."""
        return self.start_ms + (self.count - 1) * self.interval_ms

    @property
    def first(self) -> Steps:
        """The first time alone: where step-invariant expressions are evaluated."""
        return Steps(self.start_ms, self.interval_ms, min(1, self.count))

    @property
    def times(self) -> Times:
        """int64[K], ms."""
        if self.count == 1:
            return np.array([self.start_ms], dtype=np.int64)
        return np.int64(self.start_ms) + np.arange(self.count, dtype=np.int64) * np.int64(self.interval_ms)

    def aligned_within(self, range_ms: int, interval_ms: int) -> Steps:
        """The times of a subquery read by these steps: multiples of its interval, left-open.

        Source: promql/engine.go, subqueryTimeRange.
        """
        left = self.start_ms - range_ms
        return Steps.between((left // interval_ms + 1) * interval_ms, self.end_ms, interval_ms)

    def __str__(self) -> str:
        if self.count == 1:
            return f"at {self.start_ms}"
        return f"{self.start_ms}..{self.end_ms} every {self.interval_ms}"
