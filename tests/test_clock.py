"""A clock that goes on at the monotonic clock's pace, whatever is done to the wall clock."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval import TSDB, Engine
from zseval.clock import STEP_MS, Moment, SteadyClock, SystemClock

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


class Machine:
    """A clock the test sets: `passed` seconds went by, and the wall clock is `off_ms` ahead of that."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.off_ms = 0

    def wall_ms(self) -> int:
        return START_MS + self.off_ms + round(self.passed * 1000)

    def monotonic(self) -> float:
        return 77.0 + self.passed

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS, STEP_MS, -STEP_MS, 56 * 365 * 24 * HOUR_MS])
def test_a_step_is_told_and_not_followed_until_somebody_says_so(step_ms: int) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.passed, machine.off_ms = 10.0, step_ms
    assert clock.wall_ms() == START_MS + 10_000
    assert clock.step_ms() == step_ms
    machine.passed = 11.0
    assert clock.wall_ms() == START_MS + 11_000
    assert clock.follow() == step_ms
    assert clock.wall_ms() == START_MS + 11_000 + step_ms
    assert (clock.step_ms(), clock.follow()) == (0, 0)


def test_a_step_that_is_taken_back_leaves_no_trace() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.passed, machine.off_ms = 10.0, HOUR_MS
    clock.wall_ms()
    machine.passed, machine.off_ms = 20.0, 0
    assert (clock.step_ms(), clock.wall_ms()) == (0, START_MS + 20_000)


def test_drift_forwards_is_followed_at_once() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.passed, machine.off_ms = 1.0, 900
    assert clock.wall_ms() == START_MS + 1_900


@pytest.mark.parametrize("now", [1_700_000_000.0006, 1_700_000_000.0004, 1_700_000_000.9999])
def test_what_was_stamped_now_is_not_in_the_future(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    db = TSDB()
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "time_ns", lambda: round(now * 1e9))
    db.append({"__name__": "m"}, 5.0, time.time())
    for clock in (SystemClock(), SteadyClock(SystemClock())):
        assert Engine(db).instant_at("m", clock.wall_ms()).samples()[0][1] == 5.0


@given(st.lists(st.floats(0, 1), max_size=30))
def test_without_drift_it_is_the_wall_clock_within_a_millisecond(waits: list[float]) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    for wait in waits:
        machine.passed += wait
        assert abs(clock.wall_ms() - machine.wall_ms()) <= 1  # both are rounded


def test_drift_backwards_is_waited_for_by_going_slower() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    machine.off_ms = -1_000
    times = []
    for second in range(1, 13):
        machine.passed = float(second)
        times.append(clock.wall_ms() - START_MS)
    assert times[:3] == [900, 1_800, 2_700]
    assert times[-3:] == [9_000, 10_000, 11_000]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-2 * STEP_MS, 2 * STEP_MS)), max_size=30))
def test_time_never_goes_back_unless_it_is_told_to_follow(looks: list[tuple[float, int]]) -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    latest = clock.wall_ms()
    for passed, off_ms in looks:
        machine.passed += passed
        machine.off_ms += off_ms
        now = clock.wall_ms()
        assert now >= latest
        latest = now


def test_a_moment_knows_by_how_much_the_clock_was_set_since() -> None:
    machine = Machine()
    clock = SteadyClock(machine)
    moment = Moment.of(clock)
    machine.passed, machine.off_ms = 30.0, 400
    assert moment.moved_ms() == 0
    machine.off_ms = -HOUR_MS
    assert moment.moved_ms() == 0
    clock.follow()
    assert moment.moved_ms() == pytest.approx(-HOUR_MS, abs=500)


async def test_the_machines_clocks_are_read_in_their_units() -> None:
    clock = SystemClock()
    before, wall = clock.monotonic(), clock.wall_ms()
    await clock.sleep(0.02)
    await clock.sleep(-1.0)
    assert 0.01 < clock.monotonic() - before < 5
    assert abs(wall - time.time() * 1000) < 5_000
