"""/api/v1/rules and /api/v1/alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from zseval.model.labels import quote
from zseval.model.matcher import Matcher
from zseval.model.number import format_e
from zseval.web.envelope import invalid_parameter, rfc3339, success
from zseval.web.params import Params
from zseval.web.services import AlertView, RuleGroupView, RuleView, Services

__all__ = ["RulesApi"]

_TRUE = frozenset(("1", "t", "true"))
_FALSE = frozenset(("", "0", "f", "false"))
_MAX_INT32 = 2**31 - 1


class RulesApi:
    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v1/rules", self.rules), web.get("/api/v1/alerts", self.alerts)]

    async def alerts(self, _request: web.Request) -> web.Response:
        rules = (rule for group in self._services.rule_groups() for rule in group.rules)
        return success({"alerts": [_alert(alert) for rule in rules for alert in rule.alerts]})

    async def rules(self, request: web.Request) -> web.Response:
        params = await Params.of(request)
        wanted = Wanted.of(params)
        size, token = _page(params)
        groups = sorted(self._services.rule_groups(), key=lambda group: (group.file, group.name))
        shown, following = _paged(groups, wanted, size, token)
        data: dict[str, Any] = {"groups": shown}
        if following:
            data["groupNextToken"] = following
        return success(data)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a request; empty ones let everything through."""

    names: frozenset[str]
    groups: frozenset[str]
    files: frozenset[str]
    kind: str
    matcher_sets: Sequence[Sequence[Matcher]]
    with_alerts: bool

    @classmethod
    def of(cls, params: Params) -> Wanted:
        matcher_sets = params.matcher_sets()
        kind = params.get("type").lower()
        if kind not in ("", "alert", "record"):
            raise invalid_parameter("type", f"not supported value {quote(kind)}")
        exclude = params.get("exclude_alerts").lower()
        if exclude not in _TRUE | _FALSE:
            reason = f"strconv.ParseBool: parsing {quote(exclude)}: invalid syntax"
            raise invalid_parameter("exclude_alerts", f"error converting exclude_alerts: {reason}")
        return cls(
            names=frozenset(params.all("rule_name[]")),
            groups=frozenset(params.all("rule_group[]")),
            files=frozenset(params.all("file[]")),
            kind=kind,
            matcher_sets=matcher_sets,
            with_alerts=exclude in _FALSE,
        )

    def has_group(self, group: RuleGroupView) -> bool:
        return (not self.groups or group.name in self.groups) and (not self.files or group.file in self.files)

    def has_rule(self, rule: RuleView) -> bool:
        if self.names and rule.name not in self.names:
            return False
        if self.kind and rule.is_alerting is not (self.kind == "alert"):
            return False
        return not self.matcher_sets or any(
            all(matcher.matches(rule.labels.get(matcher.name)) for matcher in matchers)
            for matchers in self.matcher_sets
        )


def _page(params: Params) -> tuple[int, str]:
    """How many groups a page has (0 for all), and the token of the first."""
    limit, token = params.get("group_limit"), params.get("group_next_token")
    if not limit:
        if token:
            message = "group_limit needs to be present in order to paginate over the groups"
            raise invalid_parameter("group_next_token", message)
        return 0, ""
    if not limit.lstrip("+-").isdecimal() or not limit.isascii():
        reason = f"strconv.ParseInt: parsing {quote(limit)}: invalid syntax"
        raise invalid_parameter("group_limit", f"group_limit needs to be a valid number: {reason}")
    if int(limit) > _MAX_INT32:
        reason = f"strconv.ParseInt: parsing {quote(limit)}: value out of range"
        raise invalid_parameter("group_limit", f"group_limit needs to be a valid number: {reason}")
    if int(limit) <= 0:
        raise invalid_parameter("group_limit", "group_limit needs to be greater than 0")
    return int(limit), token


def _paged(
    groups: Sequence[RuleGroupView], wanted: Wanted, size: int, token: str
) -> tuple[list[dict[str, Any]], str]:
    """The groups of a page that have rules to show, and the token of the next page or ""."""
    first = 0
    if token:
        starts = [index for index, group in enumerate(groups) if _token(group) == token]
        if not starts:
            message = f"invalid group_next_token '{token}'. were rule groups changed?"
            raise invalid_parameter("group_next_token", message)
        first = starts[0]
    shown: list[dict[str, Any]] = []
    for group in groups[first:]:
        rules = [rule for rule in group.rules if wanted.has_rule(rule)] if wanted.has_group(group) else []
        if not rules:
            continue
        if size and len(shown) == size:
            return shown, _token(group)
        shown.append(_group(group, rules, wanted.with_alerts))
    return shown, ""


def _token(group: RuleGroupView) -> str:
    return hashlib.sha256(f"{group.file};{group.name}".encode()).hexdigest()


def _group(group: RuleGroupView, rules: Sequence[RuleView], with_alerts: bool) -> dict[str, Any]:
    return {
        "name": group.name,
        "file": group.file,
        "rules": [_rule(rule, with_alerts) for rule in rules],
        "interval": group.interval_s,
        "limit": group.limit,
        "evaluationTime": group.evaluation_time_s,
        "lastEvaluation": rfc3339(group.last_evaluation_ms),
    }


def _rule(rule: RuleView, with_alerts: bool) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if rule.is_alerting:
        data["state"] = rule.state
    data |= {"name": rule.name, "query": rule.query}
    if rule.is_alerting:
        data |= {"duration": rule.hold_s, "keepFiringFor": rule.keep_firing_s}
    data["labels"] = rule.labels
    if rule.is_alerting:
        data["annotations"] = rule.annotations
        data["alerts"] = [_alert(alert) for alert in rule.alerts] if with_alerts else None
    data["health"] = rule.health
    if rule.last_error:
        data["lastError"] = rule.last_error
    return data | {
        "evaluationTime": rule.evaluation_time_s,
        "lastEvaluation": rfc3339(rule.last_evaluation_ms),
        "type": "alerting" if rule.is_alerting else "recording",
    }


def _alert(alert: AlertView) -> dict[str, Any]:
    data = {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state,
        "activeAt": rfc3339(alert.active_at_ms),
    }
    if alert.keep_firing_since_ms:
        data["keepFiringSince"] = rfc3339(alert.keep_firing_since_ms)
    return data | {"value": format_e(alert.value)}
