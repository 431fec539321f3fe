"""What a node loads before it is ready, and the loading of the rest that follows."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading

import pytest

from zseval.node import node as node_module
from zseval.node.node import Node
from zseval.node.options import NodeOptions

LATER = (
    "zseval.promql.evaluation",
    "zseval.promql.exec.run",
    "zseval.promql.functions",
    "zseval.promql.kernels",
    "zseval.promql.plan.build",
    "zseval.promql.result",
    "zseval.promql.syntax.ast",
    "zseval.promql.syntax.parser",
    "zseval.web.translate",
)
"""What only a query needs."""


def test_what_evaluates_queries_is_loaded_after_the_node_is_ready() -> None:
    program = f"""
import asyncio, sys
import zseval.node.node, zseval.web.app
from zseval import Node, NodeOptions

later = {LATER}

async def main():
    async with Node(NodeOptions(listen="127.0.0.1:0")) as node:
        print(*(name for name in later if name in sys.modules))
        await asyncio.wait_for(node._warm_up, 60)
        print(*(name for name in later if name not in sys.modules))
        await node.query("sum(up)")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    early, missing = done.stdout.splitlines()
    assert early == ""
    assert missing == "zseval.web.translate"  # which only /api/v1/parse_query uses


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(node_module, "_WARM_UP_AFTER_S", 0.0)
    return Node(NodeOptions(listen=""))


async def test_a_node_that_cannot_load_the_engine_says_so_and_goes_on(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    def broken() -> None:
        loop.call_soon_threadsafe(tried.set)
        raise ImportError("no module named kernels")

    monkeypatch.setattr(node.engine, "warm_up", broken)
    with caplog.at_level(logging.ERROR):
        async with node:
            await asyncio.wait_for(tried.wait(), 10)
            for _ in range(100):
                if caplog.records:
                    break
                await asyncio.sleep(0.01)
            assert (await node.query("1")).scalar() == 1.0
    (record,) = caplog.records
    assert record.getMessage() == "queries and rules cannot be evaluated"
    assert record.exc_text is not None
    assert "no module named kernels" in record.exc_text


async def test_a_node_can_stop_while_the_engine_loads(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loading = asyncio.Event()
    loop = asyncio.get_running_loop()
    loaded, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        loop.call_soon_threadsafe(loading.set)
        assert go_on.wait(10)
        loaded.set()

    monkeypatch.setattr(node.engine, "warm_up", slow)
    await node.start()
    await asyncio.wait_for(loading.wait(), 10)
    threading.Timer(0.05, go_on.set).start()
    await node.stop()
    assert loaded.is_set(), "its thread has ended before stop returns"
    assert not caplog.records


async def test_a_node_that_stops_at_once_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(NodeOptions(listen=""))
    calls: list[None] = []
    monkeypatch.setattr(node.engine, "warm_up", lambda: calls.append(None))
    async with node:
        pass
    await asyncio.sleep(0.15)
    assert not calls
