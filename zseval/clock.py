"""Clock: where time comes from. Loops are given one, so that tests and the demo can run their own.

Everything is scheduled on the monotonic side; the wall side only stamps samples. A wall clock that
steps therefore delays nothing and fires nothing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

__all__ = ["STEP_MS", "Clock", "Moment", "SteadyClock", "SystemClock"]

STEP_MS = 5_000
"""A wall clock further from where it should be was set; what is less is drift, and followed."""


_SINCE_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux'


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
    """The machine's clocks. Time that the machine slept counts as passed, where the system can tell."""

    def wall_ms(self) -> int:
        # Rounded as appended times are, so that what a program stamps now does not lie in the future.
        return round(time.time() * 1000)

    def monotonic(self) -> float:
        return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class SteadyClock:
    """A clock whose wall time goes on at the pace of the monotonic clock, whatever is done to the wall clock.

    Drift is followed: forwards at once, backwards by going slower, so that samples stay in order. A step
    is not: `step_ms` tells of it, and `follow` takes it, once whoever owns this clock has moved all that
    was stamped before. All parts of a node are to share one, so that they agree.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = (float(clock.wall_ms()), clock.monotonic())

    def wall_ms(self) -> int:
        expected_ms, ahead_ms, monotonic = self._look()
        if abs(ahead_ms) >= STEP_MS:
            ahead_ms = 0.0
        elif ahead_ms < 0:
            passed_ms = (monotonic - self._latest[1]) * 1000
            ahead_ms = -min(-ahead_ms, _SLOWER * passed_ms)
        self._latest = (expected_ms + ahead_ms, monotonic)
        return round(expected_ms + ahead_ms)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def step_ms(self) -> int:
        """By how much the wall clock was set and not yet followed; 0 where it was not."""
        ahead_ms = self._look()[1]
        return round(ahead_ms) if abs(ahead_ms) >= STEP_MS else 0

    def follow(self) -> int:
        """Go over to the wall clock as it is now. Returns by how many milliseconds time thereby jumped."""
        expected_ms, ahead_ms, monotonic = self._look()
        if abs(ahead_ms) < STEP_MS:
            return 0
        jump_ms = round(ahead_ms)
        self._latest = (expected_ms + jump_ms, monotonic)
        return jump_ms

    def _look(self) -> tuple[float, float, float]:
        """Where the wall clock should be, how far ahead of that it is, and the monotonic time."""
        wall_ms, monotonic = self._clock.wall_ms(), self._clock.monotonic()
        latest_ms, latest = self._latest
        expected_ms = latest_ms + (monotonic - latest) * 1000
        return expected_ms, wall_ms - expected_ms, monotonic


_SLOWER = 0.1  # of the time that passes: how fast a wall clock that was ahead is waited for


@dataclass(frozen=True, slots=True)
class Moment:
    """A time on both sides of a clock, to learn later whether the wall side was set since."""

    clock: Clock
    wall_ms: int
    monotonic: float

    @classmethod
    def of(cls, clock: Clock) -> Moment:
        return cls(clock, clock.wall_ms(), clock.monotonic())

    def moved_ms(self) -> int:
        """By how much the wall clock was set since; 0 where it only went on."""
        passed_ms = (self.clock.monotonic() - self.monotonic) * 1000
        moved_ms = self.clock.wall_ms() - self.wall_ms - passed_ms
        return round(moved_ms) if abs(moved_ms) >= STEP_MS else 0
