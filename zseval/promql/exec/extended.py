"""Selectors with the anchored or smoothed modifier: wider windows, and kernels that know of it."""

from __future__ import annotations

from zseval.promql.exec.context import Context
from zseval.promql.exec.histogram_extended import smoothed_histograms
from zseval.promql.exec.ranges import RangeVector, windows_of
from zseval.promql.exec.select import assemble, window_ends
from zseval.promql.exec.selected_histograms import selected_histograms
from zseval.promql.exec.vector import Vector
from zseval.promql.functions import RangeKernel
from zseval.promql.kernels.extended import KERNELS, Reach, smoothed_at
from zseval.promql.plan.nodes import Extension, Select, Window

__all__ = ["extended_kernel", "extended_vector", "reach_of", "smoothed_select"]


def reach_of(node: Window, ctx: Context) -> Reach:
    return Reach(node.range_ms, ctx.query.lookback_ms, node.extension is Extension.SMOOTHED)


def extended_vector(node: Window, ctx: Context) -> RangeVector:
    """The samples of an extended range, in windows as wide as its modifier makes them."""
    selection, reach = ctx.query.selections[node.read], reach_of(node, ctx)
    ends = window_ends(node, ctx) + reach.after
    return RangeVector(
        selection.labels,
        selection.frames,
        ends,
        reach.before + reach.after,
        histograms=selected_histograms(selection, ctx),
        reach=reach,
    )


def extended_kernel(name: str, node: Window, ctx: Context) -> RangeKernel:
    """The kernel of a function over an extended range; the planner lets no other function see one."""
    kernel, reach = KERNELS[name], reach_of(node, ctx)
    return lambda windows: kernel(windows, reach)


def smoothed_select(node: Select, ctx: Context) -> Vector:
    """The vector of a smoothed instant selector."""
    query, count = ctx.query, ctx.steps.count
    selection, lookback = query.selections[node.read], query.lookback_ms
    wide = RangeVector(
        selection.labels,
        selection.frames,
        window_ends(node, ctx) + lookback,
        lookback + lookback,
        histograms=selected_histograms(selection, ctx),
    )
    query.limits.hold(len(selection.labels) * count)
    parts = [(rows, *smoothed_at(windows, lookback)) for rows, windows in windows_of(wide, ctx)]
    query.limits.hold(-len(selection.labels) * count)
    vector = Vector(selection.labels, *assemble(len(selection.labels), count, parts))
    return smoothed_histograms(vector, wide, ctx, node.span.start) if wide.histograms else vector
