"""/api/v1/targets, targets/metadata, scrape_pools and alertmanagers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from aiohttp import web

from zseval.errors import PromQLError
from zseval.model.duration import format_duration
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher
from zseval.model.metadata import Metadata
from zseval.web.envelope import invalid_parameter, rfc3339, success
from zseval.web.params import Params
from zseval.web.services import Services, TargetView

__all__ = ["TargetsApi", "global_url"]

_LOCALHOST = ("127.0.0.1", "localhost", "::1")


class TargetsApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/targets", self.targets),
            web.get("/api/v1/targets/metadata", self.metadata),
            web.get("/api/v1/scrape_pools", self.scrape_pools),
            web.get("/api/v1/alertmanagers", self.alertmanagers),
        ]

    async def targets(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        state, pool = params.get("state").lower(), params.get("scrapePool")
        data: dict[str, Any] = {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": None}
        if state in ("", "any", "active"):
            active = [target for target in self._services.targets() if pool in ("", target.scrape_pool)]
            active.sort(key=lambda target: target.scrape_pool)
            data["activeTargets"] = [self._target(target) for target in active]
        if state in ("", "any", "dropped"):
            dropped = self._services.dropped_targets()
            data["droppedTargetCounts"] = dict(sorted(self._services.scrape_pools().items()))
            data["droppedTargets"] = [
                {"discoveredLabels": target.discovered_labels, "scrapePool": target.scrape_pool}
                for target in sorted(dropped, key=lambda target: target.scrape_pool)
                if pool in ("", target.scrape_pool)
            ]
        return success(data)

    def _target(self, target: TargetView) -> dict[str, Any]:
        services = self._services
        return {
            "discoveredLabels": target.discovered_labels,
            "labels": target.labels,
            "scrapePool": target.scrape_pool,
            "scrapeUrl": target.scrape_url,
            "globalUrl": global_url(target.scrape_url, services.listen_address, services.external_url),
            "lastError": target.last_error,
            "lastScrape": rfc3339(target.last_scrape_ms),
            "lastScrapeDuration": target.last_scrape_duration_s,
            "health": target.health,
            "scrapeInterval": format_duration(target.scrape_interval_ms),
            "scrapeTimeout": format_duration(target.scrape_timeout_ms),
        }

    async def metadata(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        limit, metric = params.number("limit", -1), params.get("metric")
        matchers = _target_matchers(params)
        found: list[dict[str, Any]] = []
        for target in self._services.targets():
            if 0 <= limit <= len(found):
                break
            if not all(matcher.matches(target.labels.get(matcher.name)) for matcher in matchers):
                continue
            if not metric:
                found += [
                    _metadata(target.labels, each, metric=name) for name, each in target.metadata.items()
                ]
            elif metric in target.metadata:
                found.append(_metadata(target.labels, target.metadata[metric]))
        return success(found)

    async def scrape_pools(self, _request: web.Request) -> web.Response:
        return success({"scrapePools": sorted(self._services.scrape_pools())})

    async def alertmanagers(self, _request: web.Request) -> web.Response:
        view = self._services.alertmanagers()
        return success(
            {
                "activeAlertmanagers": [{"url": url} for url in view.active],
                "droppedAlertmanagers": [{"url": url} for url in view.dropped],
            }
        )


def _target_matchers(params: Params) -> tuple[Matcher, ...]:
    text = params.get("match_target")
    if not text:
        return ()
    from zseval.promql.syntax.parser import parse_series_selector

    try:
        return parse_series_selector(text)
    except PromQLError as error:
        raise invalid_parameter("match_target", error) from error


def _metadata(labels: Labels, metadata: Metadata, **name: str) -> dict[str, Any]:
    return {
        "target": labels,
        **name,
        "type": metadata.type.value,
        "help": metadata.help,
        "unit": metadata.unit,
    }


def global_url(url: str, listen_address: str, external_url: str) -> str:
    """A target's URL as others can reach it: a local host is replaced by the external URL's.

    Our own port means it is us, and then scheme and port are the external ones too.
    """
    parts, external = urlsplit(url), urlsplit(external_url)
    try:
        host, port, external_port = parts.hostname, parts.port, external.port
    except ValueError:
        return url
    if host not in _LOCALHOST or not external.hostname:
        return url
    if str(port or "") == listen_address.rpartition(":")[2]:
        return urlunsplit(parts._replace(scheme=external.scheme, netloc=external.netloc))
    name = external.netloc.rpartition("@")[2]
    name = name if external_port is None else name.rpartition(":")[0]
    return urlunsplit(parts._replace(netloc=name if port is None else f"{name}:{port}"))
