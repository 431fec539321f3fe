"""From a plan and the trace of its run to an Explanation."""

from __future__ import annotations

from zseval.model.duration import format_duration
from zseval.promql.exec.trace import Record, Shown, Trace
from zseval.promql.explain.explanation import Explanation, NodeReport, Value
from zseval.promql.explain.reasons import Outcome, why_empty
from zseval.promql.explain.selectors import Index, Indexed
from zseval.promql.plan.nodes import Node, Number, Plan, Read, StepInvariant, Text, children
from zseval.promql.result import Result

__all__ = ["explained"]

_KEPT_VALUES = 20  # series of a node that the JSON has
_LONGEST_EXPR = 70


def explained(
    plan: Plan, trace: Trace, db: object, lookback_ms: int, text: str, result: Result | None, error: str
) -> Explanation:
    """db: the store; where it has an index (TSDB has), reasons name what it holds instead."""
    index = Index(db) if isinstance(db, Indexed) else None
    root = _report(plan.root, trace, index, lookback_ms, text)
    return Explanation(
        text, trace.shown_at, plan.steps.count, tuple(map(_read, plan.reads)), root, result, error
    )


def _read(read: Read) -> str:
    matchers = ", ".join(map(str, read.matchers))
    return (
        f"{{{matchers}}}, the {format_duration(read.end_ms - read.start_ms)} up to {read.end_ms / 1000:.3f}"
    )


def _report(node: Node, trace: Trace, index: Index | None, lookback_ms: int, text: str) -> NodeReport:
    inputs = tuple(
        _report(each, trace, index, lookback_ms, text)
        for each in children(node)
        if not isinstance(each, Text)
    )
    record = trace.record(node)
    if isinstance(node, StepInvariant) and inputs:
        return inputs[0]  # it stands for what is inside, and has the same text
    expr = _excerpt(node, text)
    if record is None:
        return NodeReport(type(node).__name__, expr, was_run=False, inputs=inputs)
    reason = ""
    if record.shown is not None and not len(record.shown.labels) and not record.error:
        outcomes = [_outcome(each, trace) for each in children(node)]
        reason = why_empty(node, record.shown, outcomes, index, lookback_ms)
    values = () if record.shown is None else _values(record.shown)
    return NodeReport(
        kind=type(node).__name__,
        expr=expr,
        series=record.series,
        shown=0 if record.shown is None else len(record.shown.labels),
        samples=record.samples,
        seconds=record.seconds,
        values=values,
        reason=reason,
        error=record.error,
        inputs=inputs,
    )


def _outcome(node: Node, trace: Trace) -> Outcome:
    record: Record | None = trace.record(node)
    return Outcome(node, None if record is None else record.shown)


def _values(shown: Shown) -> tuple[Value, ...]:
    labels = [shown.labels[row] for row in range(min(len(shown.labels), _KEPT_VALUES))]
    counts = [None] * len(labels) if shown.counts is None else shown.counts[:_KEPT_VALUES].tolist()
    histograms = [""] * len(labels)
    if shown.histograms is not None:
        histograms = ["" if each is None else str(each) for each in shown.histograms[:_KEPT_VALUES]]
    return tuple(map(Value, labels, shown.values[:_KEPT_VALUES].tolist(), counts, histograms))


def _excerpt(node: Node, text: str) -> str:
    """The node's own text on one line, cut in the middle where it is long."""
    if isinstance(node, Number):
        own = text[node.span.start : node.span.end] or f"{node.value:g}"
    else:
        own = text[node.span.start : node.span.end] or text
    own = " ".join(own.split())
    if len(own) <= _LONGEST_EXPR:
        return own
    half = (_LONGEST_EXPR - 3) // 2
    return f"{own[:half]} … {own[-half:]}"
