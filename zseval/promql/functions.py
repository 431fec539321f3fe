"""The function table: one row says all there is about a function beyond its signature.

Argument types stand in `syntax/signatures.py`; the value comes from a kernel (numpy, no labels) or,
where labels are what the function is about, from `exec/calls.py` under the same name.
Source: promql/functions.go upstream.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from zseval.model.arrays import Mask, Values
from zseval.promql.kernels import (
    counters,
    extremes,
    gaps_over_time,
    gaps_quantile,
    gaps_rates,
    gaps_regression,
    over_time,
    quantile,
    regression,
    smoothing,
)
from zseval.promql.kernels.calendar import CALENDAR
from zseval.promql.kernels.elementwise import ELEMENTWISE
from zseval.tsdb.digest import Digest, ends, largest, least

__all__ = [
    "EXTENDED_FUNCTIONS",
    "FUNCTIONS",
    "ElementKernel",
    "Function",
    "GapsKernel",
    "Kind",
    "RangeKernel",
]

RangeKernel: TypeAlias = Callable[..., tuple[Values, Mask | None]]
"""f(windows, *params float64[K]) -> values float64[S, K], present bool[S, K] or None for everywhere."""

ElementKernel: TypeAlias = Callable[..., Values]
"""f(values float64[S, K], *params float64[K]) -> float64[S, K]."""


GapsKernel: TypeAlias = Callable[..., tuple[Values, Mask | None]]
"""f(gaps, *params float64[K]) -> as a RangeKernel, over series with missing samples."""


class Kind(enum.Enum):
    """How a function is evaluated."""

    RANGE = "a kernel over the windows of a range vector"
    ELEMENT = "a kernel over the cells of an instant vector"
    CALENDAR = "a kernel over Unix seconds, those of the step where no vector is given"
    OTHER = "exec/calls.py has it by name"


@dataclass(frozen=True, slots=True)
class Function:
    """name: as in the signature table.  kernel: for its kind, None for OTHER and absent_over_time.

    keeps_name: the metric name stays.
    varies_with_time: the value may change from step to step even if its arguments do not.
    counters_only: an info is due where the metric does not look like a counter.
    phased: its kernel takes series of several sources together (`windows.Phases`).
    gaps: takes the kernel's place for series that share their times but for missing samples.
    digest: all that the kernel needs of samples that lie in the window from end to end.
    """

    name: str
    kind: Kind
    kernel: Callable[..., object] | None = None
    keeps_name: bool = False
    varies_with_time: bool = False
    counters_only: bool = False
    phased: bool = False
    gaps: GapsKernel | None = None
    digest: Digest | None = None


def _range(name: str, kernel: RangeKernel) -> Function:
    return Function(name, Kind.RANGE, kernel)


def _phased(
    name: str,
    kernel: RangeKernel,
    *,
    keeps_name: bool = False,
    varies_with_time: bool = False,
    counters_only: bool = False,
    gaps: GapsKernel | None = None,
    digest: Digest | None = None,
) -> Function:
    return Function(name, Kind.RANGE, kernel, keeps_name, varies_with_time, counters_only, True, gaps, digest)


def _element(name: str, kernel: ElementKernel) -> Function:
    return Function(name, Kind.ELEMENT, kernel)


def _calendar(name: str, kernel: ElementKernel) -> Function:
    return Function(name, Kind.CALENDAR, kernel, varies_with_time=True)


def _other(name: str, *, varies_with_time: bool = False) -> Function:
    return Function(name, Kind.OTHER, varies_with_time=varies_with_time)


_ROWS = (
    _other("absent"),
    Function("absent_over_time", Kind.RANGE),
    _other("clamp"),
    _other("histogram_avg"),
    _other("histogram_count"),
    _other("histogram_fraction"),
    _other("histogram_quantile"),
    _other("histogram_quantiles"),
    _other("histogram_stddev"),
    _other("histogram_stdvar"),
    _other("histogram_sum"),
    _other("label_join"),
    _other("label_replace"),
    _other("max_of"),
    _other("min_of"),
    _other("pi"),
    _other("scalar"),
    _other("sort"),
    _other("sort_by_label"),
    _other("sort_by_label_desc"),
    _other("sort_desc"),
    _other("start_timestamp"),
    _other("time", varies_with_time=True),
    _other("timestamp", varies_with_time=True),
    _other("vector"),
    _phased("avg_over_time", over_time.avg_over_time, gaps=gaps_over_time.avg_over_time),
    _phased("changes", counters.changes),
    _phased("count_over_time", over_time.count_over_time, gaps=gaps_over_time.count_over_time, digest=ends),
    _phased("delta", counters.delta, gaps=gaps_rates.delta, digest=ends),
    _phased("deriv", regression.deriv, gaps=gaps_regression.deriv),
    _phased("double_exponential_smoothing", smoothing.double_exponential_smoothing),
    _phased(
        "first_over_time",
        over_time.first_over_time,
        keeps_name=True,
        gaps=gaps_over_time.first_over_time,
        digest=ends,
    ),
    _phased("idelta", counters.idelta),
    _phased("increase", counters.increase, counters_only=True, gaps=gaps_rates.increase, digest=ends),
    _phased("irate", counters.irate),
    _phased(
        "last_over_time",
        over_time.last_over_time,
        keeps_name=True,
        gaps=gaps_over_time.last_over_time,
        digest=ends,
    ),
    _phased("mad_over_time", quantile.mad_over_time),
    _phased("max_over_time", extremes.max_over_time, gaps=gaps_over_time.max_over_time, digest=largest),
    _phased("min_over_time", extremes.min_over_time, gaps=gaps_over_time.min_over_time, digest=least),
    _phased(
        "predict_linear",
        regression.predict_linear,
        varies_with_time=True,
        gaps=gaps_regression.predict_linear,
    ),
    _phased(
        "present_over_time", over_time.present_over_time, gaps=gaps_over_time.present_over_time, digest=ends
    ),
    _phased("quantile_over_time", quantile.quantile_over_time, gaps=gaps_quantile.quantile_over_time),
    _phased("rate", counters.rate, counters_only=True, gaps=gaps_rates.rate, digest=ends),
    _phased("resets", counters.resets),
    _phased("stddev_over_time", over_time.stddev_over_time),
    _phased("stdvar_over_time", over_time.stdvar_over_time),
    _phased("sum_over_time", over_time.sum_over_time, gaps=gaps_over_time.sum_over_time),
    _range("ts_of_first_over_time", over_time.ts_of_first_over_time),
    _range("ts_of_last_over_time", over_time.ts_of_last_over_time),
    _range("ts_of_max_over_time", extremes.ts_of_max_over_time),
    _range("ts_of_min_over_time", extremes.ts_of_min_over_time),
    *(_element(name, kernel) for name, kernel in ELEMENTWISE.items() if name != "clamp"),
    *(_calendar(name, kernel) for name, kernel in CALENDAR.items()),
)

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
"""By name. The planner has start, end, range, step and info; any other name missing here is not built yet."""

EXTENDED_FUNCTIONS = {
    "anchored": ("changes", "delta", "increase", "rate", "resets"),
    "smoothed": ("delta", "increase", "rate"),
}
"""What may read a range with a modifier, by the modifier; kernels/extended.py computes it."""
