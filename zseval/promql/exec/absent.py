"""absent, absent_over_time and scalar: from many series, or none, to exactly one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zseval.model.arrays import Mask
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher, MatchType
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector, windows_of
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.windows import window_bounds
from zseval.promql.plan.nodes import Node, Select, Window

__all__ = ["absent", "absent_over_time", "labels_of_absent", "scalar"]


def absent(vector: Vector, argument: Node, ctx: Context) -> Vector:
    """1 at every step without any series, under the labels the selector asks for."""
    return _ones_where(~np.any(vector.mask(), axis=0), argument, ctx)


def absent_over_time(vector: RangeVector, argument: Node, ctx: Context) -> Vector:
    """1 at every step whose windows are all empty."""
    found = np.zeros(len(vector.ends), dtype=np.bool_)
    for _, windows in windows_of(vector, ctx):
        found |= (windows.counts > 0).any(axis=0) if windows.counts.ndim == 2 else windows.counts > 0
    for frame in vector.histograms:
        kept = np.array([not each.is_stale for each in frame.values], dtype=np.bool_)
        low, high = window_bounds(frame.times[kept], vector.ends, vector.width)
        found |= high > low
    return _ones_where(~found, argument, ctx)


def _ones_where(missing: Mask, argument: Node, ctx: Context) -> Vector:
    matchers = argument.matchers if isinstance(argument, Select | Window) else ()
    labels = LabelSets.of([labels_of_absent(matchers)], ctx.query.symbols)
    return Vector(labels, np.ones((1, len(missing))), missing[np.newaxis, :])


def labels_of_absent(matchers: Sequence[Matcher]) -> Labels:
    """The labels a missing series would surely have: those matched by `=` once, and by nothing else."""
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.type is MatchType.EQUAL and matcher.name not in seen:
            labels[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            labels.pop(matcher.name, None)
    return Labels(labels)


def scalar(vector: Vector, ctx: Context) -> Vector:
    """The value of the only series at each step, NaN where there is none or more than one."""
    vector = vector.floats()
    present = vector.mask()
    alone = present.sum(axis=0) == 1
    if len(vector.labels) == 0:
        return Vector.scalar(np.full(ctx.steps.count, np.nan), ctx.query)
    picked = np.take_along_axis(vector.values, present.argmax(axis=0)[np.newaxis, :], axis=0)[0]
    return Vector.scalar(np.where(alone, picked, np.nan), ctx.query)
