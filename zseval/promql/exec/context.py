"""Query and Context: what an evaluation may use, and how much of it.

A Query is one run of the engine, with its limits and what it gathers; a Context is that query at
one set of steps (a subquery and a step-invariant expression have steps of their own).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from zseval.model.labelsets import LabelSets
from zseval.model.symbols import ScopedSymbols, SymbolTable
from zseval.promql.annotations import Annotations
from zseval.promql.exec.limits import Limits
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.plan.steps import Steps
from zseval.tsdb.frame import Selection

if TYPE_CHECKING:
    from zseval.promql.exec.trace import Trace

__all__ = ["Context", "Query"]

T = TypeVar("T")


@dataclass(slots=True)
class Query:
    """One run: selections by the number of their read, strings made up on the way, limits, annotations.

    base: the store's symbols; label sets over it are the same objects in every run, and only their label
    work is remembered. symbols: base plus this run's own strings.
    features: upstream's names of what is switched on.
    text: the query as it was written, "" where only its tree is known.
    notes: by id of a node, what it worked out about label sets last time; it begins with those.
    trace: records what each node does, where somebody asked for it.
    """

    base: SymbolTable
    symbols: ScopedSymbols
    selections: tuple[Selection, ...]
    memo: LabelMemo
    limits: Limits
    lookback_ms: int
    features: frozenset[str] = frozenset()
    text: str = ""
    annotations: Annotations = field(default_factory=Annotations)
    trace: Trace | None = None
    notes: dict[int, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def delayed_names(self) -> bool:
        """Metric names are dropped at the end of the query."""
        return "promql-delayed-name-removal" in self.features

    def remember(self, sets: tuple[LabelSets, ...], what: Hashable, make: Callable[[], T]) -> T:
        """`make()`, or its value from an earlier run over the same label sets."""
        for each in sets:
            if each.symbols is not self.base:
                return make()
        return self.memo.get(sets, what, make)

    def no_labels(self) -> LabelSets:
        """One series without labels: those of every scalar, and the same object each time."""
        return self.memo.get((self.base,), "no labels", lambda: LabelSets.empty(1, self.base))

    def symbols_of(self, *sets: LabelSets) -> SymbolTable:
        """The table that knows every string of all these sets."""
        made_up = any(each.symbols is not self.base for each in sets)
        return self.symbols if made_up else self.base


@dataclass(slots=True, eq=False)  # not frozen, as Vector is not
class Context:
    """A query at a set of steps.

    totals_only: of native histograms only count and sum will be used, and selectors say of each
    whether it is a counter reset (upstream: HistogramStatsIterator).
    """

    query: Query
    steps: Steps
    totals_only: bool = False

    def at(self, steps: Steps) -> Context:
        return Context(self.query, steps, self.totals_only)

    def for_totals(self, wanted: bool) -> Context:
        return self if wanted is self.totals_only else Context(self.query, self.steps, wanted)
