"""Sums and averages of native histograms, by group and step.

Source: promql/engine.go (aggregation).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zseval.model.arrays import Rows, is_histogram, no_histograms
from zseval.model.histogram import Histogram, IncompatibleSchemaError
from zseval.model.histogram.sums import mean_of, sum_of
from zseval.model.labels import METRIC_NAME
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector
from zseval.promql.plan.nodes import Aggregate

__all__ = ["with_histogram_totals"]


def with_histogram_totals(
    node: Aggregate, floats: Vector, vector: Vector, groups: Rows, ctx: Context
) -> Vector:
    """The sum or avg of the floats, with that of the histograms where groups have some.

    floats: what the kernel made of the float cells, a row a group.  groups: intp[S].
    A group with both at one step has no result there.
    """
    if vector.histograms is None:
        return floats
    values, present = floats.values, floats.mask().copy()
    made = no_histograms(present.shape)
    gathered: dict[tuple[int, int], list[int]] = {}
    held = is_histogram(vector.histograms)
    for step, row in np.argwhere(held.T).tolist():
        gathered.setdefault((int(groups[row]), step), []).append(row)
    for (group, step), rows in gathered.items():
        if present[group, step]:
            ctx.query.annotations.mixed_types_in_aggregation(node.expr.span.start)
            present[group, step] = False
            continue
        found = _total(node, vector, rows, step, ctx)
        present[group, step] = found is not None
        made[group, step] = found
    return replace(floats, values=values, present=present, histograms=made)


def _total(node: Aggregate, vector: Vector, rows: list[int], step: int, ctx: Context) -> Histogram | None:
    assert vector.histograms is not None, "the caller gathers cells that are histograms"
    annotations, start = ctx.query.annotations, node.expr.span.start
    histograms: list[Histogram] = [vector.histograms[row, step] for row in rows]
    try:
        total = (mean_of if node.op == "avg" else sum_of)(histograms)
    except IncompatibleSchemaError:
        custom = [each.is_custom for each in histograms]
        first = next(row for row, each in zip(rows, custom, strict=True) if each is not custom[0])
        name = int(vector.labels.column(METRIC_NAME)[first])
        annotations.mixed_schemas(ctx.query.symbols.text(name), start)
        return None
    if total.reconciled:
        annotations.reconciled_bounds("aggregation", start)
    if total.collision:
        annotations.conflicting_resets("aggregation", start)
    return total.total().compact()
