"""What aggregations that are taken before a function, instead of after it, have in common.

Which samples they are of, what was added up so far, and the way of series that this does not work for.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from zseval.model.arrays import Mask, Rows, Times, Values
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, parts_of
from zseval.promql.exec.select import assemble, last_of, window_ends
from zseval.promql.exec.vector import without_names
from zseval.promql.functions import Function, RangeKernel
from zseval.promql.kernels.groups import sums_and_counts
from zseval.promql.kernels.sums import add_compensated
from zseval.promql.plan.nodes import Aggregate, Call, Select, Window
from zseval.tsdb.frame import Frame, Selection

__all__ = ["LEAST_CELLS", "WORTHWHILE", "Source", "Total", "each_alone"]

LEAST_CELLS = 1 << 14
"""Cells of all frames together: below, the usual way costs less."""

WORTHWHILE = 8
"""Series a frame must have: below, the usual way costs less."""


_OF_TWO = frozenset({"delta", "deriv", "increase", "rate"})
"""Functions that need two samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is aggregated: a selector, or a function of one.

    labels: as the function leaves them.  ends: int64[K], ms, and width: ms, of windows or lookback.
    """

    selection: Selection
    labels: LabelSets
    ends: Times
    width: int
    function: Function | None
    start: int

    @classmethod
    def of(cls, node: Aggregate, functions: Container[str], ctx: Context, *, least: int = 0) -> Source | None:
        """What node aggregates, where that is floats alone, of a selector or one of the functions.

        least: None where there are fewer cells.
        """
        query, inner = ctx.query, node.expr
        if query.trace is not None or query.delayed_names:
            return None
        function: Function | None = None
        if isinstance(inner, Call) and inner.function.name in functions:
            function, inner = inner.function, inner.args[0]
        elif isinstance(inner, Call):
            return None
        if isinstance(inner, Select) and not inner.smoothed:
            width = query.lookback_ms
        elif isinstance(inner, Window) and inner.extension is None:
            width = inner.range_ms
        else:
            return None
        selection = query.selections[inner.read]
        if selection.histograms or selection.cohorts or selection.starts is not None:
            return None
        if selection.size < least:
            return None
        labels = selection.labels
        if function is not None:
            labels = without_names(labels, query)
            if query.remember((labels,), "group", labels.group).count < len(labels):
                return None  # series that may come to clash: the usual way tells
        return cls(selection, labels, window_ends(inner, ctx), width, function, inner.span.start)

    @property
    def least(self) -> int:
        """Samples a window needs."""
        return 2 if self.function is not None and self.function.name in _OF_TWO else 1


@dataclass(slots=True, eq=False)
class Total:
    """What was added up so far: sums with what rounding lost, and counts, float64[G, K].

    lost: None while nothing is.
    """

    sums: Values
    counts: Values
    lost: Values | None = None
    _seen: list[tuple[Rows, Mask | None]] = field(default_factory=list)

    @classmethod
    def of(cls, groups: int, steps: int) -> Total:
        """Of nothing yet."""
        return cls(np.zeros((groups, steps)), np.zeros((groups, steps)))

    def add(self, values: Values) -> None:
        """values: float64[G, K]; what rounding loses is kept."""
        if self.lost is None:
            self.lost = np.zeros(self.sums.shape)
        self.sums[:], self.lost[:] = add_compensated(values, self.sums, self.lost)

    def add_alone(self, rows: Rows, values: Values, present: Mask | None, groups: Rows) -> None:
        """Adds series each of which went through the function by itself. groups: of all series."""
        sums, counts = sums_and_counts(values, present, groups[rows], len(self.sums))
        self.count(rows, counts, None if present is None else np.logical_or.reduce(present, axis=1))
        self.add(sums)

    def count(self, rows: Rows, counts: Values, seen: Mask | None) -> None:
        """counts: float64[G, K] of these series.  seen: bool[n], which have a value; None for all."""
        self.counts += counts
        self._seen.append((rows, seen))

    def count_held(self, rows: Rows, ids: Rows, held: Mask) -> None:
        """Counts series that have a value at the same steps. ids: intp[n], their groups.  held: bool[K]."""
        sizes = np.bincount(ids, minlength=len(self.counts)).astype(np.float64)
        seen = None if held.any() else np.zeros(len(rows), dtype=np.bool_)
        self.count(rows, sizes[:, np.newaxis] * held, seen)

    def seen(self, groups: Rows) -> Mask:
        """bool[S], the series that have a value at some step."""
        seen = np.zeros(len(groups), dtype=np.bool_)
        for rows, some in self._seen:
            seen[rows] |= True if some is None else some
        return seen

    def value(self, op: str) -> Values:
        if op == "count":
            return self.counts
        if op == "group":
            return np.ones(self.counts.shape)
        counts = np.maximum(self.counts, 1.0) if op == "avg" else 1.0
        return self.sums / counts if self.lost is None else self.sums / counts + self.lost / counts


def each_alone(frames: Sequence[Frame], source: Source, ctx: Context) -> tuple[Rows, Values, Mask | None]:
    """The usual way: each series by itself through the function.

    Returns rows: intp[n], values: float64[n, K], and where they are present.
    """
    vector = RangeVector(source.labels, frames, source.ends, source.width)
    parts: list[tuple[Rows, Values, Mask | None]] = []
    if source.function is None:
        for frame in frames:
            ctx.query.limits.check()
            last = last_of(frame, source.ends, source.width)
            parts.append((frame.rows, last[0], last[1]))
    else:
        kernel = cast("RangeKernel", source.function.kernel)
        parts = parts_of(source.function, lambda _rows, windows: kernel(windows), vector, ctx, together=True)
    rows = np.concatenate([part[0] for part in parts])
    places = np.cumsum([0, *(len(part[0]) for part in parts)])
    placed = [
        (np.arange(first, first + len(part[0]), dtype=np.intp), part[1], part[2])
        for first, part in zip(places.tolist(), parts, strict=False)
    ]
    return rows, *assemble(len(rows), len(source.ends), placed)
