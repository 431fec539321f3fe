"""Sender: the loop that tells one Alertmanager, for as long as it takes.

Each has a queue and a loop of its own, so that one that is down holds up nobody else. What cannot be
delivered is tried again, with growing pauses; only what the Alertmanager refuses as wrong is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zseval.clock import Clock
from zseval.errors import ConfigError
from zseval.metrics import Metric, Registry
from zseval.model.alert import Alert
from zseval.notify.alertmanager import Endpoint, payload
from zseval.notify.queue import AlertQueue
from zseval.transport.client import HttpClient, TransportError

__all__ = ["Counters", "Sender"]

_BATCH = 256
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_HEADERS = {"Content-Type": "application/json"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counters:
    """What all senders count, under Prometheus' names."""

    sent: Metric
    errors: Metric
    dropped: Metric
    queue_length: Metric

    @classmethod
    def of(cls, registry: Registry) -> Counters:
        def counter(name: str, help_text: str) -> Metric:
            return registry.counter(f"prometheus_notifications_{name}_total", help_text, "alertmanager")

        return cls(
            counter("sent", "Total number of alerts sent."),
            counter("errors", "Total number of sent alerts affected by errors."),
            counter("dropped", "Total number of alerts dropped due to errors when sending to Alertmanager."),
            registry.gauge(
                "prometheus_notifications_queue_length",
                "The number of alert notifications in the queue.",
                "alertmanager",
            ),
        )

    def forget(self, url: str) -> None:
        """Show nothing more of an Alertmanager that nothing is sent to."""
        for metric in (self.sent, self.errors, self.dropped, self.queue_length):
            metric.forget(url)


class RefusedError(Exception):
    """The Alertmanager will not take these alerts, however often they are sent."""


class Sender:
    """Sends to one endpoint from `start` to `stop`, in the running event loop."""

    def __init__(self, endpoint: Endpoint, clock: Clock, counters: Counters, capacity: int = 10_000) -> None:
        self.endpoint = endpoint
        self.queue = AlertQueue(capacity)
        self._clock = clock
        self._counters = counters
        self._client = HttpClient(endpoint.config.http)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for metric in (counters.sent, counters.errors, counters.dropped):
            metric.inc(endpoint.url, by=0)
        self._note_length()

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"notify {self.endpoint.url}")

    async def halt(self) -> None:
        """Send nothing more; what waits stays in the queue."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def stop(self, drain_s: float = 0.0) -> None:
        """Send what is waiting, for at most `drain_s` seconds, and end."""
        await self.halt()
        try:
            async with asyncio.timeout(drain_s or None):
                while drain_s and self.queue and await self._send_batch():
                    pass
        except TimeoutError:
            pass
        if self.queue:
            _log.warning("%d alerts were not delivered to %s", len(self.queue), self.endpoint.url)
        self._counters.forget(self.endpoint.url)
        await self._client.close()

    def send(self, alerts: Iterable[Alert]) -> None:
        """Queue alerts; returns at once."""
        self._drop(self.queue.put(alerts), "the queue is full")
        self._note_length()
        self._wake.set()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.queue:
                if await self._send_batch():
                    pause = _FIRST_PAUSE_S
                    continue
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _send_batch(self) -> bool:
        """Whether the next batch is dealt with; if not, it is in the queue again."""
        batch = self.queue.take(_BATCH)
        self._note_length()
        try:
            await self._post(batch)
        except RefusedError as error:
            self._counters.errors.inc(self.endpoint.url, by=len(batch))
            self._drop(len(batch), str(error))
        except (TransportError, ConfigError, TimeoutError) as error:
            self._counters.errors.inc(self.endpoint.url, by=len(batch))
            _log.warning("alerts not delivered to %s, trying again: %s", self.endpoint.url, error)
            self._drop(self.queue.put_back(batch), "the queue is full")
            self._note_length()
            return False
        except asyncio.CancelledError:
            self.queue.put_back(batch)
            raise
        except Exception:  # noqa: BLE001 - whatever these alerts cause, the next are to be sent
            _log.exception("alerts for %s could not be sent", self.endpoint.url)
            self._counters.errors.inc(self.endpoint.url, by=len(batch))
            self._drop(len(batch), "sending failed unexpectedly")
        else:
            self._counters.sent.inc(self.endpoint.url, by=len(batch))
        return True

    async def _post(self, alerts: Sequence[Alert]) -> None:
        """Raises RefusedError for a 4xx answer; TransportError, TimeoutError or ConfigError (a file of
        credentials) for what may pass."""
        async with (
            asyncio.timeout(self.endpoint.config.timeout_ms / 1000),
            self._client.request(
                "POST", self.endpoint.url, headers=_HEADERS, data=payload(alerts)
            ) as response,
        ):
            if response.status // 100 == 2:
                return
            reason = f"bad response status {response.status} {response.reason}"
            if response.status // 100 == 4 and response.status not in (408, 429):
                text = (await response.content.read(500)).decode("utf-8", "replace").strip()
                raise RefusedError(f"{reason}: {text}")
            raise TransportError(reason)

    def _note_length(self) -> None:
        self._counters.queue_length.set(float(len(self.queue)), self.endpoint.url)

    def _drop(self, count: int, why: str) -> None:
        if count:
            _log.error("%d alerts for %s dropped: %s", count, self.endpoint.url, why)
            self._counters.dropped.inc(self.endpoint.url, by=count)
