"""Why a node is empty although its inputs are not: in words, from what they gave at the step shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.duration import format_duration
from zseval.model.labels import METRIC_NAME
from zseval.model.number import format_f
from zseval.promql.exec.match import match_labels
from zseval.promql.exec.trace import Shown
from zseval.promql.explain.selectors import Index, listed, why_nothing
from zseval.promql.functions import Kind
from zseval.promql.kernels.arithmetic import COMPARISON
from zseval.promql.plan.nodes import (
    Aggregate,
    Binary,
    Call,
    Info,
    Node,
    SampleTimes,
    Select,
    Subquery,
    Window,
)
from zseval.promql.syntax.ast import VectorMatching

__all__ = ["Outcome", "why_empty"]

_COUNTED = ("topk", "bottomk", "limitk")


@dataclass(frozen=True, slots=True)
class Outcome:
    """An input and what it gave; None where it was not evaluated by itself."""

    node: Node
    shown: Shown | None

    @property
    def count(self) -> int:
        return 0 if self.shown is None else len(self.shown.labels)

    def span_of_values(self) -> str:
        """`2`, or `between 1 and 3`."""
        assert self.shown is not None
        values = self.shown.values[~np.isnan(self.shown.values)]
        if not len(values):
            return "NaN"
        low, high = format_f(float(values.min())), format_f(float(values.max()))
        text = low if low == high else f"between {low} and {high}"
        return text if len(values) == len(self.shown.values) else f"{text}, or NaN"

    def are_histograms(self) -> bool:
        """Whether every series is a native histogram."""
        if self.shown is None or self.shown.histograms is None:
            return False
        return all(each is not None for each in self.shown.histograms)


def why_empty(
    node: Node, shown: Shown, inputs: Sequence[Outcome], index: Index | None, lookback_ms: int
) -> str:
    """The reason, or "" where an input that is empty is reason enough. shown: what the node gave, nothing."""
    match node:
        case Select() | Window():
            return _selector(node, shown.time_ms, index, lookback_ms)
        case SampleTimes(select=select):
            return _selector(select, shown.time_ms, index, lookback_ms)
        case Subquery():
            return _subquery(node, inputs[0])
        case Binary(matching=None):
            return _comparison(node, inputs)
        case Binary():
            return _vectors(node, *inputs)
        case Aggregate():
            return _aggregation(node, inputs)
        case Call():
            return _call(node, inputs)
        case Info() if inputs[0].count:
            asked = ",".join(map(str, (*node.names, *node.labels)))
            return f"no info series of {{{asked}}} goes with its argument"
        case _:
            return ""


def _selector(node: Select | Window, time_ms: int, index: Index | None, lookback_ms: int) -> str:
    if index is None:
        return "no series matches here"
    end = (time_ms if node.at_ms is None else node.at_ms) - node.offset_ms
    if isinstance(node, Window):
        what = f"its range of {format_duration(node.range_ms)}"
        return why_nothing(index, node.matchers, end, node.range_ms, what)
    what = f"the lookback of {format_duration(lookback_ms)}"
    return why_nothing(index, node.matchers, end, lookback_ms, what)


def _subquery(node: Subquery, inner: Outcome) -> str:
    if node.steps.count == 0:
        return f"no multiple of its step lies in the {format_duration(node.range_ms)} up to this step"
    return "its expression has no value in the range of this step" if inner.count else ""


def _call(node: Call, inputs: Sequence[Outcome]) -> str:
    name = node.function.name
    if node.function.kind is Kind.RANGE:
        samples = next(each for each in inputs if isinstance(each.node, Window | Subquery))
        return _too_few(name, samples)
    if not any(each.count for each in inputs):
        return ""
    if name in ("absent", "absent_over_time"):
        return f"{name}() has a value only where its argument has none"
    if name in ("histogram_quantile", "histogram_fraction", "histogram_quantiles"):
        return "no series of its argument is a histogram bucket with a label le"
    if name.startswith("histogram_"):
        return f"{name}() takes native histograms; no series of its argument is one"
    if any(each.are_histograms() for each in inputs):
        return f"{name}() takes floats; all series of its argument are native histograms"
    return ""


def _too_few(name: str, samples: Outcome) -> str:
    if not samples.count or samples.shown is None or samples.shown.counts is None:
        return ""
    if name == "absent_over_time":
        return "absent_over_time() has a value only where its argument has none"
    node = samples.node
    assert isinstance(node, Window | Subquery)
    most, width = int(samples.shown.counts.max()), format_duration(node.range_ms)
    if most < 2:
        return (
            f"{name}() needs two samples of a series; none has more than one in {width} "
            "(a longer range, or more frequent scrapes)"
        )
    return f"{name}() makes no value of the samples, at most {most} of a series in {width}"


def _aggregation(node: Aggregate, inputs: Sequence[Outcome]) -> str:
    vector = inputs[-1]
    if not vector.count:
        return ""
    param = inputs[0].shown if len(inputs) > 1 else None
    if node.op in _COUNTED and param is not None and len(param.values):
        return f"{node.op}() of {format_f(float(param.values[0]))} series is none"
    return f"{node.op}() takes none of its input's {vector.count} series"


# Binary operators -----------------------------------------------------------------------------------


def _comparison(node: Binary, inputs: Sequence[Outcome]) -> str:
    """A vector and a scalar."""
    vector, scalar = (inputs[1], inputs[0]) if node.lhs_scalar else (inputs[0], inputs[1])
    if not vector.count or scalar.shown is None or not len(scalar.shown.values):
        return ""
    if node.op not in COMPARISON:
        return f"{node.op} makes no value of native histograms and a number"
    assert vector.shown is not None
    if vector.shown.histograms is not None:
        return f"{node.op} does not compare native histograms"
    limit = format_f(float(scalar.shown.values[0]))
    test = f"{limit} {node.op} value" if node.lhs_scalar else f"value {node.op} {limit}"
    return f"{test} holds for none of {vector.count} series: they are {vector.span_of_values()}"


def _vectors(node: Binary, left: Outcome, right: Outcome) -> str:
    assert node.matching is not None, "of two vectors"
    if node.op == "unless":
        return "every series of the left side has a match on the right" if left.count else ""
    if not left.count or not right.count or left.shown is None or right.shown is None:
        return ""
    if node.op in COMPARISON and _meet(left.shown, right.shown, node.matching):
        return f"series match, but left {node.op} right holds for none of them"
    return _mismatch(left.shown, right.shown, node.matching)


def _meet(left: Shown, right: Shown, matching: VectorMatching) -> bool:
    signatures = [
        {match_labels(each, matching.on, matching.labels) for each in side.labels.to_list()}
        for side in (left, right)
    ]
    return not signatures[0].isdisjoint(signatures[1])


def _mismatch(left: Shown, right: Shown, matching: VectorMatching) -> str:
    """Which labels keep the two sides apart."""
    names = matching.labels
    if not matching.on:
        both = {*left.labels.names, *right.labels.names}
        names = tuple(sorted(both - {METRIC_NAME, *matching.labels}))
    one_sided, different = [], []
    for name in names:
        lefts, rights = _values(left, name), _values(right, name)
        if not lefts.isdisjoint(rights):
            continue
        if "" in lefts | rights and (len(lefts) == 1 or len(rights) == 1):
            side = "right" if lefts == {""} else "left"
            one_sided.append((name, side))
        else:
            sides = f"{listed(sorted(lefts))} on the left, {listed(sorted(rights))} on the right"
            different.append(f"label {name} is {sides}")
    if not one_sided and not different:
        return f"no series of the two sides agree in all of: {', '.join(names)}"
    parts = [f"label {name} is only on the {side}" for name, side in one_sided] + different
    hint = ""
    if one_sided and not matching.on:
        left_out = ", ".join((*matching.labels, *(name for name, _ in one_sided)))
        hint = f" (ignoring({left_out}) leaves it out)"
    return "no series of the two sides match: " + "; ".join(parts) + hint


def _values(shown: Shown, name: str) -> set[str]:
    return {labels.get(name) or "" for labels in shown.labels.to_list()}
