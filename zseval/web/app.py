"""The web application: routes, and what is the same for every request.

Imports aiohttp; nothing else of zseval imports this but who serves it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from functools import lru_cache

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from zseval.web.body import size_of
from zseval.web.envelope import ApiError, ErrorType, error_response
from zseval.web.explain import ExplainApi
from zseval.web.graph import graph_page
from zseval.web.metrics import MetricsApi
from zseval.web.page import index_page
from zseval.web.params import MAX_FORM_BYTES
from zseval.web.query import QueryApi
from zseval.web.rules import RulesApi
from zseval.web.series import SeriesApi
from zseval.web.services import Services
from zseval.web.status import StatusApi
from zseval.web.targets import TargetsApi
from zseval.web.workers import WORKERS, Workers
from zseval.web.write import WriteApi

__all__ = ["create_app"]

log = logging.getLogger("zseval.web")

_SMALLEST_COMPRESSED = 1024
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
}
_CORS_HEADERS = {
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Origin",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Expose-Headers": "Date",
}


def create_app(services: Services) -> web.Application:
    """The application that answers for these services. Close it with `await app.cleanup()`."""
    app = web.Application(
        client_max_size=MAX_FORM_BYTES,
        middlewares=[
            _counting(services),
            _dressing(re.compile(services.cors_origin)),
            _error_middleware,
            _readiness(services),
        ],
    )
    for api in (QueryApi, ExplainApi, SeriesApi, TargetsApi, RulesApi, StatusApi, MetricsApi, WriteApi):
        app.router.add_routes(api(services).routes())
    app.router.add_routes(
        [
            web.get("/", index_page(services)),
            web.get("/graph", graph_page(services)),
            web.get("/query", graph_page(services)),
            web.options("/api/v1/{path:.*}", _options),
        ]
    )
    app.cleanup_ctx.append(_workers(services.max_concurrency))
    return app


async def _options(_request: web.Request) -> web.Response:
    return web.Response(status=204)


def _workers(max_concurrency: int) -> Callable[[web.Application], AsyncIterator[None]]:
    async def running(app: web.Application) -> AsyncIterator[None]:
        app[WORKERS] = Workers(max_concurrency)
        yield
        app[WORKERS].close()

    return running


# Middlewares, outermost first -----------------------------------------------------------------------


def _counting(services: Services) -> Middleware:
    requests = services.registry.counter(
        "prometheus_http_requests_total", "Counter of HTTP requests.", "handler", "code"
    )

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else "unmatched"
        requests.inc(path, str(response.status))
        return response

    return count


def _dressing(origins: re.Pattern[str]) -> Middleware:
    """CORS and security headers, and compression."""

    @web.middleware
    async def dress(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(_SECURITY_HEADERS)
        if request.path.startswith("/api/"):
            _allow_origin(request, response, origins)
        _compress(request, response)
        return response

    return dress


def _allow_origin(request: web.Request, response: web.StreamResponse, origins: re.Pattern[str]) -> None:
    origin = request.headers.get(hdrs.ORIGIN, "")
    if not origin:
        return
    response.headers.update(_CORS_HEADERS)
    response.headers.add(hdrs.VARY, "Origin")
    if origins.pattern == ".*":
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    elif origins.fullmatch(origin):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin


def _compress(request: web.Request, response: web.StreamResponse) -> None:
    if not isinstance(response, web.Response) or size_of(response.body) < _SMALLEST_COMPRESSED:
        return
    response.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    coding = _coding(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
    if coding is not None:
        response.enable_compression(coding)


@lru_cache(64)
def _coding(header: str) -> web.ContentCoding | None:
    """The coding to use for a client; those with weight 0 it does not accept."""
    accepted = set()
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if re.fullmatch(r"q=0(\.0*)?", weight.strip()) is None:
            accepted.add(name.strip())
    codings = (web.ContentCoding.gzip, web.ContentCoding.deflate)
    return next((coding for coding in codings if coding.value in accepted), None)


@web.middleware
async def _error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes a response: the API's as its envelope, others as upstream's plain text."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except web.HTTPMethodNotAllowed as error:
        is_known = error.allowed_methods != {hdrs.METH_OPTIONS}  # which every path of the API takes
        return web.Response(text="Method Not Allowed\n", status=405) if is_known else _not_found()
    except web.HTTPNotFound:
        return _not_found()
    except web.HTTPException as error:
        return web.Response(text=f"{error.reason}\n", status=error.status)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return error_response(ApiError(ErrorType.INTERNAL, "internal error, see the log"))


def _not_found() -> web.Response:
    return web.Response(text="404 page not found\n", status=404)


def _readiness(services: Services) -> Middleware:
    """Until the node is ready the API answers 503, as upstream's does."""

    @web.middleware
    async def ready(request: web.Request, handler: Handler) -> web.StreamResponse:
        waits = request.path.startswith("/api/") or request.path == "/federate"
        if waits and not services.is_ready():
            return web.Response(text="Service Unavailable", status=503)
        return await handler(request)

    return ready
