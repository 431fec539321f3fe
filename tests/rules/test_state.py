"""The life of one alert: its laws, then upstream's rules one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.rules.state import (
    RESOLVED_RETENTION_MS,
    ActiveAlert,
    AlertState,
    advance,
    needs_sending,
    sent,
    shifted,
)

MINUTE = 60_000
LABELS = Labels({"alertname": "A"})


def found(now_ms: int, value: float = 1.0) -> ActiveAlert:
    return ActiveAlert(LABELS, Labels({"v": str(value)}), value, AlertState.PENDING, now_ms)


def life(
    seen: list[bool], hold_ms: int = 0, keep_ms: int = 0, start_ms: int = 0, step_ms: int = MINUTE
) -> list[ActiveAlert | None]:
    """The alert after each evaluation, `step_ms` apart, given whether the expression returned it."""
    alert: ActiveAlert | None = None
    out: list[ActiveAlert | None] = []
    for index, here in enumerate(seen):
        now_ms = start_ms + index * step_ms
        if here or alert is not None:
            alert = advance(alert, found(now_ms) if here else None, now_ms, hold_ms, keep_ms)
        out.append(alert)
    return out


def states(alerts: list[ActiveAlert | None]) -> str:
    """One letter an evaluation: - for none, p, f, and r for resolved."""
    letters = {AlertState.PENDING: "p", AlertState.FIRING: "f", AlertState.INACTIVE: "r"}
    return "".join("-" if alert is None else letters[alert.state] for alert in alerts)


def pattern(text: str) -> list[bool]:
    return [char == "x" for char in text]


@pytest.mark.parametrize(
    ("seen", "hold", "keep", "wanted"),
    [
        ("xx..", 0, 0, "ffrr"),
        ("xxxx.", 2, 0, "ppffr"),
        ("xx.xxx", 2, 0, "pp-ppf"),
        (".xxx", 3, 0, "-ppp"),
        ("xx....", 0, 2, "ffffrr"),
        ("xx..x....", 0, 3, "ffffffffr"),
        ("xxx.x", 2, 1, "ppffr"[:3] + "ff"),
        ("x." + "." * 15 + ".", 0, 0, "f" + "r" * 16 + "-"),
        ("x.x", 0, 0, "frf"),
        ("x.x", 1, 0, "p-p"),
    ],
)
def test_states_follow_the_expression(seen: str, hold: int, keep: int, wanted: str) -> None:
    assert states(life(pattern(seen), hold * MINUTE, keep * MINUTE)) == wanted


SEEN = st.lists(st.booleans(), max_size=40)
HOLD = st.integers(0, 8).map(lambda minutes: minutes * MINUTE)


@settings(max_examples=200, deadline=None)
@given(SEEN, HOLD)
def test_an_alert_fires_only_after_it_held_without_a_gap(seen: list[bool], hold_ms: int) -> None:
    alerts = life(seen, hold_ms)
    for index, alert in enumerate(alerts):
        if alert is not None and alert.state is AlertState.FIRING:
            needed = hold_ms // MINUTE + 1
            assert index + 1 >= needed
            assert all(seen[index + 1 - needed : index + 1])


@settings(max_examples=200, deadline=None)
@given(SEEN, HOLD)
def test_an_alert_that_holds_is_active_and_without_keeping_one_that_does_not_is_over(
    seen: list[bool], hold_ms: int
) -> None:
    for here, alert in zip(seen, life(seen, hold_ms), strict=True):
        is_active = alert is not None and alert.state is not AlertState.INACTIVE
        assert is_active is here


@settings(max_examples=200, deadline=None)
@given(SEEN, HOLD, HOLD, st.integers(1, 10**12))
def test_only_differences_of_times_matter(seen: list[bool], hold: int, keep: int, start_ms: int) -> None:
    early, late = life(seen, hold, keep, start_ms), life(seen, hold, keep, start_ms + 12_345)
    assert [alert and shifted(alert, 12_345) for alert in early] == late


@settings(max_examples=200, deadline=None)
@given(SEEN, HOLD, HOLD)
def test_keeping_an_alert_firing_never_makes_it_fire_earlier_nor_end_sooner(
    seen: list[bool], hold: int, keep: int
) -> None:
    plain, kept = states(life(seen, hold)), states(life(seen, hold, keep))
    assert all(with_keep == "f" for without, with_keep in zip(plain, kept, strict=True) if without == "f")


@settings(max_examples=200, deadline=None)
@given(SEEN, st.sampled_from([0, 30_000, 60_000, 90_000, 300_000]))
def test_every_end_is_told_at_once_and_for_fifteen_minutes(seen: list[bool], resend_ms: int) -> None:
    alert: ActiveAlert | None = None
    for index, here in enumerate(seen):
        now_ms = (index + 1) * MINUTE
        before = alert
        if here or before is not None:
            alert = advance(before, found(now_ms) if here else None, now_ms, 0, 0)
        if alert is None:
            assert before is None or now_ms - before.resolved_at_ms > RESOLVED_RETENTION_MS
            continue
        due = needs_sending(alert, now_ms, resend_ms)
        if before is None or before.state is not alert.state:
            assert due
        else:
            assert due is (now_ms - alert.last_sent_at_ms > resend_ms)
        if due:
            alert = sent(alert, now_ms, MINUTE, resend_ms)
            assert alert.valid_until_ms == now_ms + 4 * max(MINUTE, resend_ms)


def test_pending_alerts_are_nobodys_business() -> None:
    assert not needs_sending(found(MINUTE), 10**9, 0)


def test_value_and_annotations_are_the_latest_and_the_beginning_the_first() -> None:
    first = advance(None, found(MINUTE, 1.0), MINUTE, 5 * MINUTE, 0)
    second = advance(first, found(2 * MINUTE, 7.0), 2 * MINUTE, 5 * MINUTE, 0)
    assert second is not None
    assert (second.value, second.annotations.get("v"), second.active_at_ms) == (7.0, "7.0", MINUTE)


def test_a_longer_for_puts_a_firing_alert_back_to_pending() -> None:
    alert = life(pattern("xxx"), MINUTE, start_ms=MINUTE)[-1]
    assert alert is not None
    told = sent(alert, 4 * MINUTE, MINUTE, MINUTE)
    again = advance(told, found(4 * MINUTE), 4 * MINUTE, 10 * MINUTE, 0)
    assert again is not None
    assert (again.state, again.fired_at_ms, again.last_sent_at_ms) == (AlertState.PENDING, 0, 0)


def test_a_resolved_alert_that_comes_back_is_a_new_one() -> None:
    alerts = life(pattern("x.x"), start_ms=MINUTE)
    again = alerts[-1]
    assert again is not None
    assert (again.active_at_ms, again.fired_at_ms, again.resolved_at_ms) == (3 * MINUTE, 3 * MINUTE, 0)
