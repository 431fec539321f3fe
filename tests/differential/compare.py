"""Where two answers differ: to a relative 1e-9, and to rounding of what went in where that is more.

An answer is the `data` object of the HTTP API, or {"error": text}. Errors are compared word for word,
less what the HTTP API puts before those of the parser.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["RELATIVE", "Answer", "Close", "by_labels", "close", "difference", "first_time", "numbers"]

RELATIVE = 1e-9

Answer = dict[str, Any]
Close = Callable[[float, float], bool]


def close(theirs: float, ours: float) -> bool:
    """The same number; NaN is NaN, infinities and zeros have a sign."""
    if math.isnan(theirs) or math.isnan(ours):
        return math.isnan(theirs) and math.isnan(ours)
    if theirs == 0 and ours == 0:
        return math.copysign(1, theirs) == math.copysign(1, ours)
    return math.isclose(theirs, ours, rel_tol=RELATIVE, abs_tol=1e-300)


def difference(theirs: Answer, ours: Answer, same: Close = close) -> str | None:
    """What differs, in words; None where the answers are equal. The order of series does not count."""
    if "error" in theirs or "error" in ours:
        if "error" in theirs and "error" in ours and _said(theirs) == _said(ours):
            return None
        return f"Prometheus {_brief(theirs)}, zseval {_brief(ours)}"
    if theirs["resultType"] != ours["resultType"]:
        return f"Prometheus a {theirs['resultType']}, zseval a {ours['resultType']}"
    expected, got = by_labels(theirs), by_labels(ours)
    if len(expected) != len(theirs["result"]) and theirs["resultType"] in ("vector", "matrix"):
        return "Prometheus has two results with the same labels"
    if expected.keys() != got.keys():
        only = [f"only Prometheus {key}" for key in expected.keys() - got.keys()]
        only += [f"only zseval {key}" for key in got.keys() - expected.keys()]
        return "; ".join(sorted(only)[:4])
    for key, points in expected.items():
        found = _points(points, got[key], same)
        if found:
            return f"{key} {found}"
    return None


def first_time(theirs: Answer, ours: Answer, same: Close = close) -> float | None:
    """The first time at which two matrices differ."""
    if theirs.get("resultType") != "matrix" or ours.get("resultType") != "matrix":
        return None
    expected, got = by_labels(theirs), by_labels(ours)
    times = []
    for key in expected.keys() | got.keys():
        left, right = (dict(map(tuple, side.get(key, ()))) for side in (expected, got))
        times += [
            time
            for time in left.keys() | right.keys()
            if time not in left or time not in right or not _same_text(left[time], right[time], same)
        ]
    return min(times, default=None)


def by_labels(answer: Answer) -> dict[str, list[list[Any]]]:
    """Points [[time, text], ...] by the JSON text of the labels.

    A series without any, as 2.42 gives it for a subquery that no step falls into, is none.
    """
    if answer["resultType"] in ("scalar", "string"):
        return {"": [answer["result"]]}
    return {
        json.dumps(each["metric"], sort_keys=True): each["values"] if "values" in each else [each["value"]]
        for each in answer["result"]
        if "values" in each or "value" in each
    }


def numbers(answer: Answer) -> list[float]:
    """Every value of an answer."""
    if answer.get("resultType") not in ("scalar", "vector", "matrix"):
        return []
    return [float(text) for points in by_labels(answer).values() for _, text in points]


def _said(answer: Answer) -> str:
    return str(answer["error"]).removeprefix('invalid parameter "query": ')


def _brief(answer: Answer) -> str:
    return f"fails: {answer['error']}" if "error" in answer else f"has {len(answer['result'])} results"


def _points(theirs: Sequence[Sequence[Any]], ours: Sequence[Sequence[Any]], same: Close) -> str | None:
    if [time for time, _ in theirs] != [time for time, _ in ours]:
        mine, other = {time for time, _ in ours}, {time for time, _ in theirs}
        return f"only Prometheus at {sorted(other - mine)[:4]}, only zseval at {sorted(mine - other)[:4]}"
    for (time, left), (_, right) in zip(theirs, ours, strict=True):
        if left != right and not _same_text(left, right, same):
            return f"at {time}: Prometheus {left}, zseval {right}"
    return None


def _same_text(left: str, right: str, same: Close) -> bool:
    try:
        return same(float(left), float(right))
    except ValueError:  # a string
        return False
