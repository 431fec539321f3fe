"""A clock that the test moves, and threads that are none, so that nothing depends on the machine's pace."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from zseval.node import rule_loops

START_MS = 1_700_000_000_000


class FakeClock:
    """Time that passes when `advance` says so; `step_ms` sets the wall clock alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step_ms = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def wall_ms(self) -> int:
        return START_MS + self.step_ms + round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
                await settle()
        self.now = end


async def settle() -> None:
    """Let the loop do all it can without time passing."""
    for _ in range(25):
        await asyncio.sleep(0)


class InlineExecutor(ThreadPoolExecutor):
    """Does at once, in the caller's thread, what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the future's
            done.set_exception(error)
        return done


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations, scrapes of in-process sources and reading of files happen in the test's own thread."""
    monkeypatch.setattr(rule_loops, "ThreadPoolExecutor", InlineExecutor)
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
