"""http_sd_configs: target groups from a URL. Source: prometheus discovery/http/http.go."""

from __future__ import annotations

import asyncio
import json
import re

from zseval.errors import ScrapeError, ZsevalError
from zseval.model.labels import quote
from zseval.model.number import format_f
from zseval.scrape.config import HttpDiscovery, TargetGroup
from zseval.scrape.discovery.discoverer import Refreshed
from zseval.scrape.discovery.groups import groups_of
from zseval.transport.client import HttpClient

__all__ = ["HttpDiscoverer"]

_JSON = re.compile(r"application/json(;\s*charset=(\"utf-8\"|utf-8))?", re.IGNORECASE)
_MAX_BYTES = 64 << 20  # of targets; more is a mistake


class HttpDiscoverer:
    def __init__(self, config: HttpDiscovery) -> None:
        self._config = config
        self._client = HttpClient(config.http)
        self._groups: tuple[TargetGroup, ...] = ()
        self.interval_s = config.refresh_interval_ms / 1000

    async def close(self) -> None:
        await self._client.close()

    async def refresh(self) -> Refreshed:
        try:
            async with asyncio.timeout(self.interval_s):
                self._groups = await self._get()
        except TimeoutError:
            return Refreshed(self._groups, (f'Get "{self._config.url}": context deadline exceeded',))
        except ZsevalError as error:
            return Refreshed(self._groups, (str(error),))
        return Refreshed(self._groups)

    async def _get(self) -> tuple[TargetGroup, ...]:
        url = self._config.url
        headers = {
            "Accept": "application/json",
            "X-Prometheus-Refresh-Interval-Seconds": format_f(self.interval_s),
        }
        async with self._client.request("GET", url, headers=headers) as response:
            if response.status != 200:
                raise ScrapeError(f"server returned HTTP status {response.status} {response.reason}")
            content_type = response.headers.get("Content-Type", "")
            if _JSON.fullmatch(content_type.strip()) is None:
                raise ScrapeError(f"unsupported content type {quote(content_type)}")
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ScrapeError(f"answer larger than {_MAX_BYTES} bytes")
        try:
            document = json.loads(body)
        except ValueError as error:
            raise ScrapeError(f"invalid JSON: {error}") from error
        return groups_of(document, url, {"__meta_url": url})
