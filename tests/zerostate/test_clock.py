"""The accelerated clock: both sides and sleep agree on one speed."""

from __future__ import annotations

import time

import pytest

from zseval.clock import Clock
from zseval.zerostate.clock import AcceleratedClock


async def test_a_long_sleep_is_over_quickly_and_the_clock_has_moved_on_by_it() -> None:
    clock: Clock = AcceleratedClock(1000.0)
    began, wall, monotonic = time.monotonic(), clock.wall_ms(), clock.monotonic()
    await clock.sleep(50.0)
    assert clock.monotonic() - monotonic >= 50.0
    assert clock.wall_ms() - wall >= 49_999
    assert time.monotonic() - began < 25.0


def test_it_starts_at_the_present() -> None:
    assert abs(AcceleratedClock(1.0).wall_ms() - time.time() * 1000) < 10_000


async def test_a_sleep_of_nothing_or_less_returns_at_once() -> None:
    clock = AcceleratedClock(0.001)
    await clock.sleep(0.0)
    await clock.sleep(-5.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_clock_must_run_forward(speed: float) -> None:
    with pytest.raises(ValueError, match="cannot run"):
        AcceleratedClock(speed)
