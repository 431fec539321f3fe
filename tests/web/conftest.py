"""A running API over made-up services."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.web.fakes import NOW_MS, Api, FakeDatabase, FakeEngine, make_services
from zseval.model.labels import Labels
from zseval.web.app import create_app
from zseval.web.server import Server


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """`await serve(field=value, …)` runs the API over services changed so, and gives an Api."""
    servers: list[Server] = []
    session = aiohttp.ClientSession()

    async def start(**changes: Any) -> Api:
        server = await Server.start(create_app(replace(make_services(), **changes)), "127.0.0.1:0")
        servers.append(server)
        return Api(server, session)

    yield start
    await session.close()
    for server in servers:
        await server.stop()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase(
        [
            Labels({"__name__": "up", "job": "a", "instance": "h:1"}),
            Labels({"__name__": "up", "job": "b"}),
            Labels({"__name__": "http.status", "job": "a"}),
        ],
        [NOW_MS - 1000, NOW_MS - 2000, NOW_MS - 400_000],
        [1.0, 0.0, 5.0],
    )


@pytest.fixture
def released() -> threading.Event:
    return threading.Event()
