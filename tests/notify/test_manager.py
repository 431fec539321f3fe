"""Delivery: every Alertmanager on its own, retries, what is counted, callbacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.notify.conftest import HurriedClock, Receiver
from zseval.metrics import Registry
from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.notify.config import AlertingConfig, AlertmanagerConfig
from zseval.notify.manager import NotifierManager


def alerts(*names: str, ends_at_ms: int = 0) -> list[Alert]:
    return [Alert(Labels({"alertname": name}), Labels(), 1000, ends_at_ms) for name in names]


def entry(
    *addresses: str, timeout_ms: int = 2000, alert_relabel: Sequence[RelabelRule] = ()
) -> AlertmanagerConfig:
    targets = tuple(Labels({"__address__": address}) for address in addresses)
    return AlertmanagerConfig(targets=targets, timeout_ms=timeout_ms, alert_relabel=tuple(alert_relabel))


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def manager(clock: HurriedClock, registry: Registry) -> AsyncIterator[NotifierManager]:
    made = NotifierManager(clock, registry=registry)
    yield made
    await made.stop(drain_s=0.1)


def count(registry: Registry, name: str, url: str) -> float:
    readings = {reading.name: reading for reading in registry.collect()}
    samples = {dict(labels).get("alertmanager", ""): value for labels, value in readings[name].samples}
    return samples[url]


async def test_every_alertmanager_gets_every_alert(
    manager: NotifierManager, receiver: Receiver, second: Receiver, registry: Registry
) -> None:
    await manager.apply(AlertingConfig((entry(receiver.url, second.url),)))
    manager.send(alerts("A", "B"))
    await until(lambda: receiver.names == second.names == ["A", "B"])
    url = f"http://{receiver.url}/api/v2/alerts"
    await until(lambda: count(registry, "prometheus_notifications_sent_total", url) == 2)
    assert manager.active == (url, f"http://{second.url}/api/v2/alerts")


async def test_one_that_hangs_holds_up_nobody_else(
    manager: NotifierManager, receiver: Receiver, second: Receiver
) -> None:
    receiver.open.clear()
    await manager.apply(AlertingConfig((entry(receiver.url, second.url),)))
    manager.send(alerts("A"))
    manager.send(alerts("B"))
    await until(lambda: second.names == ["A", "B"])
    assert receiver.names == []


async def test_an_outage_loses_nothing_and_only_the_last_state_is_told(
    manager: NotifierManager, receiver: Receiver, clock: HurriedClock, registry: Registry
) -> None:
    receiver.statuses = [503, 500, 429]
    await manager.apply(AlertingConfig((entry(receiver.url),)))
    manager.send(alerts("A"))
    await until(lambda: len(receiver.refused) == 1)
    manager.send(alerts("A", ends_at_ms=5000))
    await until(lambda: len(receiver.batches) == 1)
    assert [alert["endsAt"] for alert in receiver.batches[0]] == ["1970-01-01T00:00:05.000Z"]
    assert clock.pauses == [1.0, 2.0, 4.0]
    url = f"http://{receiver.url}/api/v2/alerts"
    assert count(registry, "prometheus_notifications_errors_total", url) == 3
    assert count(registry, "prometheus_notifications_dropped_total", url) == 0


async def test_what_an_alertmanager_calls_wrong_is_dropped_and_does_not_block_the_rest(
    manager: NotifierManager, receiver: Receiver, registry: Registry
) -> None:
    receiver.statuses = [400]
    await manager.apply(AlertingConfig((entry(receiver.url),)))
    manager.send(alerts("bad"))
    await until(lambda: len(receiver.refused) == 1)
    manager.send(alerts("good"))
    await until(lambda: receiver.names == ["good"])
    url = f"http://{receiver.url}/api/v2/alerts"
    assert count(registry, "prometheus_notifications_dropped_total", url) == 1


async def test_no_request_carries_more_than_256_alerts(manager: NotifierManager, receiver: Receiver) -> None:
    await manager.apply(AlertingConfig((entry(receiver.url),)))
    manager.send(alerts(*(f"a{number}" for number in range(600))))
    await until(lambda: len(receiver.names) == 600)
    assert [len(batch) for batch in receiver.batches] == [256, 256, 88]


async def test_a_full_queue_drops_the_oldest_and_counts_them(
    clock: HurriedClock, registry: Registry, receiver: Receiver
) -> None:
    manager = NotifierManager(clock, registry=registry, capacity=3)
    receiver.open.clear()
    await manager.apply(AlertingConfig((entry(receiver.url, timeout_ms=60_000),)))
    url = f"http://{receiver.url}/api/v2/alerts"
    manager.send(alerts("first"))
    await until(lambda: count(registry, "prometheus_notifications_queue_length", url) == 0)
    manager.send(alerts("b", "c", "d", "e", "f"))
    assert count(registry, "prometheus_notifications_dropped_total", url) == 2
    assert count(registry, "prometheus_notifications_queue_length", url) == 3
    receiver.open.set()
    await until(lambda: receiver.names == ["first", "d", "e", "f"])
    await manager.stop()


async def test_stopping_sends_what_waits(clock: HurriedClock, receiver: Receiver) -> None:
    manager = NotifierManager(clock)
    await manager.apply(AlertingConfig((entry(receiver.url),)))
    manager.send(alerts("A"))
    await manager.stop()
    assert receiver.names == ["A"]


async def test_stopping_does_not_wait_for_one_that_is_down(clock: HurriedClock) -> None:
    manager = NotifierManager(clock)
    await manager.apply(AlertingConfig((entry("127.0.0.1:1"),)))
    manager.send(alerts("A"))
    started = time.monotonic()
    await manager.stop(drain_s=60.0)
    assert time.monotonic() - started < 30


async def test_external_labels_are_added_where_the_alert_has_none(
    manager: NotifierManager, receiver: Receiver
) -> None:
    await manager.apply(AlertingConfig((entry(receiver.url),)), Labels({"region": "eu", "alertname": "no"}))
    manager.send(alerts("A"))
    await until(lambda: len(receiver.batches) == 1)
    assert receiver.batches[0][0]["labels"] == {"alertname": "A", "region": "eu"}


async def test_alerts_are_relabelled_for_all_and_then_for_each(
    manager: NotifierManager, receiver: Receiver, second: Receiver
) -> None:
    everywhere = RelabelRule(source_labels=("alertname",), regex="noise", action="drop")
    tier = RelabelRule(target_label="tier", replacement="one")
    config = AlertingConfig(
        (entry(receiver.url, alert_relabel=[tier]), entry(second.url)), alert_relabel=(everywhere,)
    )
    await manager.apply(config)
    manager.send(alerts("noise", "A"))
    await until(lambda: receiver.names == second.names == ["A"])
    assert receiver.batches[0][0]["labels"] == {"alertname": "A", "tier": "one"}
    assert second.batches[0][0]["labels"] == {"alertname": "A"}


async def test_a_new_configuration_starts_and_ends_deliveries_and_keeps_the_rest(
    manager: NotifierManager, receiver: Receiver, second: Receiver
) -> None:
    await manager.apply(AlertingConfig((entry(receiver.url),)))
    manager.send(alerts("A"))
    await until(lambda: receiver.names == ["A"])
    await manager.apply(AlertingConfig((entry(receiver.url), entry(second.url))))
    manager.send(alerts("B"))
    await until(lambda: receiver.names == ["A", "B"] and second.names == ["B"])
    await manager.apply(AlertingConfig((entry(second.url),)))
    manager.send(alerts("C"))
    await until(lambda: second.names == ["B", "C"])
    assert receiver.names == ["A", "B"]


async def test_dropped_alertmanagers_are_listed(manager: NotifierManager) -> None:
    drop = RelabelRule(source_labels=("__address__",), regex=".*", action="drop")
    config = AlertmanagerConfig(targets=(Labels({"__address__": "am:9093"}),), relabel=(drop,))
    await manager.apply(AlertingConfig((config,)))
    assert manager.active == ()
    assert manager.dropped == ("http://am:9093/api/v2/alerts",)


async def test_callbacks_hear_of_alerts_without_any_alertmanager_and_may_fail(
    clock: HurriedClock, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def broken(_alerts: Sequence[Alert]) -> None:
        raise RuntimeError("not my day")

    manager = NotifierManager(
        clock, callbacks=[broken, lambda given: heard.extend(alert.name for alert in given)]
    )
    manager.send(alerts("A", "B"))
    assert heard == ["A", "B"]
    assert "not my day" in caplog.text
    await manager.stop()
