"""NotifierManager: alerts of all rule groups to all Alertmanagers, and to callbacks in the program."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from zseval.clock import Clock
from zseval.metrics import Registry
from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule, relabel
from zseval.notify.alertmanager import Endpoint, endpoints
from zseval.notify.config import AlertingConfig
from zseval.notify.sender import Counters, Sender

__all__ = ["NotifierManager"]

_log = logging.getLogger(__name__)
_NO_LABELS = Labels()


class NotifierManager:
    """All methods are for one event loop.

    callbacks: called with the alerts as they are sent, relabelled; an error in one is logged and keeps
    nobody else from being told.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        registry: Registry | None = None,
        callbacks: Sequence[Callable[[Sequence[Alert]], None]] = (),
        capacity: int = 10_000,
    ) -> None:
        self.callbacks = list(callbacks)
        self._clock = clock
        self._capacity = capacity
        self._config = AlertingConfig()
        self._external_labels = _NO_LABELS
        self._senders: dict[Endpoint, Sender] = {}
        self._dropped: tuple[str, ...] = ()
        used = registry or Registry()
        self._counters = Counters.of(used)
        used.gauge(
            "prometheus_notifications_queue_capacity", "The capacity of the alert notifications queue."
        ).set(float(capacity))
        used.watch(
            "prometheus_notifications_alertmanagers_discovered",
            "The number of alertmanagers discovered and active.",
            lambda: float(len(self._senders)),
        )

    async def apply(self, config: AlertingConfig, external_labels: Labels = _NO_LABELS) -> None:
        """Go over to a configuration. Alertmanagers that stay, by their URL, keep what waits for them."""
        self._config, self._external_labels = config, external_labels
        found = [endpoint for entry in config.alertmanagers for endpoint in endpoints(entry)]
        self._dropped = tuple(endpoint.url for endpoint in found if endpoint.dropped)
        wanted = {endpoint: None for endpoint in found if not endpoint.dropped}
        gone = [self._senders.pop(endpoint) for endpoint in list(self._senders) if endpoint not in wanted]
        waiting: dict[str, list[Alert]] = {}
        staying = {endpoint.url for endpoint in wanted}
        for sender in gone:
            await sender.halt()
            if sender.endpoint.url in staying:  # it only is another's now, or is reached in another way
                waiting.setdefault(sender.endpoint.url, []).extend(sender.queue.take(len(sender.queue)))
            await sender.stop()
        for endpoint in wanted:
            if endpoint not in self._senders:
                sender = self._senders[endpoint] = Sender(
                    endpoint, self._clock, self._counters, self._capacity
                )
                sender.send(waiting.pop(endpoint.url, ()))
                sender.start()

    async def stop(self, drain_s: float = 5.0) -> None:
        """End; what is waiting is sent first, as far as `drain_s` seconds reach."""
        senders = list(self._senders.values())
        self._senders.clear()
        await asyncio.gather(*(sender.stop(drain_s) for sender in senders))

    def send(self, alerts: Sequence[Alert]) -> None:
        """Relabel and queue; returns at once."""
        named = [replace(alert, labels=self._with_external(alert.labels)) for alert in alerts]
        kept = _relabelled(named, self._config.alert_relabel)
        if not kept:
            return
        for endpoint, sender in self._senders.items():
            sender.send(_relabelled(kept, endpoint.config.alert_relabel))
        for callback in self.callbacks:
            try:
                callback(kept)
            except Exception:  # noqa: BLE001 - somebody else's code; its errors must not stop delivery
                _log.exception("an alert callback failed")

    def shift(self, delta_ms: int) -> None:
        """Move the times of the alerts that wait, as when the clock was set."""
        for sender in self._senders.values():
            sender.queue.shift(delta_ms)

    @property
    def active(self) -> tuple[str, ...]:
        """URLs alerts are sent to."""
        return tuple(endpoint.url for endpoint in self._senders)

    @property
    def dropped(self) -> tuple[str, ...]:
        """URLs of the Alertmanagers that relabelling dropped."""
        return self._dropped

    def _with_external(self, labels: Labels) -> Labels:
        return self._external_labels.merged(labels) if self._external_labels else labels


def _relabelled(alerts: Sequence[Alert], rules: Sequence[RelabelRule]) -> list[Alert]:
    """The alerts after relabelling; those it drops are gone."""
    if not rules:
        return list(alerts)
    changed = ((alert, relabel(alert.labels, rules)) for alert in alerts)
    return [replace(alert, labels=labels) for alert, labels in changed if labels is not None]
