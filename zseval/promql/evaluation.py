"""Evaluator: one query on one store, from its tree to its Result. Plan, select, evaluate.

Everything a query reads is selected first, then it is evaluated: samples that arrive meanwhile are
not seen, and strings made up on the way cannot collide with new ones in the store.

It imports all that queries need, half of what there is to import; the engine loads it for the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zseval.model.arrays import Histograms, Mask, Rows, Times, Values, is_histogram, no_histograms
from zseval.model.labels import METADATA_LABELS
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher
from zseval.model.symbols import SymbolTable
from zseval.promql.errors import EvaluationError, InvalidQueryError
from zseval.promql.exec.context import Context, Query
from zseval.promql.exec.extended import reach_of
from zseval.promql.exec.limits import Limits
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.exec.ranges import RangeVector, windows_of
from zseval.promql.exec.run import evaluate, evaluate_range_vector
from zseval.promql.exec.trace import Trace
from zseval.promql.exec.vector import Vector, merged, without_names
from zseval.promql.kernels.extended import edge_samples
from zseval.promql.kernels.windows import NO_TIME, Windows
from zseval.promql.plan.cache import Notes, PlanCache
from zseval.promql.plan.nodes import Node, Plan, Read, Subquery, Text, Window
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.result import Result
from zseval.promql.statistics import Statistics
from zseval.promql.syntax.ast import Expr
from zseval.promql.syntax.printer import to_text
from zseval.promql.syntax.value_type import ValueType
from zseval.tsdb.frame import Selection
from zseval.tsdb.start_times import StartTimes

if TYPE_CHECKING:
    from zseval.promql.explain.explanation import Explanation

__all__ = ["Database", "Evaluator"]


class Database(Protocol):
    """What the engine needs of a store: TSDB, or anything that selects."""

    @property
    def symbols(self) -> SymbolTable: ...
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection: ...
    def start_times(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[int, StartTimes] | None: ...


@dataclass(slots=True, eq=False)
class Evaluator:
    """One query. db: what it reads.  memo, plans: work of earlier queries on it.  expr: its tree.

    text: what the positions in the tree refer to, "" where only a tree was given.
    features: upstream's names of what is switched on.
    """

    db: Database
    memo: LabelMemo
    plans: PlanCache
    features: frozenset[str]
    settings: Settings
    limits: Limits
    expr: Expr
    text: str

    def plan(self, evaluation: Evaluation) -> Plan:
        """Raises EvaluationError for what cannot be planned."""
        return self._planned(evaluation)[0]

    def _planned(self, evaluation: Evaluation) -> tuple[Plan, Notes]:
        try:
            return self.plans.plan(self.expr, evaluation, self.settings, self.db.symbols)
        except InvalidQueryError as error:
            raise error.within(self.text) from None

    def result(self, evaluation: Evaluation, *, stats: bool) -> Result:
        """Raises EvaluationError, TooManySamplesError, QueryTimeoutError and QueryCanceledError."""
        plan, notes = self._planned(evaluation)
        trace = Trace(plan.steps, self.limits.clock) if stats else None
        return self._follow(plan, notes, trace, is_range=evaluation.step_ms > 0)

    def explanation(self, evaluation: Evaluation, time_ms: int) -> Explanation:
        """What each part gave, with values of the step at time_ms, and the error where it failed."""
        from zseval.promql.explain.build import explained

        plan, notes = self._planned(evaluation)
        trace = Trace(plan.steps, self.limits.clock, time_ms)
        result, error = None, ""
        try:
            result = self._follow(plan, notes, trace, is_range=evaluation.step_ms > 0)
        except EvaluationError as failure:
            error = str(failure)
        text = self.text or to_text(self.expr)
        return explained(plan, trace, self.db, self.settings.lookback_ms, text, result, error)

    def _follow(self, plan: Plan, notes: Notes, trace: Trace | None, *, is_range: bool) -> Result:
        limits = self.limits
        started = limits.clock()
        limits.check()
        selections = tuple([self._select(read) for read in plan.reads])
        if not notes.is_good_for(notes.base):  # it was before these were selected
            notes = Notes(notes.base)
        query = Query(
            base=notes.base,
            symbols=notes.symbols,
            selections=selections,
            memo=self.memo,
            limits=limits,
            lookback_ms=self.settings.lookback_ms,
            features=self.features,
            text=self.text,
            trace=trace,
            notes=notes.by_node,
        )
        prepared = limits.clock()
        ctx = Context(query, plan.steps)
        # Absent cells hold anything, even markers, which are signalling NaNs: no operation may warn of them.
        with np.errstate(all="ignore"):
            result = _value(plan, ctx, is_range=is_range)
        result.warnings.extend(query.annotations.warnings(self.text))
        result.infos.extend(query.annotations.infos(self.text))
        if trace is None:
            return result
        times = prepared - started, limits.clock() - prepared
        return replace(
            result, stats=Statistics(plan.steps.times, trace.loaded, trace.read, limits.peak, *times)
        )

    def _select(self, read: Read) -> Selection:
        """What a read selects, under the one LabelSets object that stands for these series."""
        selection = self.db.select(read.matchers, read.start_ms, read.end_ms)
        self.limits.hold(selection.size)
        labels = self.memo.get((selection.labels,), "series", lambda: self._labels_of(selection))
        starts = self._start_times(read, selection) if self.settings.start_times else None
        return selection.under(labels, starts)

    def _labels_of(self, selection: Selection) -> LabelSets:
        """One object for the same series, whatever selected them."""
        what = ("selection", selection.epoch, selection.ids.tobytes())
        return self.memo.get((self.db,), what, lambda: selection.labels)

    def _start_times(self, read: Read, selection: Selection) -> StartTimes | None:
        found = self.db.start_times(read.matchers, read.start_ms, read.end_ms)
        if found is None or found[0] != selection.epoch:  # renumbered in between: nothing fits any more
            return None
        return found[1].among(selection.ids)


def _value(plan: Plan, ctx: Context, *, is_range: bool) -> Result:
    times = plan.steps.times
    if isinstance(plan.root, Text):
        nothing = LabelSets.empty(0, ctx.query.base)
        return Result(plan.type, nothing, times, np.zeros((0, 1)), text=plan.root.value)
    if plan.type is ValueType.MATRIX:
        return _raw_matrix(plan.root, ctx)
    vector = evaluate(plan.root, ctx)
    if plan.type is ValueType.SCALAR and not is_range:
        return Result(plan.type, vector.labels, times, vector.values)
    return _vector_result(vector, times, ctx, is_range=is_range)


def _vector_result(vector: Vector, times: Times, ctx: Context, *, is_range: bool) -> Result:
    """Names that were to go at the end gone, rows without samples gone, a matrix sorted."""
    query = ctx.query
    if vector.drop_name is not None and vector.drop_name.any():
        vector = merged(_without_marked_names(vector, vector.drop_name, query), ctx)
    labels = vector.labels
    if is_range:
        held, order = vector.rows_present(), query.remember((labels,), "order", labels.order)
        vector = vector.take(order[held[order]])
    elif vector.present is not None:
        vector = vector.take(np.flatnonzero(vector.rows_present()))
    present = None if vector.present is None or vector.present.all() else vector.present
    kind = ValueType.MATRIX if is_range else ValueType.VECTOR
    histograms = vector.histograms
    if histograms is not None and not is_histogram(histograms).any():
        histograms = None
    labels = _readable(vector.labels, query)
    return Result(kind, labels, times, vector.values, present, histograms=histograms)


def _without_marked_names(vector: Vector, marked: Mask, query: Query) -> Vector:
    if marked.all():
        return replace(vector, labels=without_names(vector.labels, query), drop_name=None)
    labels = vector.labels
    for name in METADATA_LABELS:
        if name in labels.names:
            labels = labels.with_column(name, np.where(marked, 0, labels.column(name)).astype(np.int32))
    return replace(vector, labels=labels, drop_name=None)


def _readable(labels: LabelSets, query: Query) -> LabelSets:
    """With the table that has every string of this query."""
    symbols = query.symbols_of(labels)
    return labels if symbols is labels.symbols else LabelSets(labels.names, labels.codes, symbols)


def _raw_matrix(root: Node, ctx: Context) -> Result:
    """A range vector as the value of an instant query: samples with their own times."""
    if isinstance(root, Subquery):
        inner = evaluate(root.expr, ctx.at(root.steps))
        return _vector_result(inner, root.steps.times, ctx, is_range=True)
    vector = evaluate_range_vector(root, ctx)
    samples = _single_window
    if isinstance(root, Window) and root.extension is not None:
        if vector.histograms:
            modifier = root.extension.value
            raise EvaluationError(f"{modifier} modifier is not supported with histograms")
        samples = partial(edge_samples, reach=reach_of(root, ctx))
    parts = [(rows, *samples(windows)) for rows, windows in windows_of(vector, ctx)]
    widest = max((values.shape[1] for _, _, values, _ in parts), default=0)
    shape = (len(vector.labels), widest)
    times, values, present = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    for rows, part_times, part_values, counts in parts:
        width = part_values.shape[1]
        times[rows, :width] = part_times
        values[rows, :width] = part_values
        present[rows, :width] = np.arange(width) < counts[:, np.newaxis]
    histograms = None
    if vector.histograms:
        times, values, present, histograms = _with_histograms(vector, times, values, present)
    order = ctx.query.remember((vector.labels,), "order", vector.labels.order)
    rows = order[np.asarray(present.any(axis=1))[order]]
    labels = _readable(vector.labels.take(rows), ctx.query)
    histograms = None if histograms is None else histograms[rows]
    return Result(ValueType.MATRIX, labels, times[rows], values[rows], present[rows], histograms=histograms)


def _with_histograms(
    vector: RangeVector, times: Times, values: Values, present: Mask
) -> tuple[Times, Values, Mask, Histograms]:
    """Room to the right for the histograms of each series, and those in it; then all in time order."""
    end = int(vector.ends[0])
    parts = []
    for frame in vector.histograms:
        low, high = np.searchsorted(frame.times, [end - vector.width, end], side="right").tolist()
        parts.append((frame.row, frame.times[low:high], frame.values[low:high]))
    floats, room = times.shape[1], max(len(found) for _, found, _ in parts)
    wider = ((0, 0), (0, room))
    times, values, present = np.pad(times, wider), np.pad(values, wider), np.pad(present, wider)
    histograms = no_histograms(times.shape)
    for row, own_times, own in parts:
        kept = np.array([not each.is_stale for each in own], dtype=np.bool_)
        place = slice(floats, floats + int(kept.sum()))
        times[row, place], histograms[row, place], present[row, place] = own_times[kept], own[kept], True
    order = np.argsort(np.where(present, times, NO_TIME), axis=1, kind="stable")
    return (
        np.take_along_axis(times, order, 1),
        np.take_along_axis(values, order, 1),
        np.take_along_axis(present, order, 1),
        np.take_along_axis(histograms, order, 1),
    )


def _single_window(windows: Windows) -> tuple[Times, Values, Rows]:
    """The samples of the only window of each series, left-aligned: [S, T], [S, T], and how many, [S]."""
    series = len(windows.values)
    low = np.broadcast_to(windows.lo, (series, 1))
    counts = np.broadcast_to(windows.hi, (series, 1))[:, 0] - low[:, 0]
    columns = low + np.arange(int(counts.max(initial=0)))
    columns = np.minimum(columns, max(windows.values.shape[1] - 1, 0))
    times = np.broadcast_to(windows.times, windows.values.shape)
    return np.take_along_axis(times, columns, 1), np.take_along_axis(windows.values, columns, 1), counts
