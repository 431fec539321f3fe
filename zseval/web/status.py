"""/api/v1/status/* and the management paths /-/healthy, ready, reload and quit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from zseval.errors import ConfigError
from zseval.web.envelope import bad_data, rfc3339, success
from zseval.web.params import Params
from zseval.web.services import Services
from zseval.web.workers import WORKERS

__all__ = ["StatusApi"]

_LONGEST_LIST = 10_000


class StatusApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        lifecycle = (("reload", self.reload), ("quit", self.quit))
        return [
            web.get("/api/v1/status/buildinfo", self.buildinfo),
            web.get("/api/v1/status/config", self.config),
            web.get("/api/v1/status/flags", self.flags),
            web.get("/api/v1/status/runtimeinfo", self.runtimeinfo),
            web.get("/api/v1/status/tsdb", self.tsdb),
            web.get("/api/v1/status/walreplay", self.walreplay),
            web.get("/-/healthy", self.healthy),
            web.get("/-/ready", self.ready),
            *(web.get(f"/-/{path}", self.wrong_method) for path, _ in lifecycle),
            *(web.post(f"/-/{path}", handler) for path, handler in lifecycle),
            *(web.put(f"/-/{path}", handler) for path, handler in lifecycle),
        ]

    async def buildinfo(self, _request: web.Request) -> web.Response:
        build = self._services.build
        return success(
            {
                "version": build.version,
                "revision": build.revision,
                "branch": build.branch,
                "buildUser": build.build_user,
                "buildDate": build.build_date,
                "goVersion": build.go_version,
            }
        )

    async def config(self, _request: web.Request) -> web.Response:
        return success({"yaml": self._services.config_text()})

    async def flags(self, _request: web.Request) -> web.Response:
        return success(dict(self._services.flags))

    async def runtimeinfo(self, _request: web.Request) -> web.Response:
        """Upstream's keys; those about the Go runtime have what comes nearest, or nothing."""
        runtime = self._services.runtime()
        return success(
            {
                "startTime": rfc3339(runtime.start_ms),
                "CWD": runtime.working_directory,
                "hostname": runtime.hostname,
                "serverTime": rfc3339(self._services.now_ms()),
                "reloadConfigSuccess": runtime.reload_succeeded,
                "lastConfigTime": rfc3339(runtime.last_config_ms),
                "timeSeriesCount": runtime.series,
                "corruptionCount": 0,  # there are no files that could be corrupt
                "goroutineCount": runtime.threads,
                "GOMAXPROCS": runtime.processors,
                "GOMEMLIMIT": 0,
                "GOGC": "",
                "GODEBUG": "",
                "storageRetention": runtime.storage_retention,
            }
        )

    async def tsdb(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        limit = _positive(params.get("limit"), 10)
        status = await request.app[WORKERS].read(lambda: self._services.db.status(limit))
        return success(
            {
                "headStats": {
                    "numSeries": status.num_series,
                    "numLabelPairs": status.num_label_pairs,
                    "chunkCount": status.chunk_count,
                    "minTime": status.min_time_ms,
                    "maxTime": status.max_time_ms,
                },
                "seriesCountByMetricName": _counts(status.series_by_metric),
                "labelValueCountByLabelName": _counts(status.values_by_label),
                "memoryInBytesByLabelName": _counts(status.bytes_by_label),
                "seriesCountByLabelValuePair": _counts(status.series_by_pair),
            }
        )

    async def walreplay(self, _request: web.Request) -> web.Response:
        """There is no log of samples, so nothing of one is left to be read."""
        return success({"min": 0, "max": 0, "current": 0})

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="zseval Server is Healthy.\n")

    async def ready(self, _request: web.Request) -> web.Response:
        if not self._services.is_ready():
            return web.Response(text="Service Unavailable", status=503)
        return web.Response(text="zseval Server is Ready.\n")

    async def reload(self, _request: web.Request) -> web.Response:
        if not self._services.enable_lifecycle:
            return _not_enabled()
        try:
            await self._services.reload()
        except ConfigError as error:
            return web.Response(text=f"failed to reload config: {error}\n", status=500)
        return web.Response()

    async def quit(self, _request: web.Request) -> web.Response:
        if not self._services.enable_lifecycle:
            return _not_enabled()
        self._services.quit()
        return web.Response(text="Requesting termination... Goodbye!")

    async def wrong_method(self, _request: web.Request) -> web.Response:
        return web.Response(text="Only POST or PUT requests allowed", status=405)


def _not_enabled() -> web.Response:
    return web.Response(text="Lifecycle API is not enabled.", status=403)


def _positive(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise bad_data("limit must be a positive number")
    if int(text) > _LONGEST_LIST:
        raise bad_data(f"limit must not exceed {_LONGEST_LIST}")
    return int(text)


def _counts(pairs: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"name": name, "value": count} for name, count in pairs]
