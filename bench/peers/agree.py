"""Whether two servers gave the same answer.

With Prometheus an answer has to agree in every series, timestamp and value, the last within 1e-9 of its
size; on data with resets, but for few points: where a counter would reach 0 within the window, 2.42 and 3.x
extrapolate differently. VictoriaMetrics means something else by rate and its kin, looks further back, and
keeps some metric names: there the series have to be the same, the points almost all, and the values where it
means the same.
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
    differing: the share of the shared points that differ by more than rounding.
    only: label sets that just one of them has.
    """

    series: int
    points: int
    shared: float
    apart: float
    differing: float = 0.0
    only: tuple[str, ...] = ()


def compare(ours: Any, theirs: Any, *, names: bool = True) -> Agreement:
    """Two `data` objects of the query API. names: metric names count."""
    left, right = _series(ours, names=names), _series(theirs, names=names)
    only = tuple(sorted(str(dict(key)) for key in left.keys() ^ right.keys()))
    both = either = 0
    apart, differing = 0.0, 0
    for key in left.keys() & right.keys():
        mine, other = left[key], right[key]
        common = mine.keys() & other.keys()
        both += len(common)
        either += len(mine.keys() | other.keys())
        distances = [_apart(mine[time], other[time]) for time in common]
        apart = max(apart, *distances, 0.0)
        differing += sum(distance > _TOLERANCE for distance in distances)
    shared = both / either if either else 1.0
    return Agreement(len(left.keys() & right.keys()), both, shared, apart, differing / max(both, 1), only)


def require(
    agreement: Agreement, what: str, *, exact: bool, values: bool, chosen: bool = False, few: float = 0.0
) -> None:
    """Raises Disagreement. exact: every point is in both.  values: they are equal up to rounding.

    chosen: half of the series may be others, and their points with them.  few: so large a share of the
    values may be others all the same.
    """
    strangers = len(agreement.only)
    if not agreement.points or strangers > (agreement.series if chosen else 0):
        raise Disagreement(f"{what}: {strangers} series are not in both: {agreement.only[:3]}")
    if not chosen and agreement.shared < (1.0 if exact else _SHARED):
        raise Disagreement(f"{what}: only {agreement.shared:.2%} of the points are in both")
    if values and agreement.differing > few:
        share = f", {agreement.differing:.2%} of them" if few else ""
        raise Disagreement(f"{what}: values differ by {agreement.apart:.3g} of their size{share}")


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
