"""AcceleratedClock: a clock that runs faster than the machine's, for trying rules out in a minute."""

from __future__ import annotations

import asyncio
import time

__all__ = ["AcceleratedClock"]


class AcceleratedClock:
    """Both of its sides run `speed` times as fast as the machine's, from the moment it is made.

    The wall side starts at the present time and is derived from the monotonic one, so it never steps.
    It runs ahead of the world: what it stamps lies in other programs' future.
    """

    def __init__(self, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"a clock cannot run {speed:g} times as fast")
        self.speed = speed
        self._wall_start_ms = time.time_ns() // 1_000_000
        self._start = time.monotonic()

    def wall_ms(self) -> int:
        return self._wall_start_ms + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        """Seconds of this clock since it was made."""
        return (time.monotonic() - self._start) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)
