"""A plan as text and as JSON, in the words of the plan's nodes."""

from __future__ import annotations

from collections.abc import Iterator

from zseval.model.duration import format_duration
from zseval.promql.functions import Function
from zseval.promql.plan.nodes import Node, Plan, Read, children, own_fields
from zseval.promql.plan.steps import Steps
from zseval.promql.syntax.ast import VectorMatching

__all__ = ["explain", "explain_json"]


def explain(plan: Plan) -> str:
    """The tree of the plan, a node a line, after the reads it makes."""
    lines = [f"{plan.type.documented} {plan.steps}"]
    lines += [f"read {number}: {_read(read)}" for number, read in enumerate(plan.reads)]
    return "\n".join([*lines, *_lines(plan.root, 0)])


def explain_json(plan: Plan) -> dict[str, object]:
    """The same as a JSON object: type, steps, reads and the tree under `root`."""
    return {
        "type": plan.type.value,
        "steps": {
            "start_ms": plan.steps.start_ms,
            "interval_ms": plan.steps.interval_ms,
            "count": plan.steps.count,
        },
        "reads": [_read(read) for read in plan.reads],
        "root": _tree(plan.root),
    }


def _lines(node: Node, depth: int) -> Iterator[str]:
    details = " ".join(f"{name}={_show(value)}" for name, value in _details(node))
    yield f"{'  ' * depth}{type(node).__name__}{' ' if details else ''}{details}"
    for child in children(node):
        yield from _lines(child, depth + 1)


def _tree(node: Node) -> dict[str, object]:
    tree: dict[str, object] = {"node": type(node).__name__}
    tree.update((name, _show(value)) for name, value in _details(node))
    inputs = [_tree(child) for child in children(node)]
    return {**tree, "inputs": inputs} if inputs else tree


def _details(node: Node) -> list[tuple[str, object]]:
    """The fields worth a look: those that are not at a plain default."""
    return [
        (name, value)
        for name, value in own_fields(node)
        if not (value is None or value is False or value == () or (name == "offset_ms" and value == 0))
    ]


def _show(value: object) -> str:
    match value:
        case Function():
            return value.name
        case Steps():
            return str(value)
        case tuple():
            return "{" + ", ".join(map(str, value)) + "}"
        case VectorMatching():
            kind = "on" if value.on else "ignoring"
            included = f" include({', '.join(value.include)})" if value.include else ""
            return f"{value.cardinality.value} {kind}({', '.join(value.labels)}){included}"
        case _:
            return str(value)


def _read(read: Read) -> str:
    matchers = ", ".join(map(str, read.matchers))
    length = format_duration(read.end_ms - read.start_ms)
    return f"{{{matchers}}} from {read.start_ms} to {read.end_ms} ({length})"
