"""/api/v1/series, labels, label/…/values and metadata."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web

from zseval.model.labels import Labels, is_valid_name, quote
from zseval.model.metadata import Metadata
from zseval.web.envelope import bad_data, success, to_json
from zseval.web.params import MAX_TIME_MS, MIN_TIME_MS, Params
from zseval.web.services import Services
from zseval.web.workers import WORKERS

__all__ = ["SeriesApi", "unescape_name"]

T = TypeVar("T")

_RENDERED = 512  # label sets made JSON at a time
_TRUNCATED = "results truncated due to limit"
_ESCAPED_PART = re.compile(r"__|_([0-9a-fA-F]{1,6})_|_")


class SeriesApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/series", self.series),
            web.post("/api/v1/series", self.series),
            web.get("/api/v1/labels", self.labels),
            web.post("/api/v1/labels", self.labels),
            web.get("/api/v1/label/{name}/values", self.values),
            web.get("/api/v1/metadata", self.metadata),
        ]

    async def series(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        if not params.all("match[]"):
            raise bad_data("no match[] parameter provided")
        limit, (start, end) = params.limit(), _range(params)
        sets = params.matcher_sets(wrapped=True)

        def read() -> tuple[bytes, list[str]]:
            kept, warnings = _limited(self._services.db.series(sets, start, end), limit)
            return _as_json(kept), warnings

        body, warnings = await request.app[WORKERS].read(read)
        return success(body, warnings=warnings)

    async def labels(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        limit, (start, end), sets = params.limit(), _range(params), params.matcher_sets()
        found = await request.app[WORKERS].read(lambda: self._services.db.label_names(sets, start, end))
        kept, warnings = _limited(found, limit)
        return success(kept, warnings=warnings)

    async def values(self, request: web.Request) -> web.Response:
        name = unescape_name(request.match_info["name"])
        if not is_valid_name(name):
            raise bad_data(f"invalid label name: {quote(name)}")
        params = await Params.of(request)
        limit, (start, end), sets = params.limit(), _range(params), params.matcher_sets()
        found = await request.app[WORKERS].read(
            lambda: self._services.db.label_values(name, sets, start, end)
        )
        kept, warnings = _limited(sorted(found), limit)
        return success(kept, warnings=warnings)

    async def metadata(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        limit, per_metric = params.number("limit", -1), params.number("limit_per_metric", -1)
        wanted = params.get("metric")
        found: dict[str, dict[Metadata, None]] = {}
        for target in self._services.targets():
            families = target.metadata
            names = families if not wanted else [wanted] if wanted in families else []
            for name in names:
                if name not in found and 0 <= limit <= len(found):
                    continue
                entries = found.setdefault(name, {})
                if not 0 < per_metric <= len(entries):
                    entries[families[name]] = None
        return success({name: [_metadata(each) for each in entries] for name, entries in found.items()})


def _as_json(series: Sequence[Labels]) -> bytes:
    """A list of label sets, some at a time: other threads have their turn in between."""
    parts = [
        to_json([labels.to_dict() for labels in series[first : first + _RENDERED]])[1:-1]
        for first in range(0, len(series), _RENDERED)
    ]
    return b"[%s]" % b",".join(parts)


def _metadata(metadata: Metadata) -> dict[str, str]:
    return {"type": metadata.type.value, "help": metadata.help, "unit": metadata.unit}


def _range(params: Params) -> tuple[int, int]:
    return params.time_ms("start", MIN_TIME_MS), params.time_ms("end", MAX_TIME_MS)


def _limited(found: list[T], limit: int) -> tuple[list[T], list[str]]:
    return (found[:limit], [_TRUNCATED]) if 0 < limit < len(found) else (found, [])


def unescape_name(name: str) -> str:
    """A label name as written in a path: `U__http_2e_status` is `http.status`, others stand for themselves.

    Source: prometheus/common model/metric.go (UnescapeName); what is not escaped correctly is left as it is.
    """
    if not name.startswith("U__"):
        return name
    rest, parts, end = name[3:], [], 0
    for match in _ESCAPED_PART.finditer(rest):
        parts.append(rest[end : match.start()])
        end = match.end()
        if match.group() == "__":
            parts.append("_")
            continue
        code = int(match.group(1), 16) if match.group(1) else -1
        if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            return name
        parts.append(chr(code))
    return "".join((*parts, rest[end:]))
