"""step_invariant: what has the same value at every step is evaluated at the first one only.

before: x / sum(x @ end())           after: x / StepInvariant(sum(x @ end()))

The largest invariant expressions are wrapped. Range vectors are not (the function over them is), nor
are numbers, which cost nothing.
Source: promql/engine.go, preprocessExprHelper.
"""

from __future__ import annotations

from dataclasses import replace

from zseval.promql.plan.nodes import (
    Call,
    Info,
    Node,
    Number,
    Plan,
    SampleTimes,
    Select,
    StepInvariant,
    Subquery,
    Text,
    Window,
    children,
    with_children,
)

__all__ = ["step_invariant"]


def step_invariant(plan: Plan) -> Plan:
    root, invariant = _visit(plan.root)
    return replace(plan, root=_wrap(root) if invariant else root)


def _visit(node: Node) -> tuple[Node, bool]:
    """The node with its largest invariant inputs wrapped, and whether it is invariant as a whole."""
    match node:
        case Number() | Text():
            return node, True
        case Select() | Window():
            return node, node.at_ms is not None
        case SampleTimes():
            return node, node.select.at_ms is not None
        case Info():
            inner, invariant = _visit(node.expr)
            if invariant and node.times.select.at_ms is not None:
                return replace(node, expr=inner), True
            return replace(node, expr=_wrap(inner) if invariant else inner), False
        case Subquery():
            inner, invariant = _visit(node.expr)
            return replace(node, expr=_wrap(inner) if invariant else inner), node.at_ms is not None
    visited = [_visit(child) for child in children(node)]
    varies = isinstance(node, Call) and node.function.varies_with_time
    if not varies and all(invariant for _, invariant in visited):
        return with_children(node, tuple(child for child, _ in visited)), True
    wrapped = tuple(_wrap(child) if invariant else child for child, invariant in visited)
    return with_children(node, wrapped), False


def _wrap(node: Node) -> Node:
    if isinstance(node, Number | Text | Window | Subquery):
        return node
    return StepInvariant(node, node.span)
