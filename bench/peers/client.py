"""Client: whole HTTP requests over one kept connection, with as little of its own time as can be.

A body is read to its end but neither decoded nor parsed while the clock runs.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

__all__ = ["Answer", "Client"]

_LAST_CHUNK = b"0\r\n\r\n"  # JSON holds no carriage return, so this ends a body and nothing else
_TIMEOUT_S = 300.0


class _HungUpError(ConnectionError):
    """The connection ended before anything came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """body: as sent, the chunks' lengths taken out.  seconds: from the first byte sent to the last read."""

    status: int
    body: bytes
    seconds: float

    def data(self) -> Any:
        """The `data` of an answer of the query API. Raises ValueError where it is none."""
        parsed = json.loads(self.body)
        if self.status != 200 or parsed.get("status") != "success":
            raise ValueError(f"HTTP {self.status}: {self.body[:500]!r}")
        return parsed["data"]


class Client:
    """One connection to `host:port`, opened when it is needed. Not for several threads."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._place = (host, int(port))
        self._host = address
        self._socket: socket.socket | None = None

    def get(self, path: str, **params: str) -> Answer:
        query = f"?{urlencode(params)}" if params else ""
        return self._send(f"GET {path}{query} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        return self._send(head.encode() + body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, request: bytes) -> Answer:
        """A server may have closed a connection that was idle: it is then asked again on another one."""
        was_kept = self._socket is not None
        try:
            return self._exchange(request)
        except _HungUpError:
            if not was_kept:
                raise
            return self._exchange(request)

    def _exchange(self, request: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._place, _TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        try:
            self._socket.sendall(request)
        except ConnectionError as error:
            self.close()
            raise _HungUpError(f"{self._host} hung up") from error
        head, parts = self._head(self._socket)
        fields = _fields(head)
        is_chunked = fields.get("transfer-encoding", "") == "chunked"
        size, tail = sum(map(len, parts)), parts[-1][-len(_LAST_CHUNK) :]
        length = int(fields.get("content-length", "0"))
        while (tail != _LAST_CHUNK) if is_chunked else (size < length):
            part = self._socket.recv(1 << 20)
            if not part:
                raise ConnectionError(f"{self._host} hung up in the middle of an answer")
            parts.append(part)
            size += len(part)
            tail = (tail + part)[-len(_LAST_CHUNK) :]
        seconds = time.perf_counter() - began
        body = b"".join(parts)
        if fields.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(head.split(None, 2)[1]), _unchunked(body) if is_chunked else body, seconds)

    def _head(self, connection: socket.socket) -> tuple[bytes, list[bytes]]:
        """The header and what was read of the body with it."""
        read = b""
        while True:
            try:
                part = connection.recv(1 << 16)
            except ConnectionResetError:
                part = b""
            if not part:
                self.close()
                raise (ConnectionError if read else _HungUpError)(f"{self._host} hung up")
            read += part
            head, end, body = read.partition(b"\r\n\r\n")
            if end:
                return head, [body]


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        length = int(body[at:end], 16)
        if not length:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
