"""Every difference that the comparisons allow: between Prometheus 2.42 and 3.x, and a few of our own making.

A difference is looked at where it begins: at the smallest part of an expression whose answers differ. Rows
without `explains` never come up in the fuzz, because the generator keeps away from them. Every row has an
example that must differ: a row that has become untrue fails a test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.differential.compare import by_labels, close, numbers
from tests.differential.hostile import END_S, START_S
from tests.differential.peer import When
from tests.differential.trace import Case
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    children,
    walk,
)
from zseval.promql.syntax.parser import parse

__all__ = ["KNOWN_DIFFERENCES", "KnownDifference", "explanation", "operator"]

_NOW = When(START_S + 1803, START_S + 1803)
_OVER = When(START_S + 303, START_S + 2103, 60)


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """What 2.42 does, what 3.x does, and the test whether that explains a case.

    example: a query whose answers differ for this reason, at the time `when`.
    why: for a departure, where 3.x does what 2.42 does: why zseval does not.
    """

    what: str
    before: str
    now: str
    example: str
    when: When = _NOW
    explains: Callable[[Case], bool] | None = None
    why: str = ""

    @property
    def row(self) -> str:
        """As it stands in docs/compatibility.md."""
        return f"| {self.what} | {self.before} | {self.now} |" + (f" {self.why} |" if self.why else "")


def operator(node: Expr) -> str:
    """The name of a function, aggregation or operator; "" for anything else."""
    match node:
        case Call(func=name) | AggregateExpr(op=name) | BinaryExpr(op=name):
            return name
        case _:
            return ""


def explanation(case: Case) -> KnownDifference | None:
    """The row that explains a case."""
    return next(
        (each for each in KNOWN_DIFFERENCES if each.explains is not None and each.explains(case)), None
    )


def _values(case: Case) -> Iterator[tuple[float, float]]:
    """(theirs, ours) wherever both have a number and the two are not close."""
    if "error" in case.theirs or "error" in case.ours or case.ours["resultType"] == "crash":
        return
    theirs, ours = by_labels(case.theirs), by_labels(case.ours)
    for key in theirs.keys() & ours.keys():
        other = dict(map(tuple, ours[key]))
        for time, text in theirs[key]:
            if time in other and not close(float(text), float(other[time])):
                yield float(text), float(other[time])


def _all(case: Case, holds: Callable[[float, float], bool]) -> bool:
    pairs = list(_values(case))
    return bool(pairs) and all(holds(theirs, ours) for theirs, ours in pairs)


def _is_atan2(case: Case) -> bool:
    return operator(case.expr) == "atan2"


def _reaches_further(case: Case) -> bool:
    """By at most 1.1 average distances instead of half of one, so 2.1 / 1.5 times."""
    return operator(case.expr) in ("rate", "increase") and _all(
        case, lambda theirs, ours: 0 < ours < theirs <= 1.4 * ours * (1 + 1e-9)
    )


def _spread_of_one(case: Case) -> bool:
    return operator(case.expr) in ("stddev", "stdvar") and _all(
        case, lambda theirs, ours: theirs == 0 and math.isnan(ours)
    )


def _few_of_no_whole_number(case: Case) -> bool:
    failed = "overflows int64" in case.theirs.get("error", "")
    return failed and operator(case.expr) in ("topk", "bottomk") and case.ours.get("result") == []


def _moves_though_pinned(case: Case) -> bool:
    return operator(case.expr) in ("predict_linear", "quantile_over_time") and any(
        isinstance(node, VectorSelector | SubqueryExpr) and node.at is not None for node in walk(case.expr)
    )


def _names_two_series(case: Case) -> bool:
    said = "found duplicate series for the match group"
    return all(said in answer.get("error", "") for answer in (case.theirs, case.ours))


def _few_of_nan(case: Case) -> bool:
    theirs, ours = case.theirs.get("error", ""), case.ours.get("error", "")
    return "overflows int64" in theirs and ("overflows int64" in ours or ours == "Parameter value is NaN")


def _timestamp_moved_twice(case: Case) -> bool:
    inner = next(iter(children(case.expr)), None)
    while isinstance(inner, ParenExpr):
        inner = inner.expr
    moved = isinstance(inner, VectorSelector) and inner.at is not None and inner.offset != 0
    return operator(case.expr) == "timestamp" and moved


def _matches_that_are_dropped(case: Case) -> bool:
    refused = "multiple matches for labels" in case.ours.get("error", "") and "error" not in case.theirs
    return refused and operator(case.expr) in ("==", "!=", "<", "<=", ">", ">=")


def _counts_by_less(case: Case) -> bool:
    expr = case.expr
    return isinstance(expr, AggregateExpr) and expr.op == "count_values" and bool(expr.grouping)


def _step_out_of_range(case: Case) -> bool:
    asked = parse(case.text)
    offset = asked.offset if isinstance(asked, SubqueryExpr) else 0
    end = case.when.end - (offset / 1000 if isinstance(offset, int) else 0)
    return (
        case.when.step == 0
        and case.ours.get("result") == []
        and case.theirs.get("resultType") == "matrix"
        and all(each.get("values", [[math.inf]])[0][0] > end for each in case.theirs["result"])
    )


def _few_by_pinned(case: Case) -> bool:
    expr, failed = case.expr, "NaN overflows int64" in case.theirs.get("error", "")
    ranks = isinstance(expr, AggregateExpr) and expr.op in ("topk", "bottomk") and expr.param is not None
    if not (failed and ranks and case.when.step > 0 and "error" not in case.ours):
        return False
    assert isinstance(expr, AggregateExpr)
    assert expr.param is not None
    return any(
        isinstance(node, VectorSelector | SubqueryExpr) and node.at is not None for node in walk(expr.param)
    )


def _cosine_near_one(case: Case) -> bool:
    """1 - x * x, of which theirs is made, has an error of half a unit of 1."""
    return operator(case.expr) == "acos" and _all(
        case, lambda theirs, ours: 0 < ours < 0.01 and abs(theirs - ours) < 2.0**-50 / ours
    )


def _negated_apart(case: Case) -> bool:
    refused = "same labelset" in case.theirs.get("error", "") and "error" not in case.ours
    return refused and isinstance(case.expr, UnaryExpr) and case.when.step > 0


def _subnormal(case: Case) -> bool:
    """theirs is what 2^-1023 gives, or for a power more than it should be by as much."""
    inputs = [abs(value) for theirs, _ in case.inputs for value in numbers(theirs)]
    if not any(0 < value < 2.0**-1022 for value in inputs):
        return False
    if operator(case.expr) == "^":
        return _all(case, lambda theirs, ours: 0 < ours < theirs < ours * math.exp(36))
    return operator(case.expr) in ("ln", "log10") and _all(
        case, lambda theirs, ours: ours < theirs and any(-1 < theirs - at < 1 for at in (-709, -308))
    )


def _lost_rest(case: Case) -> bool:
    return operator(case.expr).endswith(("_over_time", "deriv", "predict_linear")) and _all(
        case, lambda theirs, ours: math.isnan(theirs) and math.isinf(ours)
    )


def _bound_is_nan(case: Case) -> bool:
    """In any order: the answer is another one each time."""
    return operator(case.expr) == "histogram_quantile" and any(
        each["metric"].get("le") == "NaN" for theirs, _ in case.inputs for each in theirs.get("result", ())
        if isinstance(each, dict)
    )  # fmt: skip


KNOWN_DIFFERENCES: tuple[KnownDifference, ...] = (
    KnownDifference(
        "left edge of a range and of the lookback",
        "a sample exactly on it counts",
        "it does not: windows are left-open",
        "lonely[1m]",
        When(START_S + 1567.143, START_S + 1567.143),
    ),
    KnownDifference(
        "`.` in regular expressions",
        "does not match a line break",
        "matches it",
        r'label_replace(label_replace(vector(1), "a", "x\ny", "", ""), "b", "hit", "a", "x.y")',
    ),
    KnownDifference("metric and label names", "ASCII", "UTF-8, quoted where needed", '{"temperature"}'),
    KnownDifference(
        "`holt_winters`",
        "that name",
        "`double_exponential_smoothing`, behind `promql-experimental-functions`",
        "holt_winters(temperature[5m], 0.5, 0.5)",
    ),
    KnownDifference(
        "`atan2`",
        "keeps the metric name",
        "drops it, like the other arithmetic",
        "temperature atan2 2",
        explains=_is_atan2,
    ),
    KnownDifference(
        "`rate` and `increase` where a counter begins near zero, well inside the range",
        "reach back to where it was zero, up to 1.1 average distances",
        "reach back half a distance at most",
        "rate(latency_bucket[100s])",
        When(START_S + 63, START_S + 63),
        explains=_reaches_further,
    ),
    KnownDifference(
        "`stddev` and `stdvar` of one value that is infinite or NaN",
        "0",
        "NaN",
        "stddev(vector(Inf))",
        explains=_spread_of_one,
    ),
    KnownDifference(
        "`topk` and `bottomk` of -Inf",
        "an error",
        "nothing, as for any number below 1",
        "topk(-Inf, temperature)",
        explains=_few_of_no_whole_number,
    ),
    KnownDifference(
        "the error where `topk` or `bottomk` get NaN, or steps of large numbers",
        "that it overflows an integer; the first number",
        "that it is NaN; the largest number",
        "topk(NaN, temperature)",
        explains=_few_of_nan,
    ),
    KnownDifference(
        "a number for `topk` or `bottomk` that is pinned by `@`, over a range",
        "may be NaN after the first step",
        "stays what it is",
        'topk by (missing) (scalar(event_time{job!~"tw.*"} @ 1700008803), '
        "max without (le, missing, kind) (requests_total offset 15s))",
        When(START_S + 348, START_S + 2148, 90),
        explains=_few_by_pinned,
    ),
    KnownDifference(
        "the two series that the error of an ambiguous match names",
        "as they come",
        "in order",
        "temperature + on (job) temperature",
        explains=_names_two_series,
    ),
    KnownDifference(
        "`count_values by` over a range",
        "may lose a label after the first step",
        "keeps it",
        'count_values by (left, version, le) ("job", bad_bucket{kind="spellings"})',
        _OVER,
        explains=_counts_by_less,
    ),
    KnownDifference(
        "unary minus of series that differ in name alone, at different steps",
        "an error",
        "one series",
        '-(count_values by (__name__, right) ("job", {__name__=~"twin_.*"}))',
        When(START_S + 498, START_S + 2298, 90),
        explains=_negated_apart,
    ),
    KnownDifference(
        "more matches than one, dropped by a comparison",
        "do not count",
        "an error, as with other operators",
        "latency_bucket < on () vector(-1)",
        explains=_matches_that_are_dropped,
    ),
    KnownDifference(
        "a range with `@` in a function whose other parameter changes with the steps, as in `predict_linear`",
        "moves along with the steps",
        "stays at its time",
        f"predict_linear(temperature[5m] @ {END_S - 597}, 60)",
        _OVER,
        explains=_moves_though_pinned,
    ),
    KnownDifference(
        "compensated sums over time that overflow",
        "NaN, as what rounding lost is infinite too",
        "infinite",
        "deriv(huge[1m])",
        When(START_S + 693, START_S + 693),
        explains=_lost_rest,
    ),
    KnownDifference(
        "`histogram_quantile` of buckets with an `le` of NaN, above an aggregation over a range",
        "depends on the order of a hash map",
        "depends on the order of the series",
        'histogram_quantile(0.99, sum without (instance) (bad_bucket{kind!~".*nan"}))',
        _OVER,
        explains=_bound_is_nan,
    ),
    KnownDifference(
        "`ln`, `log10` and fractional powers of numbers below 2^-1022",
        "on amd64 those of 2^-1023",
        "what they are",
        "ln(vector(5e-324))",
        explains=_subnormal,
        why="the same on every machine",
    ),
    KnownDifference(
        "`(x @ t)[range:step]`, asked for by itself, where no step is in the range",
        "one sample, from after the time asked for",
        "nothing",
        "(lonely @ 1700008000)[19s:2m30s]",
        When(START_S + 2673, START_S + 2673),
        explains=_step_out_of_range,
        why="a range does not reach beyond its end",
    ),
    KnownDifference(
        "`acos` of numbers near 1",
        "loses up to half of its digits",
        "has them all",
        "acos(tanh(limit))",
        When(START_S + 813, START_S + 813),
        explains=_cosine_near_one,
        why="the machine's own arc cosine is exact",
    ),
    KnownDifference(
        "`timestamp(x @ t offset d)`",
        "looks at t among the samples up to t - d",
        "looks at t - d",
        "timestamp(temperature @ 1700007303.5 offset 5m)",
        explains=_timestamp_moved_twice,
        why="as `x @ t offset d` does",
    ),
)
