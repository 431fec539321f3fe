"""Clock: where time comes from. Loops are given one, so that tests and the demo can run their own.

Everything is scheduled on the monotonic side; the wall side only stamps samples. A wall clock that
steps therefore delays nothing and fires nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SteadyClock", "SystemClock"]


class Clock(Protocol):
    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may step."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never steps back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `monotonic` has moved on by `seconds` (at once if that is not above 0)."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class SteadyClock:
    """A clock whose wall time never goes back, so that samples stay in order.

    It follows the wall clock forwards, at any speed and in any step. When that is set back, time goes on at
    the pace of the monotonic clock, ahead of the wall clock: to follow it would have every sample refused as
    out of order until it is where it was. All parts of a node are to share one, so that they agree.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = (clock.wall_ms(), clock.monotonic())

    def wall_ms(self) -> int:
        wall_ms, monotonic = self._clock.wall_ms(), self._clock.monotonic()
        latest_ms, latest = self._latest
        steady_ms = latest_ms + int((monotonic - latest) * 1000)
        if wall_ms >= steady_ms - _SLACK_MS:
            wall_ms = max(wall_ms, latest_ms)  # the two clocks drift apart a little; that is no step
            self._latest = (wall_ms, monotonic)
            return wall_ms
        return steady_ms

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


_SLACK_MS = 100
