"""Workers: threads that queries run in, so that the event loop never waits for a long one.

A query that took less than waking a thread for it costs is run by the event loop itself the next time.
A client that goes away calls its query off: the engine looks at the token between operators.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from aiohttp import web

from zseval.promql.errors import QueryCanceledError, QueryTimeoutError

__all__ = ["WORKERS", "Workers"]

T = TypeVar("T")

_READERS = 4
"""Threads for label and status requests, which a queue of slow queries must not hold up."""

_SHORT_S = 0.0025
"""CPU seconds of a query that need not have a thread. One takes some tenths of a millisecond more, which a
machine that is slow for a while must not make of a graph of twenty series."""

_SHORT_KNOWN = 1000
"""So many short queries are known at a time."""

_NEVER = threading.Event()
"""The cancel token of work that nobody can call off."""

_WATCH_S = 0.2
"""How often a running query's client is looked at."""


class Workers:
    """max_concurrency queries at a time; further ones wait, and their waiting counts as query time."""

    def __init__(self, max_concurrency: int) -> None:
        self._slots = asyncio.Semaphore(max_concurrency)
        self._queries = ThreadPoolExecutor(max_concurrency, thread_name_prefix="query")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        self._short: OrderedDict[Hashable, None] = OrderedDict()

    async def read(self, work: Callable[[], T]) -> T:
        """`work()` in a thread, for short reads."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def query(
        self,
        request: web.Request,
        longest: float,
        work: Callable[[float, threading.Event], T],
        kind: Hashable = None,
    ) -> T:
        """`work(seconds left, cancel token)`; `longest` counts from here, the queue included.

        kind: equal for work that takes about as long; it is done in a thread unless it is known to be short.
        Raises QueryTimeoutError where no thread was free in time, QueryCanceledError where the client left
        before one was, and what the work raises.
        """
        if kind is not None:
            if kind in self._short and not self._slots.locked():
                async with self._slots:  # free, so that there is no wait and no timeout to set up for one
                    return self._timed_here(kind, work, longest)
            work = partial(self._timed, kind, work)
        started = time.monotonic()
        try:
            async with asyncio.timeout(longest):
                await self._slots.acquire()
        except TimeoutError as error:
            raise QueryTimeoutError("query timed out in query queue") from error
        try:
            if _is_gone(request):
                raise QueryCanceledError("query was canceled in query queue")
            return await self._watched(request, longest - (time.monotonic() - started), work)
        finally:
            self._slots.release()

    def _timed_here(self, kind: Hashable, work: Callable[[float, threading.Event], T], seconds: float) -> T:
        """Forgets the work where it was not short.

        By the clock, which counts waiting as well: asking for CPU time takes ten times as long.
        """
        started = time.perf_counter()
        result = work(seconds, _NEVER)
        if time.perf_counter() - started > 2 * _SHORT_S:
            self._short.pop(kind, None)
        return result

    def _timed(
        self,
        kind: Hashable,
        work: Callable[[float, threading.Event], T],
        seconds: float,
        cancel: threading.Event,
    ) -> T:
        """Remembers whether the work was short; an error says nothing of that."""
        started = time.thread_time()
        result = work(seconds, cancel)
        if time.thread_time() - started > _SHORT_S:
            self._short.pop(kind, None)
        elif kind not in self._short:
            self._short[kind] = None
            if len(self._short) > _SHORT_KNOWN:
                self._short.popitem(last=False)
        return result

    async def _watched(
        self, request: web.Request, seconds: float, work: Callable[[float, threading.Event], T]
    ) -> T:
        cancel = threading.Event()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._queries, work, seconds, cancel)
        try:
            while True:
                done, _ = await asyncio.wait({running}, timeout=_WATCH_S)
                if done:
                    return running.result()
                if _is_gone(request):
                    cancel.set()
        except asyncio.CancelledError:  # the server is stopping, or cancels handlers of clients that left
            cancel.set()
            raise

    def close(self) -> None:
        """Take no more work; what runs is left to end."""
        self._queries.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)


def _is_gone(request: web.Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


WORKERS = web.AppKey("workers", Workers)
