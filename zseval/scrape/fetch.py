"""One HTTP request: the bytes a target exposes, or the reason there are none.

Source: prometheus scrape/scrape.go (targetScraper).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from zseval.errors import ScrapeError
from zseval.exposition.negotiate import ACCEPT
from zseval.model.number import format_f
from zseval.scrape.inflate import inflated
from zseval.transport.client import HttpClient, TransportError
from zseval.transport.http1 import BodyTooLargeError

__all__ = ["MAX_BODY_BYTES", "BodySizeError", "Fetched", "fetch"]

MAX_BODY_BYTES = 32 << 20
"""The largest body where the job sets no body_size_limit. Prometheus has no such limit; a node with half a
gigabyte of memory must not be ended by one target. Reading a page for the first time takes about ten times
its size (docs/footprint.md), and this is some 300,000 series. A job that means more says so."""


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
    headers = _headers(timeout_ms, accept, compression=compression)
    limit = body_size_limit or MAX_BODY_BYTES + 1
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            # What does not compress takes a little more as gzip than without.
            answer = await client.get(url, headers=headers, max_bytes=limit + (limit >> 10) + 64)
            if answer.status != 200:
                raise ScrapeError(f"server returned HTTP status {answer.status} {answer.reason}")
            body = answer.body
            if answer.headers.get("content-encoding") == "gzip":
                body = await inflated(body, limit)
            if len(body) >= limit:
                raise BodyTooLargeError
            return Fetched(body, answer.headers.get("content-type", ""))
    except TimeoutError:
        raise TransportError(f'Get "{url}": context deadline exceeded') from None
    except BodyTooLargeError:
        raise BodySizeError(
            "body size limit exceeded"
            if body_size_limit
            else f"body is over {MAX_BODY_BYTES >> 20} MiB and the job sets no body_size_limit"
        ) from None


@lru_cache(256)
def _headers(timeout_ms: int, accept: str, *, compression: bool) -> Mapping[str, str]:
    """Those of a request: the same for all targets of a job, mostly."""
    return MappingProxyType(
        {
            "Accept": accept,
            "Accept-Encoding": "gzip" if compression else "identity",
            "X-Prometheus-Scrape-Timeout-Seconds": format_f(timeout_ms / 1000),
        }
    )
