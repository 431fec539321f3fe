"""/api/v1/query, query_range, query_exemplars, format_query and parse_query."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import numpy as np
import orjson
from aiohttp import web

from zseval.errors import PromQLError
from zseval.model.labels import quote
from zseval.model.number import format_f
from zseval.promql.errors import InvalidQueryError, ParseError, QueryCanceledError, QueryTimeoutError
from zseval.promql.plan.request import Evaluation
from zseval.promql.syntax.value_type import ValueType
from zseval.web.body import Pieces, body_of
from zseval.web.envelope import (
    ApiError,
    ErrorType,
    bad_data,
    invalid_parameter,
    success,
    success_parts,
)
from zseval.web.params import MAX_TIME_MS, MIN_TIME_MS, Params, parse_duration_ns
from zseval.web.services import Services
from zseval.web.workers import WORKERS

if TYPE_CHECKING:
    from zseval.promql.result import Result
    from zseval.promql.statistics import Statistics
    from zseval.promql.syntax.ast import Expr
    from zseval.tsdb.exemplars import StoredExemplar

__all__ = ["QueryApi", "evaluation_of", "execution_error", "lookback_of"]

_MAX_POINTS = 11_000
_TOO_MANY_POINTS = (
    "exceeded maximum resolution of 11,000 points per timeseries. "
    "Try decreasing the query resolution (?step=XX)"
)
_TRUNCATED = "results truncated due to limit"


class QueryApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        paths = {
            "query": self.query,
            "query_range": self.query_range,
            "query_exemplars": self.query_exemplars,
            "format_query": self.format_query,
            "parse_query": self.parse_query,
        }
        return [
            route(f"/api/v1/{path}", handler)
            for path, handler in paths.items()
            for route in (web.get, web.post)
        ]

    async def query(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        services = self._services
        limit, at = params.limit(), params.time_ms("time", services.now_ms())
        timeout, lookback = params.timeout(services.timeout), lookback_of(params)
        text, stats = params.get("query"), bool(params.get("stats"))

        def run(seconds: float, cancel: threading.Event) -> Result:
            return services.engine.instant_at(
                text, at, lookback_ms=lookback, timeout=seconds, cancel=cancel, stats=stats
            )

        return await self._answer(request, params, timeout, limit, run, (text, lookback, 1))

    async def query_range(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        services = self._services
        limit, asked = params.limit(), evaluation_of(params)
        timeout, lookback = params.timeout(services.timeout), lookback_of(params)
        text, stats = params.get("query"), bool(params.get("stats"))

        def run(seconds: float, cancel: threading.Event) -> Result:
            return services.engine.range_at(
                text,
                asked.start_ms,
                asked.end_ms,
                asked.step_ms,
                lookback_ms=lookback,
                timeout=seconds,
                cancel=cancel,
                stats=stats,
            )

        # Queries of the same text and about as many steps take about as long.
        steps = (asked.end_ms - asked.start_ms) // asked.step_ms + 1
        return await self._answer(request, params, timeout, limit, run, (text, lookback, steps.bit_length()))

    async def _answer(
        self,
        request: web.Request,
        params: Params,
        longest: float,
        limit: int,
        run: Callable[[float, threading.Event], Result],
        kind: Hashable,
    ) -> web.Response:
        queued = time.monotonic()

        def work(seconds: float, cancel: threading.Event) -> bytes | Pieces:
            started = time.monotonic()
            result = run(seconds, cancel)
            ended = time.monotonic()
            warnings = list(result.warnings)
            if 0 < limit < len(result) and result.type in (ValueType.VECTOR, ValueType.MATRIX):
                result = _truncated(result, limit)
                warnings.append(_TRUNCATED)
            stats = params.get("stats")
            if stats not in ("", "true", "all"):
                warnings.append(_stats_warning(stats))
            data = result.json_parts()
            if stats:
                per_step = stats == "all" and "promql-per-step-stats" in self._services.features
                timings = started - queued, ended - started
                data = [_with_stats(b"".join(data), result.stats, *timings, per_step=per_step)]
            return body_of(success_parts(data, warnings, result.infos))

        try:
            body = await request.app[WORKERS].query(request, longest, work, kind)
        except (ParseError, InvalidQueryError) as error:
            raise invalid_parameter("query", error) from error
        except PromQLError as error:
            raise execution_error(error) from error
        return web.Response(body=body, content_type="application/json")

    async def query_exemplars(self, request: web.Request) -> web.Response:
        """Exemplars of the series that the selectors of the query match; none where they are not kept."""
        from zseval.promql.syntax.ast import VectorSelector, walk

        params = await Params.of(request)
        start, end = params.time_ms("start", MIN_TIME_MS), params.time_ms("end", MAX_TIME_MS)
        if end < start:
            raise bad_data("end timestamp must not be before start timestamp")
        try:
            expr = self._parse(params.get("query"))
        except ParseError as error:
            raise bad_data(str(error)) from error
        ring = self._services.exemplars
        selectors = [node.matchers for node in walk(expr) if isinstance(node, VectorSelector)]
        if ring is None or not selectors:
            return success([])
        found = await request.app[WORKERS].read(lambda: ring.select(selectors, start, end))
        return success(
            [
                {"seriesLabels": series.to_dict(), "exemplars": [_exemplar(each) for each in own]}
                for series, own in found
            ]
        )

    async def format_query(self, request: web.Request) -> web.Response:
        from zseval.promql.syntax.printer import pretty

        return success(pretty(self._parsed((await Params.of(request)).get("query"))))

    async def parse_query(self, request: web.Request) -> web.Response:
        from zseval.web.translate import translate

        return success(translate(self._parsed((await Params.of(request)).get("query"))))

    def _parsed(self, text: str) -> Expr:
        try:
            return self._parse(text)
        except ParseError as error:
            raise invalid_parameter("query", error) from error

    def _parse(self, text: str) -> Expr:
        from zseval.promql.syntax.parser import parse

        return parse(text, features=self._services.features)


def _exemplar(exemplar: StoredExemplar) -> dict[str, object]:
    seconds, rest = divmod(exemplar.timestamp_ms, 1000)
    return {
        "labels": exemplar.labels.to_dict(),
        "value": format_f(exemplar.value),
        "timestamp": exemplar.timestamp_ms / 1000 if rest else seconds,
    }


def evaluation_of(params: Params) -> Evaluation:
    """start, end and step of a range query."""
    start, end = params.time_ms("start"), params.time_ms("end")
    if end < start:
        raise invalid_parameter("end", "end timestamp must not be before start time")
    step_ns = params.duration_ns("step")
    if step_ns <= 0:
        message = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise invalid_parameter("step", message)
    if (end - start) * 1_000_000 // step_ns > _MAX_POINTS:
        raise bad_data(_TOO_MANY_POINTS)
    return Evaluation(start, end, max(1, step_ns // 1_000_000))


def lookback_of(params: Params) -> int | None:
    text = params.get("lookback_delta")
    if not text:
        return None
    try:
        return parse_duration_ns(text) // 1_000_000 or None
    except ValueError as error:
        raise bad_data(f"error parsing lookback delta duration: {error}") from error


def execution_error(error: PromQLError) -> ApiError:
    match error:
        case QueryCanceledError():
            return ApiError(ErrorType.CANCELED, str(error))
        case QueryTimeoutError():
            return ApiError(ErrorType.TIMEOUT, str(error))
        case _:
            return ApiError(ErrorType.EXECUTION, str(error))


def _truncated(result: Result, limit: int) -> Result:
    """The first `limit` series."""
    rows = np.arange(limit)
    return dataclasses.replace(
        result,
        labels=result.labels.take(rows),
        values=result.values[:limit],
        present=None if result.present is None else result.present[:limit],
        histograms=None if result.histograms is None else result.histograms[:limit],
        times=result.times if result.times.ndim == 1 else result.times[:limit],
    )


def _stats_warning(value: str) -> str:
    return (
        f'value {quote(value)} for parameter "stats" is deprecated and will be rejected in the next '
        'major release, use "true" or "all"'
    )


def _with_stats(
    data: bytes, stats: Statistics | None, queued_s: float, total_s: float, *, per_step: bool
) -> bytes:
    """`data` with `stats`: timings under upstream's names, and samples where the engine counted them."""
    timings = {"execQueueTime": queued_s, "execTotalTime": queued_s + total_s, "evalTotalTime": total_s}
    made: dict[str, object] = {"timings": timings}
    if stats is not None:
        timings |= {"queryPreparationTime": stats.prepared_s, "innerEvalTime": stats.evaluated_s}
        made["samples"] = stats.to_json(per_step=per_step)
    return data[:-1] + b',"stats":' + orjson.dumps(made) + b"}"
