"""Random PromQL over the hostile data set, right in its types by construction.

Only what Prometheus 2.42 knows. Times are chosen so that nothing lies on a left edge, where 2.42 is closed
and 3.x open: evaluation times are 3 s past a multiple of 15 s, steps and offsets multiples of 15 s, and the
ranges of subqueries 4 s more than one, so that inner steps (multiples of 15 s) are not on an edge either.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.differential.hostile import END_S, START_S

__all__ = ["expression", "expressions"]

_COUNTERS = ["requests_total", "errors_total", "twin_a", "twin_b", "latency_bucket", "bad_bucket"]
_GAUGES = [
    "temperature", "memory_bytes", "build_info", "limit", "lonely", "event_time",
    "special", "huge", "pairs", "one_side",
]  # fmt: skip
_ODD_SELECTORS = [
    '{__name__=~"twin_.*"}', '{__name__=~"twin_.*|errors_total",job!=""}', '{job="env"}', "absent_metric",
    '{__name__="temperature"}', '{instance=~"[ab]:.*",__name__!~".*bucket"}', "one_side{right=\"\"}",
    'special{kind!~".*inf|nan|mostly nan"}', 'bad_bucket{kind="spellings"}', '{left=~"x|y"}',
]  # fmt: skip
_MATCHERS = {
    "job": ['="api"', '!="api"', '=~"api|env"', '=~"e.*"', '!~"tw.*"', '=""'],
    "instance": ['="a:1"', '!="a:1"', '=~"[ab]:1"', '=~".*:2"', '!~"[ab].*"', '=~".+"'],
    "code": ['="200"', '=~"4..|5.."', '!="500"', '!~"2.*"'],
    "kind": ['="nan"', '=~".*inf"', '="zero"', '!~".*nan"', '=~"a|falling|spellings"'],
    "le": ['!="+Inf"', '=~"1.*"', '="+Inf"'],
    "left": ['="x"'],
    "right": ['="one"', '=""'],
}
_LABELS = ["job", "instance", "code", "kind", "le", "left", "right", "version", "missing", "__name__"]
_RANGES = ["40s", "1m", "100s", "3m", "5m", "10m", "25m"]
_OFFSETS = ["15s", "1m", "5m", "10m", "-1m", "-5m"]
_NUMBERS = ["0", "1", "2", "-1", "0.5", "3", "10", "100", "1e3", "-0", "Inf", "-Inf", "NaN", "0.25", "7"]
_QUANTILES = ["0", "0.1", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN", "Inf"]

_OVER_TIME = [
    "avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
    "stddev_over_time", "stdvar_over_time", "present_over_time", "absent_over_time",
    "rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets",
]  # fmt: skip
_OF_VECTOR = [
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "deg", "rad",
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh",
    "timestamp", "absent", "sort", "sort_desc",
]  # fmt: skip
_CALENDAR = [
    "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year",
]  # fmt: skip
_AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
_ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
_COMPARISONS = ["==", "!=", "<", ">", "<=", ">="]
_SETS = ["and", "or", "unless"]


def expressions(seed: int, count: int) -> Iterator[str]:
    """`count` expressions, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield expression(rng)


def expression(rng: random.Random) -> str:
    """One expression, of what this source of chance gives."""
    return _Grower(rng).expression()


