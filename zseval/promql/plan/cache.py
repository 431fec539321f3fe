"""PlanCache: plans of expressions asked again and again at other times.

A rule or a dashboard asks the same expression every few seconds. Its plan is the same each time but for
the times it reads, unless the expression itself names times: then it is built anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace

from zseval.promql.plan.build import build
from zseval.promql.plan.nodes import Plan, Read
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.syntax.ast import Expr

__all__ = ["PlanCache"]

_KEPT = 1000  # the rules of a node and a few dashboards


class PlanCache:
    """The plans used last. Any thread may use it."""

    __slots__ = ("_lock", "_plans")

    def __init__(self) -> None:
        # The tree is kept with its plan, so that its id stays its own.
        self._plans: OrderedDict[Hashable, tuple[Expr, Plan]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._plans)

    def plan(self, expr: Expr, evaluation: Evaluation, settings: Settings) -> Plan:
        """As `build`, and raises as it does."""
        key = (id(expr), evaluation.end_ms - evaluation.start_ms, evaluation.step_ms, settings)
        with self._lock:
            known = self._plans.get(key)
            if known is not None:
                self._plans.move_to_end(key)
                return _moved(known[1], evaluation)
        plan = build(expr, evaluation, settings)
        if plan.moves:
            with self._lock:
                self._plans[key] = expr, plan
                if len(self._plans) > _KEPT:
                    self._plans.popitem(last=False)
        return plan


def _moved(plan: Plan, evaluation: Evaluation) -> Plan:
    """The plan for the same expression at another time."""
    steps = evaluation.steps
    delta = steps.start_ms - plan.steps.start_ms
    if delta == 0:
        return plan
    reads = tuple(Read(read.matchers, read.start_ms + delta, read.end_ms + delta) for read in plan.reads)
    return replace(plan, reads=reads, steps=steps)
