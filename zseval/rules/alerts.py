"""AlertBook: the alerts of one alerting rule, kept from evaluation to evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from zseval.errors import ZsevalError
from zseval.model.alert import Alert
from zseval.model.labels import METRIC_NAME, Labels
from zseval.rules.rule import AlertingRule
from zseval.rules.state import ActiveAlert, AlertState, advance, needs_sending, sent, shifted

__all__ = ["AlertBook", "Expand", "RuleError"]

Expand = Callable[[str, Labels, float], str]
"""A template, the labels and the value of a result, to text. Never raises: an error becomes the text."""

Samples = list[tuple[Labels, float]]


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
        self._alerts: dict[Labels, ActiveAlert] = {}

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

    def evaluate(self, results: Samples, now_ms: int, limit: int, expand: Expand) -> None:
        """Go on by one evaluation.

        Raises RuleError where two results become the same alert (nothing changes then), or where there are
        more than `limit` alerts (all are then forgotten, as upstream does).
        """
        found = self._found(results, now_ms, expand)
        hold, keep = self.rule.hold_ms, self.rule.keep_firing_ms
        after: dict[Labels, ActiveAlert] = {}
        for labels in dict.fromkeys((*self._alerts, *found)):
            alert = advance(self._alerts.get(labels), found.get(labels), now_ms, hold, keep)
            if alert is not None:
                after[labels] = alert
        self._alerts = after
        count = len(self.active)
        if 0 < limit < count:
            self._alerts = {}
            raise RuleError(f"exceeded limit of {limit} with {count} alerts")

    def _found(self, results: Samples, now_ms: int, expand: Expand) -> dict[Labels, ActiveAlert]:
        found: dict[Labels, ActiveAlert] = {}
        for metric, value in results:
            labels = self._labels(metric, value, expand)
            if labels in found:
                raise RuleError("vector contains metrics with the same labelset after applying alert labels")
            annotations = Labels({name: expand(text, metric, value) for name, text in self.rule.annotations})
            found[labels] = ActiveAlert(labels, annotations, value, AlertState.PENDING, now_ms)
        return found

    def _labels(self, metric: Labels, value: float, expand: Expand) -> Labels:
        labels = dict(metric.without(METRIC_NAME).pairs)
        for name, text in self._templates:
            labels[name] = expand(text, metric, value) if text else ""
        labels["alertname"] = self.rule.name
        return Labels(labels)

    def samples(self) -> Samples:
        """`ALERTS` and `ALERTS_FOR_STATE` of every active alert."""
        out: Samples = []
        for alert in self.active if self.is_restored else ():
            out.append((alert.labels.merged({METRIC_NAME: "ALERTS", "alertstate": alert.state.value}), 1.0))
            since = float(alert.active_at_ms // 1000)
            out.append((alert.labels.merged({METRIC_NAME: "ALERTS_FOR_STATE"}), since))
        return out

    def due(self, now_ms: int, interval_ms: int, resend_delay_ms: int, generator_url: str) -> list[Alert]:
        """The alerts receivers are to be told of now; counts them as told."""
        out = []
        for labels, alert in self._alerts.items():
            if needs_sending(alert, now_ms, resend_delay_ms):
                told = sent(alert, now_ms, interval_ms, resend_delay_ms)
                self._alerts[labels] = told
                out.append(_notice(told, generator_url))
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

    def known(self) -> dict[Labels, ActiveAlert]:
        """Every alert by its labels, resolved ones too."""
        return dict(self._alerts)


def _notice(alert: ActiveAlert, generator_url: str) -> Alert:
    ends_at_ms = alert.resolved_at_ms or alert.valid_until_ms
    return Alert(alert.labels, alert.annotations, alert.fired_at_ms, ends_at_ms, generator_url)
