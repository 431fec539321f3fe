"""What waits for an Alertmanager through a new configuration, a clock that is set, and faults of our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

import zseval.notify.sender as sender_module
from tests.notify.conftest import HurriedClock, Receiver
from tests.peers import free_port
from zseval.metrics import Registry
from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.notify.config import AlertingConfig, AlertmanagerConfig
from zseval.notify.manager import NotifierManager
from zseval.notify.queue import AlertQueue


def alert(name: str, starts_at_ms: int = 1_000, ends_at_ms: int = 0) -> Alert:
    return Alert(Labels({"alertname": name}), Labels(), starts_at_ms, ends_at_ms)


def config(*addresses: str, timeout_ms: int = 2_000) -> AlertingConfig:
    targets = tuple(Labels({"__address__": address}) for address in addresses)
    return AlertingConfig((AlertmanagerConfig(targets=targets, timeout_ms=timeout_ms),))


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


async def test_what_waits_is_kept_when_a_configuration_reaches_the_same_alertmanager_otherwise(
    manager: NotifierManager, receiver: Receiver, second: Receiver
) -> None:
    receiver.statuses = [500] * 3
    await manager.apply(config(receiver.url))
    manager.send([alert("A")])
    await until(lambda: len(receiver.refused) >= 1)
    await manager.apply(config(receiver.url, second.url, timeout_ms=1_000))
    await until(lambda: receiver.names == ["A"])
    assert second.names == []


async def test_what_waits_for_one_that_is_gone_is_said_to_be_lost(
    manager: NotifierManager, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.apply(config(f"127.0.0.1:{free_port()}"))
    manager.send([alert("A")])
    await manager.apply(config(receiver.url))
    assert "1 alerts were not delivered" in caplog.text
    assert len(manager.active) == 1


async def test_alerts_that_cannot_even_be_written_do_not_end_delivery(
    manager: NotifierManager, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_alerts: object) -> bytes:
        raise RuntimeError("not today")

    await manager.apply(config(receiver.url))
    with monkeypatch.context() as patch:
        patch.setattr(sender_module, "payload", broken)
        manager.send([alert("A")])
        await asyncio.sleep(0.05)
    manager.send([alert("B")])
    await until(lambda: receiver.names == ["B"])


def test_alerts_that_wait_move_with_the_clock() -> None:
    queue = AlertQueue()
    queue.put([alert("A", 1_000, 5_000), alert("B", 2_000)])
    queue.shift(3_600_000)
    assert queue.take(2) == [alert("A", 3_601_000, 3_605_000), alert("B", 3_602_000)]


async def test_an_alert_that_waits_through_a_step_of_the_clock_is_not_over_when_it_arrives(
    manager: NotifierManager, receiver: Receiver
) -> None:
    receiver.statuses = [503]
    await manager.apply(config(receiver.url))
    manager.send([alert("A", 1_000, 241_000)])
    await until(lambda: len(receiver.refused) == 1)
    manager.shift(3_600_000)
    await until(lambda: receiver.names == ["A"])
    assert receiver.batches[0][0]["endsAt"] == "1970-01-01T01:04:01.000Z"
