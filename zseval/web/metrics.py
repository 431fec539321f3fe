"""/metrics, what this process counts about itself, and /federate, the latest samples of chosen series.

Source of federation: prometheus web/federate.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from aiohttp import web

from zseval.errors import PromQLError
from zseval.exposition.write import CONTENT_TYPES, Family, Point, write_openmetrics, write_text
from zseval.metrics import Reading
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.matcher import Matcher
from zseval.model.metadata import MetricType
from zseval.model.staleness import is_stale
from zseval.tsdb.frame import Frame
from zseval.web.envelope import ApiError, bad_data
from zseval.web.params import Params
from zseval.web.services import Services
from zseval.web.workers import WORKERS

__all__ = ["MetricsApi"]


class MetricsApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self.metrics), web.get("/federate", self.federate)]

    async def metrics(self, request: web.Request) -> web.Response:
        families = [_family(reading) for reading in self._services.registry.collect()]
        if "application/openmetrics-text" in request.headers.get("Accept", ""):
            body, kind = write_openmetrics(families), "openmetrics"
        else:
            body, kind = write_text(families), "text"
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPES[kind]})

    async def federate(self, request: web.Request) -> web.Response:
        try:
            sets = _selectors(await Params.of(request))
        except ApiError as error:
            return web.Response(text=f"{error.message}\n", status=error.kind.status)
        now, external = self._services.now_ms(), self._services.external_labels()
        body = await request.app[WORKERS].read(lambda: write_text(self._federated(sets, now, external)))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPES["text"]})

    def _federated(self, sets: Sequence[Sequence[Matcher]], now: int, external: Labels) -> list[Family]:
        """Families of the last sample of each series within the lookback; stale series are left out."""
        samples: dict[Labels, tuple[int, float]] = {}
        for matchers in sets:
            selection = self._services.db.select(matchers, now - self._services.lookback_ms - 1, now)
            labels = selection.labels.to_list()
            for frame in selection.frames:
                for row, time, value in _last_samples(frame):
                    samples[labels[row]] = (time, value)
        attached = dict(external) if "instance" in external else {**dict(external), "instance": ""}
        families: dict[str, list[Point]] = {}
        for series, (time, value) in samples.items():
            if series.name:
                point = Point(_with_external(series, attached), value, time)
                families.setdefault(series.name, []).append(point)
        return [Family(name, MetricType.UNKNOWN, points) for name, points in families.items()]


def _selectors(params: Params) -> list[tuple[Matcher, ...]]:
    """The selectors of match[]; here, unlike in the API, one may match everything."""
    from zseval.promql.syntax.parser import parse_series_selector

    try:
        return [parse_series_selector(text) for text in params.all("match[]")]
    except PromQLError as error:
        raise bad_data(str(error)) from error


def _last_samples(frame: Frame) -> Iterator[tuple[int, int, float]]:
    """(row of the selection, time in ms, value) of each series' last sample, but for staleness markers."""
    series, length = frame.values.shape
    if length == 0:
        return
    last = np.full(series, length - 1) if frame.counts is None else frame.counts - 1
    every = np.arange(series)
    values = frame.values[every, last]
    times = frame.times[last] if frame.times.ndim == 1 else frame.times[every, last]
    kept = (last >= 0) & ~is_stale(np.ascontiguousarray(values))
    yield from zip(frame.rows[kept].tolist(), times[kept].tolist(), values[kept].tolist(), strict=True)


def _with_external(series: Labels, attached: dict[str, str]) -> Labels:
    """The series with the labels it lacks; an empty `instance` stays, so that the reader adds none itself."""
    own = series.to_dict()
    return Labels.from_sorted(tuple(sorted((attached | own).items())))


def _family(reading: Reading) -> Family:
    points = [
        Point(Labels({METRIC_NAME: reading.name, **dict(pairs)}), value) for pairs, value in reading.samples
    ]
    return Family(reading.name, MetricType(reading.kind), points, reading.help)
