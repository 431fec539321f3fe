"""One HTTP request: the bytes a target exposes, or the reason there are none.

Source: prometheus scrape/scrape.go (targetScraper).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from zseval.errors import ScrapeError
from zseval.exposition.negotiate import ACCEPT
from zseval.model.number import format_f
from zseval.transport.client import HttpClient, TransportError

__all__ = ["MAX_BODY_BYTES", "BodySizeError", "Fetched", "fetch"]

MAX_BODY_BYTES = 32 << 20
"""The largest body where the job sets no body_size_limit. Prometheus has no such limit; a node with half a
gigabyte of memory must not be ended by one target. Reading a page for the first time takes about ten times
its size (docs/footprint.md), and this is some 300,000 series. A job that means more says so."""

_PIECE = 1 << 20  # decompressed at a time, so that a bomb does not hold up other targets


class BodySizeError(ScrapeError):
    """The body is larger than allowed."""


@dataclass(frozen=True, slots=True)
class Fetched:
    body: bytes
    content_type: str


async def fetch(
    client: HttpClient,
    url: str,
    *,
    timeout_ms: int,
    body_size_limit: int = 0,
    compression: bool = True,
    accept: str = ACCEPT,
) -> Fetched:
    """GET a page. The time limit is for the whole exchange, the size limit for the decompressed body.

    Raises ScrapeError, BodySizeError, TransportError or ConfigError (a credentials file).
    """
    headers = {
        "Accept": accept,
        "Accept-Encoding": "gzip" if compression else "identity",
        "X-Prometheus-Scrape-Timeout-Seconds": format_f(timeout_ms / 1000),
    }
    try:
        async with (
            asyncio.timeout(timeout_ms / 1000),
            client.request("GET", url, headers=headers) as response,
        ):
            if response.status != 200:
                raise ScrapeError(f"server returned HTTP status {response.status} {response.reason}")
            chunks: AsyncIterator[bytes] = _received(response.content.iter_any(), url)
            if response.headers.get("Content-Encoding", "") == "gzip":
                chunks = _decompressed(chunks)
            body = await _joined(chunks, body_size_limit)
            return Fetched(body, response.headers.get("Content-Type", ""))
    except TimeoutError:
        raise TransportError(f'Get "{url}": context deadline exceeded') from None


async def _received(chunks: AsyncIterator[bytes], url: str) -> AsyncIterator[bytes]:
    """The body as it comes; what can go wrong on the way becomes our error."""
    import aiohttp

    try:
        async for chunk in chunks:
            yield chunk
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as error:
        raise TransportError(f'Get "{url}": unexpected EOF') from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise TransportError(f'Get "{url}": {error or type(error).__name__}') from error


async def _decompressed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """gzip, of one member or several, in pieces of bounded size."""
    decompressor = zlib.decompressobj(wbits=31)
    started = False
    async for chunk in chunks:
        pending, piece = chunk, b""
        while pending or len(piece) == _PIECE:  # a full piece may not be all there is
            if decompressor.eof:
                decompressor = zlib.decompressobj(wbits=31)
            started = True
            try:
                piece = decompressor.decompress(pending, _PIECE)
            except zlib.error as error:
                raise ScrapeError(f"gzip: invalid data: {error}") from error
            pending = decompressor.unconsumed_tail or decompressor.unused_data
            yield piece
            if len(piece) == _PIECE:
                await asyncio.sleep(0)  # others are due too
            if decompressor.eof and not pending:
                break
    if not started:
        raise ScrapeError("EOF")
    if not decompressor.eof:
        raise ScrapeError("unexpected EOF")


async def _joined(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """All of it; a body of exactly the limit is too large already, as in Prometheus. 0: our own limit."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if limit and size >= limit:
            raise BodySizeError("body size limit exceeded")
        if not limit and size > MAX_BODY_BYTES:
            raise BodySizeError(
                f"body is over {MAX_BODY_BYTES >> 20} MiB and the job sets no body_size_limit"
            )
        parts.append(chunk)
    return b"".join(parts)
