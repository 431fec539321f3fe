"""Engine: text in, Result out. Parse, plan, select, evaluate; synchronous, usable from any thread.

Everything a query reads is selected first, then it is evaluated: samples that arrive meanwhile are
not seen, and strings made up on the way cannot collide with new ones in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zseval.model.arrays import Histograms, Mask, Rows, Times, Values, is_histogram, no_histograms
from zseval.model.duration import parse_duration
from zseval.model.labels import METADATA_LABELS, quote
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher
from zseval.model.symbols import ScopedSymbols, SymbolTable
from zseval.promql.errors import EvaluationError, InvalidQueryError
from zseval.promql.exec.context import CancelToken, Context, Limits, Query
from zseval.promql.exec.extended import reach_of
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.exec.ranges import RangeVector, windows_of
from zseval.promql.exec.run import evaluate, evaluate_range_vector
from zseval.promql.exec.trace import Trace
from zseval.promql.exec.vector import Vector, merged, without_names
from zseval.promql.kernels.extended import edge_samples
from zseval.promql.kernels.windows import NO_TIME, Windows
from zseval.promql.plan.build import Evaluation, Settings, build
from zseval.promql.plan.nodes import Node, Plan, Read, Subquery, Text, Window
from zseval.promql.result import Result
from zseval.promql.statistics import Statistics
from zseval.promql.syntax.ast import Expr, ValueType
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import to_text
from zseval.tsdb.frame import Selection
from zseval.tsdb.start_times import StartTimes

if TYPE_CHECKING:
    from zseval.promql.explain.explanation import Explanation

__all__ = ["FEATURES", "Database", "Engine"]

FEATURES = frozenset(
    {
        "promql-experimental-functions",
        "promql-delayed-name-removal",
        "promql-duration-expr",
        "promql-extended-range-selectors",
        "promql-binop-fill-modifiers",
        "type-and-unit-labels",
        "use-start-timestamps",
        "promql-per-step-stats",
    }
)
"""Upstream's feature names that concern queries."""

_PARSED_QUERIES = 1000  # a few dashboards and every rule of a node


