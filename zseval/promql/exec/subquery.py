"""Subqueries: the values of an inner evaluation, read as samples."""

from __future__ import annotations

import numpy as np

from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RangeVector
from zseval.promql.exec.select import window_ends
from zseval.promql.exec.vector import Vector
from zseval.promql.kernels.windows import compact
from zseval.promql.plan.nodes import Subquery
from zseval.tsdb.frame import Frame

__all__ = ["subquery"]


def subquery(node: Subquery, inner: Vector, ctx: Context) -> RangeVector:
    """The range vector of a subquery whose expression gave `inner` at `node.steps`."""
    rows = np.arange(len(inner.labels), dtype=np.intp)
    times = node.steps.times
    if inner.present is None or inner.present.all():
        frame = Frame(rows, times, inner.values, None, has_stale=False)
    else:
        frame = Frame(rows, *compact(times, inner.values, inner.present), has_stale=False)
    return RangeVector(inner.labels, (frame,), window_ends(node, ctx), node.range_ms, inner.drop_name)
