"""Start times of samples (use-start-timestamps): counters that look at them, and start_timestamp()."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.labels import METRIC_NAME
from zseval.model.labelsets import LabelSets
from zseval.model.symbols import texts
from zseval.promql.exec.context import Context
from zseval.promql.exec.ranges import RowsKernel
from zseval.promql.exec.select import sample_times
from zseval.promql.exec.vector import Vector
from zseval.promql.functions import RangeKernel
from zseval.promql.kernels.started import KERNELS, overlaps
from zseval.promql.kernels.windows import Windows
from zseval.promql.plan.nodes import SampleTimes
from zseval.tsdb.start_times import StartTimes

__all__ = ["STARTED", "start_timestamps", "started_kernel"]

STARTED = frozenset(KERNELS)
_WARNS = ("increase", "rate")


def started_kernel(
    name: str, plain: RangeKernel, found: StartTimes, labels: LabelSets, start: int, ctx: Context
) -> RowsKernel:
    """The kernel of a function by rows and windows; `plain` for series that have no start time.

    labels: of all rows.  start: where the range vector stands in the text.
    """
    kernel = KERNELS[name]
    known = np.zeros(len(labels), dtype=np.bool_)
    known[found.rows] = True

    def run(rows: Rows, windows: Windows) -> tuple[Values, Mask | None]:
        if not known[rows].any():
            return plain(windows)
        starts = found.at(rows[:, np.newaxis], windows.times)
        if name in _WARNS:
            _warn(labels, rows, overlaps(windows, starts), start, ctx)
        return kernel(windows, starts)

    return run


def _warn(labels: LabelSets, rows: Rows, counts: Rows, start: int, ctx: Context) -> None:
    some = np.flatnonzero(counts)
    names: Sequence[str] = texts(ctx.query.symbols, labels.column(METRIC_NAME)[rows[some]])
    for name, count in zip(names, counts[some].tolist(), strict=True):
        ctx.query.annotations.start_time_overlap(name, count, start)


def start_timestamps(node: SampleTimes, ctx: Context) -> Vector:
    """Unix seconds of the start times of the samples a selector picks, 0 where one has none."""
    times = sample_times(node, ctx)
    found = ctx.query.selections[node.select.read].starts
    if found is None:
        return times.with_values(np.zeros(times.values.shape), times.present)
    rows = np.arange(len(times.labels), dtype=np.intp)[:, np.newaxis]
    milliseconds = np.rint(times.values * 1000).astype(np.int64)
    return times.with_values(found.at(rows, milliseconds) / 1000.0, times.present)
