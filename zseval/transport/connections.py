"""Connections: GET over plain HTTP/1.1, on connections that stay open between requests.

What scraping does all day. aiohttp does it as well, at three times the processor time, which for a page of
a thousand samples is as much as reading the page; so it is left the rest: TLS, proxies, odd URLs.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from zseval.transport.http1 import Answer, BodyTooLargeError, ProtocolError, ResponseReader

__all__ = ["Connections", "DialError", "Route", "route_of"]

_IDLE_S = 300.0  # as Prometheus keeps a connection
_FALL_BACK_S = 0.25  # to the next address of a name, where the first does not answer
_URL = re.compile(
    r"http://(?P<netloc>(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?)"
    r"(?P<path>/[!-~]*)?\Z"
)
_FORBIDDEN = re.compile("[\0\r\n]")


class DialError(Exception):
    """There is no connection; says why as Go's client does."""


class Route(NamedTuple):
    """Where a request goes and what its first lines are."""

    host: str
    port: int
    head: str


@lru_cache(1024)
def route_of(url: str) -> Route | None:
    """The route of an http URL with a host, perhaps a port, and a path; None for all others."""
    match = _URL.match(url)
    if match is None or "#" in url:
        return None
    port = int(match["port"] or 80)
    if not 0 < port < 65536:
        return None
    return Route(
        match["host"].strip("[]"), port, f"GET {match['path'] or '/'} HTTP/1.1\r\nHost: {match['netloc']}\r\n"
    )


class Connections:
    """Open connections by host and port. For one event loop."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}
        self._swept = 0.0

    async def get(self, route: Route, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """The answer to a GET; its body must not be larger.

        Raises DialError where there is no connection, OSError where it breaks, ProtocolError where what comes
        is no answer, ValueError for headers that cannot be sent, and BodyTooLargeError.
        """
        if _FORBIDDEN.search("".join([*headers, *headers.values()])):
            raise ValueError("a header has a line break or a NUL in it")
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = f"{route.head}{lines}\r\n".encode()
        key = (route.host, route.port)
        self._sweep()
        while idle := self._idle.get(key):
            connection = idle.pop()
            if connection.is_open:
                answer = await self._exchange(key, connection, request, max_bytes)
                if answer is not None:
                    return answer
        answer = await self._exchange(key, await _connect(route), request, max_bytes)
        assert answer is not None
        return answer

    def close(self) -> None:
        """Close the connections that no request is using."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _exchange(
        self, key: tuple[str, int], connection: _Connection, request: bytes, max_bytes: int
    ) -> Answer | None:
        """None where the other side closed a connection that was idle before it saw the request."""
        answer = None
        try:
            answer = await connection.exchange(request, max_bytes)
        finally:
            if answer is not None and answer.is_reusable and connection.is_open:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.setdefault(key, []).append(connection)
            else:
                connection.close()
        return answer

    def _sweep(self) -> None:
        """Now and then, close what was not used for long."""
        now = asyncio.get_running_loop().time()
        if now - self._swept < _IDLE_S:
            return
        self._swept = now
        for key, connections in list(self._idle.items()):
            used = [each for each in connections if each.is_open and now - (each.idle_since or now) < _IDLE_S]
            for connection in connections:
                if connection not in used:
                    connection.close()
            if used:
                self._idle[key] = used
            else:
                del self._idle[key]


async def _connect(route: Route) -> _Connection:
    loop = asyncio.get_running_loop()
    delay = _FALL_BACK_S if route.host.strip("0123456789.") and ":" not in route.host else None
    try:
        _, connection = await loop.create_connection(
            _Connection, route.host, route.port, happy_eyeballs_delay=delay
        )
    except socket.gaierror as error:
        raise DialError(f"dial tcp: lookup {route.host}: no such host") from error
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else error
        raise DialError(f"dial tcp {route.host}:{route.port}: connect: {reason}") from error
    return connection


class _Connection(asyncio.Protocol):
    """One exchange at a time."""

    def __init__(self) -> None:
        self.idle_since: float | None = None  # None before its first answer
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._answer: asyncio.Future[Answer | None] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, max_bytes: int) -> Answer | None:
        assert self._transport is not None
        self._reader = ResponseReader(max_bytes)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = self._reader = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # whatever is still to come is not wanted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._answer is None or self._answer.done():
            self.close()  # nobody asked for it
            return
        try:
            answer = self._reader.feed(data)
        except (ProtocolError, BodyTooLargeError) as error:
            self._answer.set_exception(error)
        else:
            if answer is not None:
                self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._reader is None or self._answer is None or self._answer.done():
            return
        if self.idle_since is not None and not self._reader.has_begun:
            self._answer.set_result(None)  # it may have been closed before the request was sent
        elif exc is not None:
            self._answer.set_exception(exc)
        else:
            try:
                self._answer.set_result(self._reader.end())
            except ProtocolError as error:
                self._answer.set_exception(error)
