"""The life of one alert: inactive → pending → firing → resolved, at one evaluation after another.

Pure functions of an alert, what the evaluation found, and its time. Times are int64 ms, 0 for "never".
Source: rules/alerting.go upstream; prometheus/compliance alert_generator/specification.md.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from zseval.model.labels import Labels

__all__ = [
    "RESOLVED_RETENTION_MS",
    "ActiveAlert",
    "AlertState",
    "advance",
    "needs_sending",
    "sent",
    "shifted",
]

RESOLVED_RETENTION_MS = 15 * 60_000
"""How long a resolved alert is still told about: its receivers may have been away."""


class AlertState(enum.StrEnum):
    """An alert that was firing and no longer holds is inactive, and is told as resolved."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """active_at_ms: since when the condition holds.  fired_at_ms: when `for` had passed.

    keep_firing_since_ms: since when only keep_firing_for holds it up.
    valid_until_ms: what the last notice said of its end.
    """

    labels: Labels
    annotations: Labels
    value: float
    state: AlertState
    active_at_ms: int
    fired_at_ms: int = 0
    resolved_at_ms: int = 0
    keep_firing_since_ms: int = 0
    last_sent_at_ms: int = 0
    valid_until_ms: int = 0


def advance(
    known: ActiveAlert | None, found: ActiveAlert | None, now_ms: int, hold_ms: int, keep_firing_ms: int
) -> ActiveAlert | None:
    """The alert after an evaluation at now_ms; None once there is nothing more to say of it.

    found: a pending alert made of what the expression returned, or None where it returned nothing.
    """
    if found is not None:
        return _holding(known, found, now_ms, hold_ms)
    assert known is not None
    return _not_holding(known, now_ms, hold_ms, keep_firing_ms)


def _holding(known: ActiveAlert | None, found: ActiveAlert, now_ms: int, hold_ms: int) -> ActiveAlert:
    if known is None or known.state is AlertState.INACTIVE:
        return _held(found, now_ms, hold_ms)
    # Not by `replace`, which takes four times as long: every alert comes through here at every evaluation.
    alert = ActiveAlert(
        known.labels,
        found.annotations,
        found.value,
        known.state,
        known.active_at_ms,
        known.fired_at_ms,
        known.resolved_at_ms,
        0,
        known.last_sent_at_ms,
        known.valid_until_ms,
    )
    return _held(alert, now_ms, hold_ms)


def _held(alert: ActiveAlert, now_ms: int, hold_ms: int) -> ActiveAlert:
    """Pending or firing, by how long the alert is active already."""
    is_due = now_ms - alert.active_at_ms >= hold_ms
    if alert.state is AlertState.PENDING and is_due:
        return replace(alert, state=AlertState.FIRING, fired_at_ms=now_ms)
    if alert.state is AlertState.FIRING and not is_due:  # a reload made `for` longer
        return replace(
            alert, state=AlertState.PENDING, fired_at_ms=0, last_sent_at_ms=0, keep_firing_since_ms=0
        )
    return alert


def _not_holding(known: ActiveAlert, now_ms: int, hold_ms: int, keep_firing_ms: int) -> ActiveAlert | None:
    match known.state:
        case AlertState.PENDING:
            return None
        case AlertState.INACTIVE:
            over = now_ms - known.resolved_at_ms > RESOLVED_RETENTION_MS
            return None if over else known
        case AlertState.FIRING:
            since = known.keep_firing_since_ms or now_ms
            if keep_firing_ms > 0 and now_ms - since < keep_firing_ms:
                return _held(replace(known, keep_firing_since_ms=since), now_ms, hold_ms)
            return replace(known, state=AlertState.INACTIVE, resolved_at_ms=now_ms)


def needs_sending(alert: ActiveAlert, now_ms: int, resend_delay_ms: int) -> bool:
    """Whether receivers are to be told at now_ms: of news at once, else every resend delay."""
    if alert.state is AlertState.PENDING:
        return False
    if not alert.last_sent_at_ms or alert.resolved_at_ms > alert.last_sent_at_ms:
        return True
    return alert.last_sent_at_ms + resend_delay_ms < now_ms


def sent(alert: ActiveAlert, now_ms: int, interval_ms: int, resend_delay_ms: int) -> ActiveAlert:
    """The alert once told: unless it is told again in time, receivers take it for resolved by themselves."""
    patience_ms = 4 * max(interval_ms, resend_delay_ms)
    return replace(alert, last_sent_at_ms=now_ms, valid_until_ms=now_ms + patience_ms)


def shifted(alert: ActiveAlert, delta_ms: int) -> ActiveAlert:
    """The alert as if all that happened to it had happened so much later, as when the clock was set."""

    def moved(time_ms: int) -> int:
        return time_ms + delta_ms if time_ms else 0

    return replace(
        alert,
        active_at_ms=moved(alert.active_at_ms),
        fired_at_ms=moved(alert.fired_at_ms),
        resolved_at_ms=moved(alert.resolved_at_ms),
        keep_firing_since_ms=moved(alert.keep_firing_since_ms),
        last_sent_at_ms=moved(alert.last_sent_at_ms),
        valid_until_ms=moved(alert.valid_until_ms),
    )
