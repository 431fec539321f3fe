"""Connections, and HttpClient.get on top of them, against servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from zseval.transport import connections
from zseval.transport.client import HttpClient, TransportError
from zseval.transport.config import HttpClientConfig
from zseval.transport.connections import Connections, Route, route_of
from zseval.transport.http1 import Answer, ProtocolError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Scripted:
    """A server that gives one answer after another. b"": it closes the connection instead."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[int, bytes]] = []  # with the number of the connection
        self.connections = 0
        self.port = 0
        self.handlers: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        task = asyncio.current_task()
        assert task is not None
        self.handlers.append(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                self.requests.append((number, await reader.readuntil(b"\r\n\r\n")))
                answer = self.answers.pop(0)
                writer.write(answer)
                if not answer:
                    break
        writer.close()


@contextlib.asynccontextmanager
async def scripted(*answers: bytes) -> AsyncIterator[Scripted]:
    made = Scripted(answers)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        for handler in made.handlers:
            handler.cancel()
        await asyncio.gather(*made.handlers, return_exceptions=True)


async def get(pool: Connections, server: Scripted) -> Answer:
    route = route_of(server.url)
    assert route is not None
    return await pool.get(route, {"X-A": "b"}, 1000)


async def test_requests_follow_each_other_on_one_connection() -> None:
    pool = Connections()
    async with scripted(OK, OK) as server:
        for _ in range(2):
            answer = await get(pool, server)
            assert (answer.status, answer.reason, answer.body) == (200, "OK", b"ok")
        request = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-A: b\r\n\r\n" % server.port
        assert server.requests == [(1, request), (1, request)]
        pool.close()


async def test_a_connection_that_was_closed_while_idle_costs_no_request() -> None:
    pool = Connections()
    async with scripted(OK, b"", OK) as server:
        await get(pool, server)
        assert (await get(pool, server)).body == b"ok"
        assert [number for number, _ in server.requests] == [1, 1, 2]
        pool.close()


async def test_a_new_connection_that_is_closed_is_an_error() -> None:
    pool = Connections()
    async with scripted(b"", OK) as server:
        with pytest.raises(ProtocolError, match=r"^EOF"):
            await get(pool, server)
        assert server.connections == 1


async def test_a_request_that_was_given_up_leaves_no_connection_behind() -> None:
    pool = Connections()
    async with scripted(OK[:-1], OK) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await get(pool, server)
        assert (await get(pool, server)).body == b"ok"
        assert [number for number, _ in server.requests] == [1, 2]
        pool.close()


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    pool = Connections()
    async with scripted(OK + OK, OK) as server:
        await get(pool, server)
        assert (await get(pool, server)).body == b"ok"
        assert [number for number, _ in server.requests] == [1, 2]
        pool.close()


async def test_connections_that_are_not_used_are_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Connections()
    async with scripted(OK) as idle, scripted(OK, OK) as used:
        await get(pool, idle)
        await get(pool, used)
        monkeypatch.setattr(connections, "_IDLE_S", 0.0)
        await get(pool, used)
        assert not pool._idle.get(("127.0.0.1", idle.port))
        pool.close()


@pytest.mark.parametrize("name", ["X-A\r\nB", "X\0"])
async def test_a_header_cannot_end_a_line(name: str) -> None:
    client = HttpClient(HttpClientConfig(headers=((name, "b"),)))
    async with scripted(OK) as server:
        with pytest.raises(TransportError, match="line break"):
            await client.get(server.url, headers={}, max_bytes=10)
        assert not server.requests


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("http://a.b:81/x?y=%20", Route("a.b", 81, "GET /x?y=%20 HTTP/1.1\r\nHost: a.b:81\r\n")),
        ("http://a", Route("a", 80, "GET / HTTP/1.1\r\nHost: a\r\n")),
        ("http://[::1]:9/", Route("::1", 9, "GET / HTTP/1.1\r\nHost: [::1]:9\r\n")),
        ("https://a/", None),
        ("http://me:secret@a/", None),
        ("http://a/#b", None),
        ("http://a/\r\nX: y", None),
        ("http://a/é", None),
        ("http://a:0/", None),
        ("http://a:65536/", None),
        ("http://a?b", None),
        ("http:///b", None),
    ],
)
def test_only_simple_urls_have_a_route(url: str, route: Route | None) -> None:
    assert route_of(url) == route
