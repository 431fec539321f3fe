"""A stand-in for an Alertmanager on loopback, and a clock whose pauses are short."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from zseval.clock import SystemClock


class Receiver:
    """statuses: what to answer next, then 200.  batches: what was taken, by alert name and end.

    open: while it is cleared, requests wait.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.refused: list[list[dict[str, Any]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        await self.open.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        (self.batches if status == 200 else self.refused).append(body)
        return web.Response(status=status, text="as told")

    @property
    def names(self) -> list[str]:
        return [alert["labels"]["alertname"] for batch in self.batches for alert in batch]


class HurriedClock(SystemClock):
    """Sleeps a hundredth of what it is asked for, and remembers that."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(seconds / 100)


@pytest.fixture
def clock() -> HurriedClock:
    return HurriedClock()


async def _serve() -> tuple[web.AppRunner, Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/api/v2/alerts", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"{host}:{port}"
    return runner, receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    runner, made = await _serve()
    yield made
    made.open.set()
    await runner.cleanup()


@pytest.fixture
async def second() -> AsyncIterator[Receiver]:
    runner, made = await _serve()
    yield made
    made.open.set()
    await runner.cleanup()
