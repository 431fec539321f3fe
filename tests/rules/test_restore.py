"""Alerts after a restart, from ALERTS_FOR_STATE. The cases are those of upstream's RestoreForState."""

from __future__ import annotations

import pytest

from tests.rules.conftest import Bench, at
from zseval.rules.evaluate import GroupState
from zseval.rules.restore import hold_back, restore
from zseval.rules.state import AlertState

_RULE = "rules: [{alert: A, expr: m > 0, for: %s, labels: {team: x, v: '{{ $value }}'}}]"


def restarted(bench: Bench, hold: str, down_at: float, up_at: float) -> GroupState:
    """A group that saw its alert begin at minute 0 and evaluated until down_at, then anew from up_at."""
    before = bench.group(_RULE % hold)
    minute = 0.0
    while minute <= down_at:
        bench.put(minute, m=1.0)
        before.evaluate(at(minute))
        minute += 1
    after = bench.group(_RULE % hold)
    hold_back(after)
    for minute in (up_at, up_at + 1):  # two evaluations before the restoration, as upstream
        bench.put(minute, m=1.0)
        after.evaluate(at(minute))
    restore(after, at(up_at + 1), bench.db)
    bench.put(up_at + 2, m=1.0)
    return after


def fires_at(bench: Bench, group: GroupState, minute: float) -> float:
    """The minute at which the alert of the group fires."""
    while True:
        bench.put(minute, m=1.0)
        group.evaluate(at(minute))
        book = group.rules[0].book
        assert book is not None
        if book.state is AlertState.FIRING:
            return minute
        minute += 1


def test_an_alert_that_was_firing_fires_again_at_once(bench: Bench) -> None:
    group = restarted(bench, "15m", down_at=20, up_at=30)
    assert fires_at(bench, group, 32) == 32


def test_the_time_away_does_not_count_as_pending(bench: Bench) -> None:
    group = restarted(bench, "40m", down_at=10, up_at=30)
    assert fires_at(bench, group, 32) == 40 + (31 - 10)


def test_what_would_fire_soon_waits_for_the_grace_period(bench: Bench) -> None:
    group = restarted(bench, "15m", down_at=10, up_at=20)
    assert fires_at(bench, group, 22) == 21 + 10


def test_a_short_wait_is_simply_begun_anew(bench: Bench) -> None:
    group = restarted(bench, "5m", down_at=20, up_at=30)
    assert fires_at(bench, group, 32) == 35


def test_an_outage_beyond_the_tolerance_begins_anew(bench: Bench) -> None:
    group = restarted(bench, "15m", down_at=20, up_at=90)
    assert fires_at(bench, group, 92) == 90 + 15


def test_an_alert_that_had_ended_is_not_restored(bench: Bench) -> None:
    before = bench.group(_RULE % "15m")
    for minute, value in ((0, 1.0), (1, 1.0), (2, 0.0)):
        bench.put(minute, m=value)
        before.evaluate(at(minute))
    after = bench.group(_RULE % "15m")
    hold_back(after)
    for minute in (10, 11):
        bench.put(minute, m=1.0)
        after.evaluate(at(minute))
    restore(after, at(11), bench.db)
    assert fires_at(bench, after, 12) == 10 + 15


@pytest.mark.parametrize("name", ["ALERTS", "ALERTS_FOR_STATE"])
def test_no_series_are_written_before_the_restoration(bench: Bench, name: str) -> None:
    group = bench.group(_RULE % "15m")
    hold_back(group)
    bench.put(0, m=1.0)
    group.evaluate(at(0))
    assert bench.samples(name, 0) == {}
    restore(group, at(0), bench.db)
    bench.put(1, m=1.0)
    group.evaluate(at(1))
    assert len(bench.samples(name, 1)) == 1
