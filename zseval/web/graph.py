"""GET /graph: an expression and what it gives now, where the links of alerts lead.

Prometheus' address, `/graph?g0.expr=…&g0.tab=1`, and its newer name `/query`; of several panels the first.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any
from urllib.parse import quote_plus

from aiohttp import web

from zseval.errors import PromQLError
from zseval.model.labels import METRIC_NAME, Labels
from zseval.web.html import page, table
from zseval.web.params import Params
from zseval.web.services import Services
from zseval.web.workers import WORKERS

__all__ = ["graph_page"]

_MOST_ROWS = 1_000
_EXAMPLES = ("up", "ALERTS", "count by (job) ({__name__=~'.+'})")


def graph_page(services: Services) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def graph(request: web.Request) -> web.Response:
        params = await Params.of(request)
        text = params.get("g0.expr")

        def work(seconds: float, cancel: threading.Event) -> str:
            result = services.engine.instant_at(text, services.now_ms(), timeout=seconds, cancel=cancel)
            return _outcome(result.to_json(), [*result.warnings, *result.infos])

        outcome = _hint()
        if text.strip():
            try:
                outcome = await request.app[WORKERS].query(request, services.timeout, work)
            except PromQLError as error:
                outcome = f"<pre class=error>{escape(str(error))}</pre>"
        body = [
            '<p><a href="./">zseval</a></p><form action="graph"><textarea name="g0.expr" rows=3>',
            f"{escape(text)}</textarea>",
            '<input type=hidden name="g0.tab" value=1><button>Execute</button></form>',
            outcome,
        ]
        return web.Response(text=page(text or "Query", "".join(body)), content_type="text/html")

    return graph


def _hint() -> str:
    links = (
        f'<a href="graph?g0.expr={quote_plus(each)}&amp;g0.tab=1">{escape(each)}</a>' for each in _EXAMPLES
    )
    return f"<p>Try {', '.join(links)}</p>"


def _outcome(data: dict[str, Any], notes: list[str]) -> str:
    """The API's data as a table, and what the query is to be told about."""
    kind, found = data["resultType"], data["result"]
    parts = [f"<p class=pending>{escape(note)}</p>" for note in notes]
    if kind in ("scalar", "string"):
        return "".join([*parts, table((kind, ""), [("", escape(str(found[1])))])])
    if not found:
        parts.append("<p>Empty query result</p>")
        return "".join(parts)
    rows = [(escape(_name(each["metric"])), _value(each)) for each in found[:_MOST_ROWS]]
    parts.append(f"<p>{len(found):,} series</p>")
    if len(found) > len(rows):
        parts.append(f"<p class=pending>the first {_MOST_ROWS:,} of them</p>")
    return "".join([*parts, table(("series", "value"), rows)])


def _name(metric: dict[str, str]) -> str:
    """The series as an expression would name it."""
    name, labels = metric.get(METRIC_NAME, ""), Labels(metric).without(METRIC_NAME)
    return name if name and not labels else f"{name}{labels}"


def _value(entry: dict[str, Any]) -> str:
    """One value, a histogram's count and sum, or the values of a range with their times."""
    if "value" in entry:
        return escape(entry["value"][1])
    if "histogram" in entry:
        return _histogram(entry["histogram"][1])
    values = [f"{escape(value)} @{time}" for time, value in entry.get("values", ())]
    values += [f"{_histogram(value)} @{time}" for time, value in entry.get("histograms", ())]
    return "<br>".join(values)


def _histogram(value: dict[str, Any]) -> str:
    return escape(f"count: {value['count']}, sum: {value['sum']}")
