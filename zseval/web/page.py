"""GET /: a plain page that lists what is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web

from zseval.web.html import page, table
from zseval.web.services import RuleView, Services, TargetView

__all__ = ["index_page"]

_PATHS = (
    ("/graph", "a query, and what it gives now"),
    ("/metrics", "what this node counts about itself"),
    ("/api/v1/targets", "targets and their health"),
    ("/api/v1/rules", "rule groups, rules and their alerts"),
    ("/api/v1/alerts", "active alerts"),
    ("/api/v1/alertmanagers", "Alertmanagers that are told"),
    ("/api/v1/labels", "label names"),
    ("/api/v1/query?query=up", "an instant query"),
    ("/federate?match[]=up", "the latest samples, for another Prometheus to scrape"),
    ("/api/v1/status/config", "the configuration in force"),
    ("/api/v1/status/runtimeinfo", "how this process does"),
    ("/api/v1/status/tsdb", "what the store holds"),
)


def index_page(services: Services) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def index(_request: web.Request) -> web.Response:
        rules = [rule for group in services.rule_groups() for rule in group.rules]
        parts = [
            "<h1>zseval</h1>",
            "<h2>Targets</h2>",
            table(("job", "target", "health", "error"), [_target(each) for each in services.targets()]),
            "<h2>Alerts</h2>",
            table(("alert", "state", "labels"), [row for rule in rules for row in _alerts(rule)]),
            "<h2>Paths</h2>",
            table(("path", ""), [(_link(path), escape(text)) for path, text in _PATHS]),
        ]
        return web.Response(text=page("zseval", "".join(parts)), content_type="text/html")

    return index


def _link(path: str) -> str:
    return f'<a href="{escape(path)}">{escape(path)}</a>'


def _marked(word: str) -> str:
    return f'<span class="{escape(word)}">{escape(word)}</span>'


def _target(target: TargetView) -> tuple[str, ...]:
    url = target.scrape_url  # not a link: a target names its URL, and it need not be a harmless one
    return escape(target.scrape_pool), escape(url), _marked(target.health), escape(target.last_error)


def _alerts(rule: RuleView) -> list[tuple[str, ...]]:
    return [
        (escape(rule.name), _marked(alert.state), escape(str(alert.labels.without("alertname"))))
        for alert in rule.alerts
    ]