class _Grower:
    """Grows one expression. `depth` is how many operators may still be nested."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def expression(self) -> str:
        depth = self.rng.choice([1, 1, 2, 2, 3, 4])
        return self._one(
            (30, lambda: self.vector(depth)),
            (2, lambda: self.scalar(depth)),
            (1, lambda: self.matrix(depth)),
            (0.1, lambda: '"text"'),
        )

    def _one(self, *choices: tuple[float, Callable[[], str]]) -> str:
        weights = [weight for weight, _ in choices]
        return self.rng.choices([make for _, make in choices], weights)[0]()

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # -- leaves

    def selector(self, *, counter: bool = False) -> str:
        if self._chance(0.12):
            return self.rng.choice(_ODD_SELECTORS)
        pool = _COUNTERS if counter or self._chance(0.35) else _GAUGES
        name = self.rng.choice(pool)
        if self._chance(0.6):
            return name
        labels = self.rng.sample(list(_MATCHERS), self.rng.choice([1, 1, 2]))
        return name + "{" + ",".join(label + self.rng.choice(_MATCHERS[label]) for label in labels) + "}"

    def modifiers(self) -> str:
        offset = f" offset {self.rng.choice(_OFFSETS)}" if self._chance(0.15) else ""
        moments = ["start()", "end()", str(START_S + 1503), str(END_S - 597), f"{START_S + 903}.5"]
        at = f" @ {self.rng.choice(moments)}" if self._chance(0.08) else ""
        return offset + at if self._chance(0.5) else at + offset

    def number(self) -> str:
        return self.rng.choice(_NUMBERS)

    # -- scalars

    def scalar(self, depth: int) -> str:
        if depth <= 0 or self._chance(0.4):
            return self._one((6, self.number), (1, lambda: "time()"), (0.5, lambda: "pi()"))
        inner = depth - 1
        return self._one(
            (3, lambda: f"scalar({self.vector(inner)})"),
            (2, lambda: self.arithmetic(self.scalar(inner), self.scalar(inner))),
            (1, lambda: f"({self.scalar(inner)} {self.rng.choice(_COMPARISONS)} bool {self.scalar(inner)})"),
            (1, lambda: f"-({self.scalar(inner)})"),
        )

    def arithmetic(self, left: str, right: str) -> str:
        return f"({left} {self.rng.choice(_ARITHMETIC)} {right})"

    # -- range vectors

    def matrix(self, depth: int) -> str:
        if depth <= 1 or self._chance(0.75):
            counter = self._chance(0.5)
            return f"{self.selector(counter=counter)}[{self.rng.choice(_RANGES)}]{self.modifiers()}"
        width = self.rng.choice([4, 19, 64, 184, 304, 604, 1204])
        step = self.rng.choice(["", "15s", "30s", "1m", "45s", "2m30s"])
        return f"({self.vector(depth - 2)})[{width}s:{step}]{self.modifiers()}"

    # -- instant vectors

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self.selector() + self.modifiers()
        inner = depth - 1
        return self._one(
            (14, lambda: f"{self.rng.choice(_OVER_TIME)}({self.matrix(depth)})"),
            (1.5, lambda: f"quantile_over_time({self.quantile(inner)}, {self.matrix(depth)})"),
            (1.5, lambda: f"predict_linear({self.matrix(depth)}, {self.scalar(inner)})"),
            (8, lambda: f"{self.rng.choice(_OF_VECTOR)}({self.vector(inner)})"),
            (1.5, lambda: f"{self.rng.choice(_CALENDAR)}({self.vector(inner)})"),
            (0.2, lambda: f"{self.rng.choice(_CALENDAR)}()"),
            (14, lambda: self.aggregation(inner)),
            (7, lambda: self.with_scalar(inner)),
            (10, lambda: self.matched(inner)),
            (5, lambda: self.set_operation(inner)),
            (3, lambda: self.histogram(inner)),
            (3, lambda: self.labels(inner)),
            (2, lambda: self.clamp(inner)),
            (1, lambda: f"round({self.vector(inner)}, {self.scalar(inner)})"),
            (1, lambda: f"vector({self.scalar(inner)})"),
            (1, lambda: f"-({self.vector(inner)})"),
            (1, lambda: f"({self.vector(inner)})"),
        )

    def quantile(self, depth: int) -> str:
        return self.rng.choice(_QUANTILES) if self._chance(0.9) else self.scalar(depth)

    def clamp(self, depth: int) -> str:
        if self._chance(0.5):
            return f"clamp({self.vector(depth)}, {self.scalar(depth)}, {self.scalar(depth)})"
        return f"{self.rng.choice(['clamp_min', 'clamp_max'])}({self.vector(depth)}, {self.scalar(depth)})"

    def grouping(self) -> str:
        if self._chance(0.35):
            return ""
        labels = self.rng.sample(_LABELS, self.rng.choice([0, 1, 1, 2, 3]))
        return f" {self.rng.choice(['by', 'without'])} ({', '.join(labels)}) "

    def aggregation(self, depth: int) -> str:
        grouping, inner = self.grouping(), self.vector(depth)
        few = self.scalar(1) if self._chance(0.15) else self.rng.choice(["1", "2", "3", "0", "-1", "100"])
        return self._one(
            (8, lambda: f"{self.rng.choice(_AGGREGATIONS)}{grouping}({inner})"),
            (2, lambda: f"{self.rng.choice(['topk', 'bottomk'])}{grouping}({few}, {inner})"),
            (1, lambda: f"quantile{grouping}({self.quantile(depth)}, {inner})"),
            (1, lambda: f'count_values{grouping}("{self.rng.choice(["v", "job", "kind"])}", {inner})'),
        )

    def operator(self) -> str:
        if self._chance(0.6):
            return self.rng.choice(_ARITHMETIC)
        return self.rng.choice(_COMPARISONS) + self.rng.choice([" bool", ""])

    def with_scalar(self, depth: int) -> str:
        sides = [self.vector(depth), self.scalar(depth)]
        self.rng.shuffle(sides)
        return f"({sides[0]} {self.operator()} {sides[1]})"

    def matching(self) -> str:
        labels = self.rng.sample(_LABELS, self.rng.choice([0, 1, 1, 2, 2]))
        return f"{self.rng.choice(['on', 'ignoring'])} ({', '.join(labels)})"

    def sides(self, depth: int) -> tuple[str, str]:
        """Of one metric more often than chance would have it, so that something matches."""
        left = self.vector(depth)
        return left, left if self._chance(0.3) else self.vector(depth)

    def matched(self, depth: int) -> str:
        return self._one(
            (4, lambda: self.any_match(depth)),
            (2, lambda: self.likely_match()),
            (2, lambda: self.likely_group(depth)),
        )

    def any_match(self, depth: int) -> str:
        left, right = self.sides(depth)
        match = self.matching() if self._chance(0.6) else ""
        if match and self._chance(0.35):
            extra = ", ".join(self.rng.sample(_LABELS[:-1], self.rng.choice([0, 1, 2])))
            match += f" {self.rng.choice(['group_left', 'group_right'])} ({extra})"
        return f"({left} {self.operator()} {match} {right})"

    def likely_match(self) -> str:
        names = self.rng.choices(["temperature", "limit", "memory_bytes", "errors_total"], k=2)
        left, right = (name + self.modifiers() for name in names)
        return f"({left} {self.operator()} on (instance) {right})"

    def likely_group(self, depth: int) -> str:
        label = self.rng.choice(["instance", "left", "job"])
        one = f"{self.rng.choice(_AGGREGATIONS)} by ({label}) ({self.vector(depth)})"
        many = self.selector() if self._chance(0.7) else self.vector(depth)
        extra = self.rng.choice(["", "job", "version", "code, left"])
        if self._chance(0.5):
            return f"({many} {self.operator()} on ({label}) group_left ({extra}) {one})"
        return f"({one} {self.operator()} on ({label}) group_right ({extra}) {many})"

    def set_operation(self, depth: int) -> str:
        left, right = self.sides(depth)
        return f"({left} {self.rng.choice(_SETS)} {self.matching() if self._chance(0.6) else ''} {right})"

    def histogram(self, depth: int) -> str:
        buckets = self._one(
            (4, lambda: self.rng.choice(["latency_bucket", "bad_bucket"])),
            (
                4,
                lambda: (
                    f"rate({self.rng.choice(['latency_bucket', 'bad_bucket'])}[{self.rng.choice(_RANGES)}])"
                ),
            ),
            (2, lambda: "sum by (le) (latency_bucket)"),
            (2, lambda: f"sum without (instance) (bad_bucket{{kind{self.rng.choice(_MATCHERS['kind'])}}})"),
            (1, lambda: self.vector(depth)),
        )
        return f"histogram_quantile({self.quantile(depth)}, {buckets})"

    def labels(self, depth: int) -> str:
        inner, target = self.vector(depth), self.rng.choice(["job", "instance", "new", "kind", "__name__"])
        sources = self.rng.sample(_LABELS, 2)
        if self._chance(0.4):
            joined = "".join(f', "{each}"' for each in sources)
            return f'label_join({inner}, "{target}", "{self.rng.choice(["-", "", ":"])}"{joined})'
        pattern, template = self.rng.choice(
            [("(.*)", "x$1"), ("(.).*", "$1"), ("(?P<first>[a-c]).*", "${first}_"), ("", "empty"), (".*", ""),
             ("(.*):(.*)", "$2-$1"), ("a|b", "y"), ("(.*)", "$2$1$$")]
        )  # fmt: skip
        return f'label_replace({inner}, "{target}", "{template}", "{sources[0]}", "{pattern}")'
