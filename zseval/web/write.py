"""`POST /api/v1/write`: remote writes, where a node receives them.

A request is decoded and stored in a thread of its own, one after the other, so that the event loop goes on.
Source: prometheus web/api/v1/api.go (remoteWrite).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from zseval.remote.protocol import Answer
from zseval.web.services import Services

__all__ = ["WriteApi"]

_OFF = "remote write receiver needs to be enabled with --web.enable-remote-write-receiver"


class WriteApi:
    def __init__(self, services: Services) -> None:
        self._receiver = services.remote_write
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="remote-write")

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/write", self.write)]

    async def write(self, request: web.Request) -> web.Response:
        receiver = self._receiver
        if receiver is None:
            return _response(Answer(404, _OFF))
        body = await _read(request, receiver.max_body_bytes)
        content_type, encoding = (
            request.headers.get(name, "") for name in ("Content-Type", "Content-Encoding")
        )
        # What was received is stored, whether or not its sender waits for the answer.
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, receiver.receive, body, content_type, encoding
        )
        return _response(await asyncio.shield(work))


async def _read(request: web.Request, limit: int) -> bytes:
    """The body, or so much of it that it is too long."""
    parts, size = [], 0
    async for part in request.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)


def _response(answer: Answer) -> web.Response:
    if answer.status == 204:
        return web.Response(status=204, headers=answer.headers)
    return web.Response(text=f"{answer.text}\n", status=answer.status, headers=answer.headers)
