"""Hypothesis strategies that several test modules share."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from tests.differential.grow import expression

__all__ = ["expressions", "grown_expressions", "mixed_up", "token_soup"]

_METRICS = st.sampled_from(["up", "foo_total", "a:b:rate", "by", "sum", '{"my.metric"}', '{__name__=~"x.*"}'])
_LABELS = st.sampled_from(["job", "instance", "on", '"my label"', "le"])
_VALUES = st.sampled_from(['"a"', "'b'", "`c`", '"\\n"', '""'])
_DURATIONS = st.sampled_from(["5m", "1h30m", "30s", "1d", "90", "2 * 1m", "max_of(1m, step())"])
_NUMBERS = st.sampled_from(["1", "0.5", "-2", "1e3", "0x1F", "1_000", "5m"])
_BINARY = st.sampled_from(
    ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">=", "and", "or", "unless"]
)
_AGGREGATIONS = st.sampled_from(["sum", "avg", "count", "max", "group", "stddev"])
_RANGE_FUNCTIONS = st.sampled_from(["rate", "increase", "max_over_time", "deriv", "changes"])
_FUNCTIONS = st.sampled_from(["abs", "ceil", "ln", "sort", "timestamp", "absent"])


@st.composite
def _selectors(draw: st.DrawFn) -> str:
    name = draw(_METRICS)
    if name.startswith("{"):
        return name
    matchers = draw(
        st.lists(st.tuples(_LABELS, st.sampled_from(["=", "!=", "=~", "!~"]), _VALUES), max_size=2)
    )
    braces = "{" + ",".join("".join(matcher) for matcher in matchers) + "}" if matchers else ""
    return name + braces


@st.composite
def _modified(draw: st.DrawFn, base: str) -> str:
    offset = draw(st.sampled_from(["", " offset 5m", " offset -1h"]))
    at = draw(st.sampled_from(["", " @ 100.5", " @ start()", " @ end()"]))
    return base + draw(st.sampled_from([at + offset, offset + at]))


@st.composite
def _instant(draw: st.DrawFn) -> str:
    return draw(_modified(draw(_selectors())))


@st.composite
def _ranges(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    if draw(st.booleans()):
        return draw(_modified(f"{draw(_selectors())}[{draw(_DURATIONS)}]"))
    step = draw(st.sampled_from(["", "30s", "1m"]))
    return draw(_modified(f"({draw(inner)})[{draw(_DURATIONS)}:{step}]"))


def _vectors(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def grouped(op: str, expr: str, labels: list[str], kind: str) -> str:
        return f"{op} {kind} ({', '.join(labels)}) ({expr})" if kind else f"{op}({expr})"

    grouping = st.lists(_LABELS, max_size=2)
    return st.one_of(
        st.builds(lambda expr: f"({expr})", inner),
        st.builds(lambda expr: f"-{expr}", inner),
        st.builds(lambda f, expr: f"{f}({expr})", _FUNCTIONS, inner),
        st.builds(lambda f, expr: f"{f}({expr})", _RANGE_FUNCTIONS, _ranges(inner)),
        st.builds(grouped, _AGGREGATIONS, inner, grouping, st.sampled_from(["", "by", "without"])),
        st.builds(lambda a, op, b: f"{a} {op} {b}", inner, _BINARY, inner),
        st.builds(lambda a, labels, b: f"{a} * on ({', '.join(labels)}) {b}", inner, grouping, inner),
        st.builds(lambda n, op, a: f"{n} {op} {a}", _NUMBERS, st.sampled_from(["+", "*", "^", ">"]), inner),
    )


def expressions() -> st.SearchStrategy[str]:
    """PromQL texts whose value is an instant vector."""
    return st.recursive(_instant(), _vectors, max_leaves=6)


def grown_expressions() -> st.SearchStrategy[str]:
    """PromQL texts that evaluate on the hostile data set, as the differential fuzz grows them."""
    return st.randoms(use_true_random=False).map(expression)


_WORDS = [
    "sum", "by", "(", ")", "{", "}", "[", "]", ",", ":", "5m", "1", "foo", "a:b", '"s"', "'", "`", "\\",
    "=", "=~", "!~", "!", "==", "bool", "on", "group_left", "offset", "@", "start", "end", "-", "^",
    "and", "rate", "#", "\n", "é", "\x00", "step", "fill", "anchored", "0x", "1e", ".", "inf", "()", "topk",
    "without", "ignoring", "group_right", "or", "unless", "atan2", "smoothed", "range", "max_of", "info",
    "1h30m", "[5m]", "[5m:]", "{a='b'}", "<=", "!=", "%", "*", "/", "+", "nan", "-1", "\t", '"\\xff"', "😀",
]  # fmt: skip
_TOKEN = re.compile(r'"[^"]*"|[\w.]+|\s+|.', re.DOTALL)


@st.composite
def mixed_up(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """Expressions with a few tokens taken out, doubled, swapped or strewn in: many are right again."""
    tokens = _TOKEN.findall(draw(texts))
    for _ in range(draw(st.integers(1, 3))):
        if not tokens:
            break
        place, other = (draw(st.integers(0, len(tokens) - 1)) for _ in range(2))
        match draw(st.sampled_from(["out", "double", "swap", "in"])):
            case "out":
                del tokens[place]
            case "double":
                tokens.insert(place, tokens[place])
            case "swap":
                tokens[place], tokens[other] = tokens[other], tokens[place]
            case _:
                tokens.insert(place, draw(st.sampled_from(_WORDS)))
    return "".join(tokens)


def token_soup() -> st.SearchStrategy[str]:
    """Words of the language in any order, with or without blanks between them."""
    parts = st.lists(st.sampled_from(_WORDS), max_size=40)
    return st.one_of(parts.map(" ".join), parts.map("".join), st.text(max_size=40))
