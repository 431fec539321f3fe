"""ThreadedNode: a node for programs that have no event loop of their own.

    with ThreadedNode(NodeOptions(rule_files=("rules.yml",), targets=("localhost:8080",))) as node:
        print(node.query("up == 0").samples())

The node runs in a thread with a loop of its own. What it is asked for is handed to that loop, but for
queries: they run in the thread that asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from zseval.clock import Clock
from zseval.errors import ZsevalError
from zseval.model.alert import Alert
from zseval.node.node import Node
from zseval.node.options import NodeOptions
from zseval.node.snapshot import Snapshot, Transition
from zseval.scrape.inprocess import Source

if TYPE_CHECKING:
    from zseval.metrics import Registry
    from zseval.promql.engine import Engine
    from zseval.promql.result import Result
    from zseval.tsdb.db import TSDB

__all__ = ["ThreadedNode"]

T = TypeVar("T")


class ThreadedNode:
    """Node from `start` to `stop`; any thread may call any method.

    on_transition, on_alerts: as Node's. They are called in the node's thread, and everything else waits
    meanwhile: they are to return soon, and not to call the node.
    Raises ConfigError where the options or the files they name cannot be used.
    """

    def __init__(
        self,
        options: NodeOptions,
        *,
        clock: Clock | None = None,
        on_transition: Callable[[Transition], None] | None = None,
        on_alerts: Callable[[Sequence[Alert]], None] | None = None,
    ) -> None:
        self._node = Node(options, clock=clock, on_transition=on_transition, on_alerts=on_alerts)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def __enter__(self) -> ThreadedNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin; returns once the node runs. Raises ConfigError where it cannot listen on its address."""
        if self._thread is not None:
            raise ZsevalError("a node is started once")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="zseval node", daemon=True)
        self._thread.start()
        started.result()

    def stop(self) -> None:
        """End the node, for good; returns once all has ended. Alerts that still wait are sent first."""
        if self._thread is None or self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # its loop is closed: it ended by itself
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def query(self, expr: str, time: float | None = None) -> Result:
        """An instant query at this moment, or at Unix seconds. Raises PromQLError."""
        at_ms = self._node.now_ms() if time is None else round(time * 1000)
        return self._node.engine.instant_at(expr, at_ms)

    def query_range(self, expr: str, start: float, end: float, step: float) -> Result:
        """A range query; Unix seconds, step in seconds. Raises PromQLError."""
        return self._node.engine.range(expr, start, end, step)

    def reload(self) -> None:
        """Read the files again. Raises ConfigError where they cannot be used: all then goes on as it was."""
        self._call(self._node.reload())

    def add_source(
        self, name: str, source: Source, interval_ms: int = 15_000, labels: Mapping[str, str] | None = None
    ) -> None:
        """Scrape a prometheus_client registry or a callable in this program, as job and instance `name`.

        Before `start` as well as afterwards.
        """
        if self._loop is None:
            self._node.add_source(name, source, interval_ms, labels)
            return

        async def add() -> None:
            self._node.add_source(name, source, interval_ms, labels)

        self._call(add())

    def snapshot(self) -> Snapshot:
        """What a person wants to know now."""

        async def take() -> Snapshot:
            return self._node.snapshot()

        return self._call(take())

    @property
    def address(self) -> str:
        """`host:port` served on, or "" where nothing is served."""
        return self._node.address

    @property
    def db(self) -> TSDB:
        return self._node.db

    @property
    def engine(self) -> Engine:
        return self._node.engine

    @property
    def registry(self) -> Registry:
        """What the node counts about itself."""
        return self._node.registry

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine returns, run in the node's loop."""
        if self._loop is None or self._ending.is_set() or threading.current_thread() is self._thread:
            work.close()
            raise ZsevalError("the node does not run, or this is one of its own callbacks")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._main(started))
        except BaseException as error:  # whatever it is, it belongs to whoever waits for the start
            if started.done():
                raise
            started.set_exception(error)

    async def _main(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._node.on_quit = self._ending.set
        async with self._node:
            started.set_result(None)
            await self._ending.wait()
