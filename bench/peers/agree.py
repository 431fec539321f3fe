"""Whether two servers gave the same answer.

With Prometheus an answer has to agree in every series, timestamp and value, the last within 1e-9 of its
size. VictoriaMetrics means something else by rate and its kin, looks further back, and keeps some metric
names: there the series have to be the same, the points almost all, and the values where it means the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Agreement", "Disagreement", "compare", "require"]

_TOLERANCE = 1e-9
_SHARED = 0.95

Points = dict[float, float]
Series = dict[tuple[tuple[str, str], ...], Points]


class Disagreement(Exception):  # noqa: N818 - a finding
    """What is different, and where."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """series, points: how many both have.  shared: points of both / points of either.

    apart: the largest difference of two values, as a share of the larger.
    only: label sets that just one of them has.
    """

    series: int
    points: int
    shared: float
    apart: float
    only: tuple[str, ...] = ()


def compare(ours: Any, theirs: Any, *, names: bool = True) -> Agreement:
    """Two `data` objects of the query API. names: metric names count."""
    left, right = _series(ours, names=names), _series(theirs, names=names)
    only = tuple(sorted(str(dict(key)) for key in left.keys() ^ right.keys()))
    both = either = 0
    apart = 0.0
    for key in left.keys() & right.keys():
        mine, other = left[key], right[key]
        common = mine.keys() & other.keys()
        both += len(common)
        either += len(mine.keys() | other.keys())
        apart = max(apart, max((_apart(mine[time], other[time]) for time in common), default=0.0))
    return Agreement(len(left.keys() & right.keys()), both, both / either if either else 1.0, apart, only)


def require(agreement: Agreement, what: str, *, exact: bool, values: bool, chosen: bool = False) -> None:
    """Raises Disagreement. exact: every point is in both.  values: they are equal up to rounding.

    chosen: half of the series may be others, and their points with them.
    """
    strangers = len(agreement.only)
    if not agreement.points or strangers > (agreement.series if chosen else 0):
        raise Disagreement(f"{what}: {strangers} series are not in both: {agreement.only[:3]}")
    if not chosen and agreement.shared < (1.0 if exact else _SHARED):
        raise Disagreement(f"{what}: only {agreement.shared:.2%} of the points are in both")
    if values and not agreement.apart <= _TOLERANCE:
        raise Disagreement(f"{what}: values differ by {agreement.apart:.3g} of their size")


def _series(data: Any, *, names: bool) -> Series:
    found: Series = {}
    for each in data["result"]:
        labels = each["metric"]
        if not names:
            labels = {name: value for name, value in labels.items() if name != "__name__"}
        points = each["values"] if "values" in each else [each["value"]]
        found[tuple(sorted(labels.items()))] = {float(time): float(value) for time, value in points}
    return found


def _apart(left: float, right: float) -> float:
    if left == right or (math.isnan(left) and math.isnan(right)):
        return 0.0
    if not (math.isfinite(left) and math.isfinite(right)):
        return math.inf
    return abs(left - right) / max(abs(left), abs(right))
