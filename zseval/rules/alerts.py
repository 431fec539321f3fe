"""AlertBook: the alerts of one alerting rule, kept from evaluation to evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from zseval.errors import ZsevalError
from zseval.model.alert import Alert
from zseval.model.arrays import Values
from zseval.model.labels import METRIC_NAME, Labels
from zseval.rules.rule import AlertingRule
from zseval.rules.state import ActiveAlert, AlertState, advance, needs_sending, sent, shifted
from zseval.rules.texts import AlertTexts, Expand

__all__ = ["AlertBook", "RuleError"]

_Shown = tuple[Labels, AlertState]

_NO_VALUES = np.zeros(0, dtype=np.float64)


class RuleError(ZsevalError):
    """Why a rule's evaluation came to nothing."""


class AlertBook:
    """One rule's alerts by their labels; resolved ones for 15 minutes more.

    labels: templates of the labels that every alert gets, its group's and its own.
    is_restored: False while the alerts of an earlier process are still to be read from the store (see
    restore.py); until then no series are written, which would hide what is there.
    One thread may change it while others look: what they see is whole, of before or after.
    """

    def __init__(self, rule: AlertingRule, labels: Mapping[str, str]) -> None:
        self.rule = rule
        self.is_restored = True
        self._templates = tuple(sorted(labels.items()))
        self._texts = AlertTexts(rule.name, labels, rule.annotations)
        self._alerts: dict[Labels, ActiveAlert] = {}
        self._series: dict[_Shown, tuple[Labels, Labels]] = {}  # of the last samples, with their states
        self._written: tuple[Labels, ...] = ()  # all of these

    @property
    def active(self) -> list[ActiveAlert]:
        """Pending and firing alerts."""
        return [alert for alert in self._alerts.values() if alert.state is not AlertState.INACTIVE]

    @property
    def state(self) -> AlertState:
        """The rule's state: that of its most advanced alert."""
        states = {alert.state for alert in self._alerts.values()}
        for state in (AlertState.FIRING, AlertState.PENDING):
            if state in states:
                return state
        return AlertState.INACTIVE

    def evaluate(
        self, metrics: Sequence[Labels], values: Sequence[float], now_ms: int, limit: int, expand: Expand
    ) -> None:
        """Go on by one evaluation, whose results are given by labels and value.

        Raises RuleError where two results become the same alert (nothing changes then), or where there are
        more than `limit` alerts (all are then forgotten, as upstream does).
        """
        if not metrics and not self._alerts:
            return  # as nearly always
        found = self._found(metrics, values, now_ms, expand)
        hold, keep = self.rule.hold_ms, self.rule.keep_firing_ms
        after: dict[Labels, ActiveAlert] = {}
        for labels, known in self._alerts.items():
            alert = advance(known, found.pop(labels, None), now_ms, hold, keep)
            if alert is not None:
                after[labels] = alert
        for labels, new in found.items():
            alert = advance(None, new, now_ms, hold, keep)
            if alert is not None:
                after[labels] = alert
        self._alerts = after
        count = len(self.active) if limit > 0 else 0
        if 0 < limit < count:
            self._alerts = {}
            raise RuleError(f"exceeded limit of {limit} with {count} alerts")

    def _found(
        self, metrics: Sequence[Labels], values: Sequence[float], now_ms: int, expand: Expand
    ) -> dict[Labels, ActiveAlert]:
        found: dict[Labels, ActiveAlert] = {}
        for value, texts in zip(values, self._texts.of(metrics, values, expand), strict=True):
            labels, annotations = texts
            if labels in found:
                raise RuleError("vector contains metrics with the same labelset after applying alert labels")
            found[labels] = ActiveAlert(labels, annotations, value, AlertState.PENDING, now_ms)
        return found

    def samples(self) -> tuple[tuple[Labels, ...], Values]:
        """`ALERTS` and `ALERTS_FOR_STATE` of every active alert: their labels, and float64[S].

        The same tuple as before where the alerts and their states are the same.
        """
        if not self._alerts and not self._series:
            return (), _NO_VALUES  # as nearly always
        active = self.active if self.is_restored else []
        shown = [(alert.labels, alert.state) for alert in active]
        if shown != list(self._series):
            known = self._series
            self._series = {each: known.get(each) or _series(*each) for each in shown}
            self._written = tuple(chain.from_iterable(self._series.values()))
        values = np.empty(2 * len(active))
        values[::2] = 1.0
        values[1::2] = [alert.active_at_ms // 1000 for alert in active]
        return self._written, values

    def due(
        self, now_ms: int, interval_ms: int, resend_delay_ms: int, generator_url: Callable[[], str]
    ) -> list[Alert]:
        """The alerts receivers are to be told of now; counts them as told."""
        if not self._alerts:
            return []
        due = [alert for alert in self._alerts.values() if needs_sending(alert, now_ms, resend_delay_ms)]
        url = generator_url() if due else ""
        out = []
        for alert in due:
            told = sent(alert, now_ms, interval_ms, resend_delay_ms)
            self._alerts[alert.labels] = told
            out.append(_notice(told, url))
        return out

    def resolve_all(self, now_ms: int, generator_url: str) -> list[Alert]:
        """Notices that every firing alert is over, as when the rule is gone; forgets them."""
        firing = [alert for alert in self._alerts.values() if alert.state is AlertState.FIRING]
        self._alerts = {}
        return [
            Alert(alert.labels, alert.annotations, alert.fired_at_ms, now_ms, generator_url)
            for alert in firing
        ]

    def take_over(self, older: AlertBook) -> None:
        """Go on with the alerts of the same rule in an earlier configuration."""
        self._alerts = dict(older._alerts)
        self.is_restored = older.is_restored

    @property
    def fixed_labels(self) -> dict[str, str]:
        """The labels every alert of the rule has, whatever the templates of the others give."""
        fixed = {name: text for name, text in self._templates if text and "{{" not in text}
        return {**fixed, "alertname": self.rule.name}

    def begin_at(self, labels: Labels, active_at_ms: int) -> None:
        """Change since when an alert's condition holds; the next evaluation settles its state."""
        self._alerts[labels] = replace(self._alerts[labels], active_at_ms=active_at_ms)

    def shift(self, delta_ms: int) -> None:
        """Move all times, as when the clock was set."""
        self._alerts = {labels: shifted(alert, delta_ms) for labels, alert in self._alerts.items()}

    def known(self) -> Mapping[Labels, ActiveAlert]:
        """Every alert by its labels, resolved ones too. Not a copy: an evaluation makes another."""
        return self._alerts


def _series(labels: Labels, state: AlertState) -> tuple[Labels, Labels]:
    """An alert's `ALERTS` and `ALERTS_FOR_STATE`."""
    return (
        labels.merged({METRIC_NAME: "ALERTS", "alertstate": state.value}),
        labels.merged({METRIC_NAME: "ALERTS_FOR_STATE"}),
    )


def _notice(alert: ActiveAlert, generator_url: str) -> Alert:
    ends_at_ms = alert.resolved_at_ms or alert.valid_until_ms
    return Alert(alert.labels, alert.annotations, alert.fired_at_ms, ends_at_ms, generator_url)
