"""/api/v1/zseval/explain, an endpoint of our own: what each part of a query gave, and why it is empty."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from aiohttp import web

from zseval.errors import PromQLError
from zseval.promql.errors import InvalidQueryError, ParseError
from zseval.promql.plan.request import Evaluation
from zseval.web.envelope import invalid_parameter, success
from zseval.web.params import Params
from zseval.web.query import evaluation_of, execution_error, lookback_of
from zseval.web.services import Services
from zseval.web.workers import WORKERS

if TYPE_CHECKING:
    from zseval.promql.explain.explanation import Explanation

__all__ = ["ExplainApi"]


class ExplainApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        path = "/api/v1/zseval/explain"
        return [web.get(path, self.explain), web.post(path, self.explain)]

    async def explain(self, request: web.Request) -> web.Response:
        """Parameters as of query (`time`), or as of query_range where `start` is given; values are then shown
        of the step at `time`, by default the last."""
        params = await Params.of(request)
        services = self._services
        if params.get("start"):
            evaluation = evaluation_of(params)
            at = params.time_ms("time", evaluation.end_ms)
        else:
            at = params.time_ms("time", services.now_ms())
            evaluation = Evaluation.instant(at)
        text, lookback = params.get("query"), lookback_of(params)

        def work(seconds: float, cancel: threading.Event) -> Explanation:
            return services.engine.explain_at(
                text, evaluation, at, lookback_ms=lookback, timeout=seconds, cancel=cancel
            )

        try:
            made = await request.app[WORKERS].query(request, params.timeout(services.timeout), work)
        except (ParseError, InvalidQueryError) as error:
            raise invalid_parameter("query", error) from error
        except PromQLError as error:
            raise execution_error(error) from error
        result = made.result
        if result is None:
            return success(made.to_json())
        return success(made.to_json(), warnings=result.warnings, infos=result.infos)
