"""share_selectors: one read for selectors with the same matchers and overlapping time ranges.

before: reads x (0, 60], x (0, 60], x (30, 60]        after: reads x (0, 60]

Reads that lie apart (`x - x offset 1w`) stay apart: their union would hold what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zseval.model.matcher import Matcher
from zseval.promql.plan.nodes import Node, Plan, Read, Select, Window, children, with_children

__all__ = ["share_selectors"]


def share_selectors(plan: Plan) -> Plan:
    if len(plan.reads) < 2:
        return plan
    numbers, reads = _share(plan.reads)
    return replace(plan, root=_renumber(plan.root, numbers), reads=tuple(reads))


def _share(reads: Sequence[Read]) -> tuple[dict[int, int], list[Read]]:
    """For each read the number of the one that replaces it, and those."""
    by_matchers: dict[tuple[Matcher, ...], list[int]] = {}
    for number, read in enumerate(reads):
        by_matchers.setdefault(read.matchers, []).append(number)
    shared: list[Read] = []
    numbers: dict[int, int] = {}
    for members in by_matchers.values():
        last_end: int | None = None
        for number in sorted(members, key=lambda number: reads[number].start_ms):
            read = reads[number]
            if last_end is not None and read.start_ms <= last_end:
                last_end = max(last_end, read.end_ms)
                shared[-1] = replace(shared[-1], end_ms=last_end)
            else:
                shared.append(read)
                last_end = read.end_ms
            numbers[number] = len(shared) - 1
    return numbers, shared


def _renumber(node: Node, numbers: dict[int, int]) -> Node:
    if isinstance(node, Select | Window):
        return replace(node, read=numbers[node.read])
    return with_children(node, tuple(_renumber(child, numbers) for child in children(node)))
