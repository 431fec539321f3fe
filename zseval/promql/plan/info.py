"""info(): which series are info series, which of their labels count, and at which time they are looked at.

Source: promql/info.go upstream (effectiveInfoNameMatchers, infoSelectTimestampAndOffset).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zseval.model.labels import METRIC_NAME
from zseval.model.matcher import Matcher, MatchType
from zseval.promql.syntax import ast

__all__ = ["info_names", "reference"]

_TARGET_INFO = Matcher.metric("target_info")
_POSITIVE = (MatchType.EQUAL, MatchType.REGEX)


def info_names(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    """The matchers for the names of info series, of those given for any label.

    target_info where there is none; names that end in `_info` where only exclusions are given.
    """
    names = tuple(matcher for matcher in matchers if matcher.name == METRIC_NAME)
    if any(matcher.type in _POSITIVE for matcher in names):
        return names
    return (Matcher(MatchType.REGEX, METRIC_NAME, ".+_info"), *names) if names else (_TARGET_INFO,)


def reference(
    expr: ast.Expr, offset_ms: Callable[[ast.Duration], int]
) -> tuple[int, int | ast.AtBound | None]:
    """The offset in ms and the `@` time that the first selector of an expression is read at.

    Offsets of the subqueries around it add up, to where an `@` makes what is further out irrelevant.
    """
    path = _first_selector(expr)
    offset, at = 0, None
    for node in reversed(path):
        if at is not None:
            break
        if isinstance(node, ast.VectorSelector | ast.SubqueryExpr):
            offset += offset_ms(node.offset)
            at = node.at
    return offset, at


def _first_selector(expr: ast.Expr) -> list[ast.Expr]:
    """The first vector selector, and before it all that it stands in; empty where there is none."""
    if isinstance(expr, ast.VectorSelector):
        return [expr]
    # As upstream walks the tree: an aggregation's own expression before its parameter.
    for child in ast.children(expr):
        path = _first_selector(child)
        if path:
            return [expr, *path]
    return []
