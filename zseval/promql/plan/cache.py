"""PlanCache: plans of expressions asked again and again at other times.

A rule or a dashboard asks the same expression every few seconds. Its plan is the same each time but for
the times it reads, unless the expression itself names times: then it is built anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from zseval.model.symbols import ScopedSymbols, SymbolTable
from zseval.promql.plan.build import build
from zseval.promql.plan.nodes import Plan, Read
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.syntax.ast import Expr

__all__ = ["Notes", "PlanCache"]

_KEPT = 1000  # the rules of a node and a few dashboards
_MADE_UP = 10_000  # strings, of count_values mostly, before it is begun anew
_ASKED = 3  # times an expression is asked before notes are kept of it


class Notes:
    """What the nodes of one expression worked out about labels when they were evaluated last.

    Each node keeps one note, by its identity, which begins with the label sets it is about: they are the same
    objects again as long as the same series are selected. Threads may evaluate one expression at a time;
    a note is replaced as a whole.
    symbols: strings the expression made up, over the store's.
    """

    __slots__ = ("_known", "base", "by_node", "symbols")

    def __init__(self, base: SymbolTable) -> None:
        self.base = base
        self.symbols = ScopedSymbols(base)
        self.by_node: dict[int, tuple[object, ...]] = {}
        self._known = len(base)

    def is_good_for(self, base: SymbolTable) -> bool:
        """False where a string made up may have come to the store since: it would have two symbols."""
        made_up = len(self.symbols)
        return base is self.base and (not made_up or (len(base) == self._known and made_up < _MADE_UP))


class PlanCache:
    """The plans used last. Any thread may use it."""

    __slots__ = ("_lock", "_plans")

    def __init__(self) -> None:
        self._plans: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._plans)

    def plan(
        self, expr: Expr, evaluation: Evaluation, settings: Settings, base: SymbolTable
    ) -> tuple[Plan, Notes]:
        """As `build`, and raises as it does. With notes of earlier evaluations over these symbols."""
        key = (id(expr), evaluation.end_ms - evaluation.start_ms, evaluation.step_ms, settings)
        with self._lock:
            known = self._plans.get(key)
            if known is not None:
                self._plans.move_to_end(key)
                return _moved(known.plan, evaluation), known.notes_over(base)
        plan = build(expr, evaluation, settings)
        if plan.moves:
            with self._lock:
                self._plans[key] = _Kept(expr, plan)
                if len(self._plans) > _KEPT:
                    self._plans.popitem(last=False)
        return plan, Notes(base)


@dataclass(slots=True, eq=False)
class _Kept:
    """expr: kept with its plan, so that its id stays its own."""

    expr: Expr
    plan: Plan
    asked: int = 1
    notes: Notes | None = None

    def notes_over(self, base: SymbolTable) -> Notes:
        """Those of earlier evaluations, once the expression was asked often enough."""
        self.asked += 1
        if self.notes is not None and self.notes.is_good_for(base):
            return self.notes
        made = Notes(base)
        if self.asked > _ASKED:
            self.notes = made
        return made


def _moved(plan: Plan, evaluation: Evaluation) -> Plan:
    """The plan for the same expression at another time."""
    steps = evaluation.steps
    delta = steps.start_ms - plan.steps.start_ms
    if delta == 0:
        return plan
    reads = tuple(Read(read.matchers, read.start_ms + delta, read.end_ms + delta) for read in plan.reads)
    return Plan(plan.root, reads, steps, plan.type, plan.moves)