class Database(Protocol):
    """What the engine needs of a store: TSDB, or anything that selects."""

    @property
    def symbols(self) -> SymbolTable: ...
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection: ...
    def start_times(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[int, StartTimes] | None: ...


class Engine:
    """Evaluates PromQL on one store.

    lookback: how old the sample of an instant selector may be.
    features: names from FEATURES, or "all".
    max_samples: how many samples a query may hold at once.  timeout: seconds a query may take.
    default_step: the step of subqueries that name none (Prometheus: the global evaluation interval);
    default_step_ms is it in ms, and may be changed.
    clock: seconds on a scale that only goes forward, for the timeout; a test gives its own.
    """

    def __init__(
        self,
        db: Database,
        lookback: str = "5m",
        *,
        features: Collection[str] | str = frozenset(),
        max_samples: int = 50_000_000,
        timeout: float = 120.0,
        default_step: str = "1m",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.db = db
        self.lookback_ms = parse_duration(lookback)
        self.default_step_ms = parse_duration(default_step)
        self.features = _features(features)
        self.max_samples = max_samples
        self.timeout = timeout
        self._clock = clock
        self._memo = LabelMemo()
        self._parse_text = lru_cache(_PARSED_QUERIES)(partial(parse, features=self.features))

    def instant(self, expr: str | Expr, time: float, *, timeout: float | None = None) -> Result:
        """The value of an expression at one time, Unix seconds.

        Raises ParseError, InvalidQueryError, EvaluationError, TooManySamplesError and QueryTimeoutError, all
        PromQLErrors.
        """
        return self.instant_at(expr, _milliseconds(time), timeout=timeout)

    def range(
        self, expr: str | Expr, start: float, end: float, step: float, *, timeout: float | None = None
    ) -> Result:
        """The values of an expression from start to end (Unix seconds), `step` seconds apart, as a matrix.

        Raises as `instant` does, and ValueError for a step of less than a millisecond.
        """
        start_ms, end_ms = _milliseconds(start), _milliseconds(end)
        return self.range_at(expr, start_ms, end_ms, _milliseconds(step), timeout=timeout)

    def instant_at(
        self,
        expr: str | Expr,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result:
        """`instant` in milliseconds, with a lookback of its own and a token that calls it off.

        stats: count samples, which costs a little; they are the result's `stats`.
        """
        parsed, text = self._parse(expr)
        limits = self._limits(timeout, cancel)
        return self._run(parsed, text, Evaluation.instant(time_ms), lookback_ms, limits, stats=stats)

    def range_at(
        self,
        expr: str | Expr,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result:
        """`range` in milliseconds, with what `instant_at` takes."""
        if step_ms <= 0:
            raise ValueError("the step of a range query must be at least a millisecond")
        parsed, text = self._parse(expr)
        if parsed.type not in (ValueType.VECTOR, ValueType.SCALAR):
            raise InvalidQueryError(
                f"invalid expression type {quote(parsed.type.documented)} for range query, "
                "must be Scalar or instant Vector"
            )
        limits = self._limits(timeout, cancel)
        evaluation = Evaluation(start_ms, end_ms, step_ms)
        return self._run(parsed, text, evaluation, lookback_ms, limits, stats=stats)

    def explain(
        self,
        expr: str | Expr,
        time: float,
        *,
        start: float | None = None,
        end: float | None = None,
        step: float | None = None,
    ) -> Explanation:
        """What each part of a query gave, and why it is empty where it is. `print` it.

        time: Unix seconds, the moment whose values are shown. With start, end and step the query is a
        range query, and counts are of all its steps.
        Raises ParseError, QueryTimeoutError, and EvaluationError for what cannot even be planned.
        """
        evaluation = Evaluation.instant(_milliseconds(time))
        if start is not None and end is not None and step is not None:
            evaluation = Evaluation(_milliseconds(start), _milliseconds(end), max(1, _milliseconds(step)))
        return self.explain_at(expr, evaluation, _milliseconds(time))

    def explain_at(
        self,
        expr: str | Expr,
        evaluation: Evaluation,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Explanation:
        """`explain` in milliseconds."""
        from zseval.promql.explain.build import explained

        parsed, text = self._parse(expr)
        settings, limits = self._settings(lookback_ms), self._limits(timeout, cancel)
        plan = _build(parsed, text, evaluation, settings)
        trace = Trace(plan.steps, self._clock, time_ms)
        result, error = None, ""
        try:
            result = self._follow(plan, text, settings, limits, trace, is_range=evaluation.step_ms > 0)
        except EvaluationError as failure:
            error = str(failure)
        return explained(plan, trace, self.db, settings.lookback_ms, text or to_text(parsed), result, error)

    def plan(self, expr: str | Expr, evaluation: Evaluation, *, lookback_ms: int | None = None) -> Plan:
        """The plan an evaluation would follow; `zseval.promql.plan.explain` prints it."""
        return _build(*self._parse(expr), evaluation, self._settings(lookback_ms))

    def _settings(self, lookback_ms: int | None) -> Settings:
        starts = "use-start-timestamps" in self.features
        return Settings(lookback_ms or self.lookback_ms, self.default_step_ms, starts)

    def _limits(self, timeout: float | None, cancel: CancelToken | None) -> Limits:
        seconds = self.timeout if timeout is None else min(timeout, self.timeout)
        return Limits(self.max_samples, self._clock() + seconds, self._clock, cancel)

    def _parse(self, expr: str | Expr) -> tuple[Expr, str]:
        """The tree, and the text that positions refer to ("" where only a tree was given)."""
        if not isinstance(expr, str):
            return expr, ""
        return self._parse_text(expr), expr

    def _run(
        self,
        expr: Expr,
        text: str,
        evaluation: Evaluation,
        lookback_ms: int | None,
        limits: Limits,
        *,
        stats: bool,
    ) -> Result:
        settings = self._settings(lookback_ms)
        plan = _build(expr, text, evaluation, settings)
        trace = Trace(plan.steps, self._clock) if stats else None
        return self._follow(plan, text, settings, limits, trace, is_range=evaluation.step_ms > 0)

    def _follow(
        self,
        plan: Plan,
        text: str,
        settings: Settings,
        limits: Limits,
        trace: Trace | None,
        *,
        is_range: bool,
    ) -> Result:
        started = self._clock()
        limits.check()
        base = self.db.symbols
        query = Query(
            base=base,
            symbols=ScopedSymbols(base),
            selections=tuple(self._select(read, limits) for read in plan.reads),
            memo=self._memo,
            limits=limits,
            lookback_ms=settings.lookback_ms,
            features=self.features,
            text=text,
            trace=trace,
        )
        prepared = self._clock()
        ctx = Context(query, plan.steps)
        # Absent cells hold anything, even markers, which are signalling NaNs: no operation may warn of them.
        with np.errstate(all="ignore"):
            result = _value(plan, ctx, is_range=is_range)
        result.warnings.extend(query.annotations.warnings(text))
        result.infos.extend(query.annotations.infos(text))
        if trace is None:
            return result
        times = prepared - started, self._clock() - prepared
        return replace(
            result, stats=Statistics(plan.steps.times, trace.loaded, trace.read, limits.peak, *times)
        )

    def _select(self, read: Read, limits: Limits) -> Selection:
        """What a read selects, under the one LabelSets object that stands for these series."""
        selection = self.db.select(read.matchers, read.start_ms, read.end_ms)
        limits.hold(sum(frame.size for frame in selection.frames))
        what = ("selection", selection.epoch, selection.ids.tobytes())
        labels = self._memo.get((self.db,), what, lambda: selection.labels)
        starts = self._start_times(read, selection) if "use-start-timestamps" in self.features else None
        return Selection(
            selection.ids, selection.epoch, labels, selection.frames, selection.histograms, starts
        )

    def _start_times(self, read: Read, selection: Selection) -> StartTimes | None:
        found = self.db.start_times(read.matchers, read.start_ms, read.end_ms)
        if found is None or found[0] != selection.epoch:  # renumbered in between: nothing fits any more
            return None
        return found[1].among(selection.ids)


def _build(expr: Expr, text: str, evaluation: Evaluation, settings: Settings) -> Plan:
    try:
        return build(expr, evaluation, settings)
    except InvalidQueryError as error:
        raise error.within(text) from None


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
    labels, held = vector.labels, vector.rows_present()
    rows = np.flatnonzero(held)
    if is_range:
        order = query.remember((labels,), "order", labels.order)
        rows = order[held[order]]
    vector = vector.take(rows)
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


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _features(names: Collection[str] | str) -> frozenset[str]:
    if names == "all":
        return FEATURES
    chosen = frozenset((names,) if isinstance(names, str) else names)
    unknown = sorted(chosen - FEATURES)
    if unknown:
        raise ValueError(f"unknown feature {quote(unknown[0])}; known are {', '.join(sorted(FEATURES))}")
    return chosen
