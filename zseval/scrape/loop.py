"""ScrapeLoop: scrapes one target again and again, on the monotonic clock.

Samples are stamped with the time their tick should have had where that is at most 2 ms off, so that
timestamps are evenly spaced (and compress well). Source: prometheus scrape/scrape.go (scrapeLoop.run).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from zseval.clock import Clock, Moment
from zseval.errors import ScrapeError, ZsevalError
from zseval.scrape.fetch import Fetched
from zseval.scrape.ingest import Ingest, Outcome
from zseval.scrape.target import Health, Target

__all__ = ["Fetch", "ScrapeLoop", "TickTimes"]

_log = logging.getLogger(__name__)

_TOLERANCE_MS = 2
# Bodies above this size are parsed in a thread, so that the other targets' loops stay on time. What is new or
# broken is read by the grammar, which takes a hundred times as long as what is known.
_LARGE_BODY = 512 << 10
_LARGE_NEW_BODY = 16 << 10


class Fetch(Protocol):
    async def __call__(self, target: Target, /) -> Fetched: ...


class Observer(Protocol):
    """Told of every scrape; the manager counts."""

    def __call__(self, target: Target, outcome: Outcome, /) -> None: ...


class TickTimes:
    """The timestamps of a loop's ticks. anchor_ms: wall time of the first."""

    def __init__(self, anchor_ms: int, interval_ms: int) -> None:
        self._aligned = anchor_ms
        self._interval = interval_ms
        self._tolerance = min(interval_ms // 100, _TOLERANCE_MS)

    def at(self, now_ms: int) -> int:
        """The timestamp of a scrape that starts at `now_ms`."""
        behind = now_ms - self._aligned
        if behind >= self._interval:
            self._aligned += behind // self._interval * self._interval
        # A tick a little early belongs to the next aligned time, not to the one before.
        for aligned in (self._aligned, self._aligned + self._interval):
            if abs(now_ms - aligned) <= self._tolerance:
                self._aligned = aligned
                return aligned
        if not 0 <= now_ms - self._aligned <= self._interval // 10:
            self._aligned = now_ms  # the wall clock was set, or the machine stood still
        return now_ms


class ScrapeLoop:
    """One target's loop."""

    def __init__(
        self,
        target: Target,
        ingest: Ingest,
        fetch: Fetch,
        clock: Clock,
        seed: int,
        observe: Observer,
        lock: asyncio.Lock | None = None,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.target = target
        self.ingest = ingest
        self.forced_error: ZsevalError | None = None  # scrapes fail with it, without a request
        self._fetch = fetch
        self._clock = clock
        self._seed = seed
        self._observe = observe
        self.lock = lock or asyncio.Lock()
        """Held from the start of a scrape to its row: rows of one source come one after the other."""
        self._turn = turn or asyncio.Lock()  # shared by loops: one at a time reads a page of new series
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Scrape on every tick from now on."""
        self._task = asyncio.create_task(self._run(), name=f"scrape {self.target.url}")

    async def stop(self, *, at_once: bool) -> None:
        """No more ticks. A scrape that is on its way is ended too, or (not `at_once`) is let finish."""
        self._stopping = True
        if self._task is None:
            return
        if at_once or not self.lock.locked():
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        interval_s = self.target.interval_ms / 1000
        await self._clock.sleep(self.target.offset_ms(self._clock.wall_ms(), self._seed) / 1000)
        times = TickTimes(self._clock.wall_ms(), self.target.interval_ms)
        due = self._clock.monotonic()
        while True:
            await self.scrape(times.at(self._clock.wall_ms()))
            if self._stopping:
                return
            due += interval_s
            late = self._clock.monotonic() - due
            if late >= interval_s:  # ticks that were missed are not made up for
                due += late // interval_s * interval_s
            await self._clock.sleep(due - self._clock.monotonic())

    async def scrape(self, timestamp_ms: int) -> Outcome:
        """One scrape, whatever comes of it; nothing is raised but cancellation."""
        stamped = Moment.of(self._clock)
        async with self.lock:
            began = self._clock.monotonic()
            outcome = await self._scraped(timestamp_ms, stamped, began)
        timestamp_ms += stamped.moved_ms()
        status = self.target.status
        status.health = Health.DOWN if outcome.error is not None else Health.UP
        status.last_error = "" if outcome.error is None else str(outcome.error)
        status.last_scrape_ms = timestamp_ms
        status.last_duration_s = outcome.duration_s
        status.last_samples = outcome.scraped
        self._observe(self.target, outcome)
        return outcome

    async def _scraped(self, timestamp_ms: int, stamped: Moment, began: float) -> Outcome:
        """stamped: when timestamp_ms was; should the clock be set meanwhile, it moves along."""

        def elapsed() -> float:
            return self._clock.monotonic() - began

        try:
            if self.forced_error is not None:
                return self.ingest.fail(self.forced_error, timestamp_ms, elapsed)
            fetched = await self._fetch(self.target)
            # What a new series takes before it is stored is many times what it takes then, so pages of new
            # series are not read several at a time; it would not be faster either.
            is_new = self.target.status.health is not Health.UP and len(fetched.body) > _LARGE_NEW_BODY
            async with self._turn if is_new else contextlib.nullcontext():
                read = self.ingest.read_new if is_new else self.ingest.read
                if is_new or len(fetched.body) > _LARGE_BODY:
                    reading = await asyncio.to_thread(read, fetched.body, fetched.content_type)
                else:
                    reading = read(fetched.body, fetched.content_type)
                return self.ingest.store(reading, timestamp_ms + stamped.moved_ms(), elapsed)
        except ZsevalError as error:
            return self._failed(error, timestamp_ms + stamped.moved_ms(), began)
        except Exception as error:  # noqa: BLE001 - whatever one target causes ends with its scrape
            _log.exception("scrape of %s failed unexpectedly", self.target.url)
            failure = ScrapeError(f"{type(error).__name__}: {error}")
            return self._failed(failure, timestamp_ms + stamped.moved_ms(), began)

    def _failed(self, error: ZsevalError, timestamp_ms: int, began: float) -> Outcome:
        try:
            return self.ingest.fail(error, timestamp_ms, lambda: self._clock.monotonic() - began)
        except ZsevalError as second:
            _log.warning("appending scrape report of %s failed: %s", self.target.url, second)
            return Outcome(error, self._clock.monotonic() - began)

    async def finish(self) -> None:
        """After the target went away: mark its series stale, unless it is back by then.

        Prometheus waits for two intervals and a tenth, so that a target that only flickered keeps its series:
        the markers are then older than its latest samples and refused.
        """
        interval_s = self.target.interval_ms / 1000
        await self._clock.sleep(interval_s)
        stale = Moment.of(self._clock)
        await self._clock.sleep(1.1 * interval_s)
        with contextlib.suppress(ZsevalError):
            self.ingest.finish(stale.wall_ms + stale.moved_ms())
