"""Why two answers may differ though neither is wrong: a known difference, rounding, a tie.

- Rounding: what goes into the part already differs in its last digits, and the part is one that makes
  more of that (a comparison, floor() or % that tips over, the sine of a large number). Or
  the part adds and subtracts, and the difference is below 2^-40 of the largest number that goes in
  (catastrophic cancellation: digits that neither has).
- A tie: topk and bottomk keep another one of several equal values, min and max another zero.
- A row of the known differences between the versions.
"""

from __future__ import annotations

import math

from tests.differential.compare import Answer, Close, close, difference, numbers
from tests.differential.known_differences import explanation, operator
from tests.differential.trace import Case

__all__ = ["reason"]

_CANCELLATION = 2.0**-40

_ADDING = frozenset(
    {"sum", "avg", "stddev", "stdvar", "+", "-", "%", "rate", "increase", "delta", "idelta", "irate", "deriv"}
    | {"predict_linear", "sum_over_time", "avg_over_time", "stddev_over_time", "stdvar_over_time"}
    | {"quantile", "quantile_over_time", "histogram_quantile"}
)
_LOGARITHMS = frozenset({"log2", "log10"})
"""Go adds an exponent to the logarithm of a fraction: near 1 the two cancel, whose last digits differ."""

_SQUARED = frozenset({"stdvar", "stddev", "stdvar_over_time", "stddev_over_time"})
_ROOTED = frozenset({"stddev", "stddev_over_time"})
_TIED = frozenset({"topk", "bottomk"})


_EVEN = frozenset(
    {"", "and", "or", "unless", "*", "abs", "clamp", "clamp_max", "clamp_min", "sqrt", "deg", "rad"}
    | {"min", "max", "count", "group", "absent", "label_replace", "label_join", "scalar", "vector", "sort"}
    | {"min_over_time", "max_over_time", "last_over_time", "count_over_time", "present_over_time"}
    | {"sort_desc", "timestamp"}
)
"""What makes close values of close ones."""

_EXACT = (_EVEN | _ADDING) - {"%"}
"""What rounding of the operands does not excuse; `%` does: 2.9999999999999996 % 3 is not near 3 % 3."""


def reason(case: Case) -> str | None:
    """In a few words, or None: then somebody has to look into it."""
    known = explanation(case)
    if known is not None:
        return known.what
    if "error" in case.theirs or "error" in case.ours or case.ours["resultType"] == "crash":
        return None
    name = operator(case.expr)
    if name in _TIED and _ranked(case.theirs) == _ranked(case.ours):
        return "tie"
    if name in ("min", "max") and difference(case.theirs, case.ours, _equal) is None:
        return "tie of 0 and -0"
    if (
        name in _ADDING | _LOGARITHMS
        and difference(case.theirs, case.ours, _cancelling(name, case.inputs)) is None
    ):
        return "cancellation"
    rounded = any(theirs != ours and difference(theirs, ours) is None for theirs, ours in case.inputs)
    return f"rounding of what goes into {name}" if rounded and name not in _EXACT else None


def _equal(theirs: float, ours: float) -> bool:
    return theirs == ours or close(theirs, ours)


def _ranked(answer: Answer) -> list[str]:
    return sorted(str(value + 0.0) for value in numbers(answer))  # as text: NaN equals NaN; -0 is 0


def _cancelling(name: str, inputs: list[tuple[Answer, Answer]]) -> Close:
    """Equality that leaves out digits below the rounding of the largest number that goes in."""
    finite = [abs(value) for theirs, _ in inputs for value in numbers(theirs) if math.isfinite(value)]
    largest = 1.0 if name in _LOGARITHMS else max(finite, default=0.0)
    slack = _CANCELLATION * (largest * largest if name in _SQUARED else largest)

    def same(theirs: float, ours: float) -> bool:
        if close(theirs, ours):
            return True
        if name in _ROOTED:
            theirs, ours = theirs * theirs, ours * ours
        return abs(theirs - ours) <= slack

    return same
