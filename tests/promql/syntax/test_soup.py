"""Texts that nobody would write: a tree or a ParseError, in work that grows with the length of the text."""

from __future__ import annotations

import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.promql.syntax.shape import shape
from tests.strategies import expressions, grown_expressions, mixed_up, token_soup
from zseval.promql.engine import FEATURES
from zseval.promql.errors import ParseError
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import pretty, to_text

_DEEPEST = 240
_NESTED = [
    ("(", "a", ")"), ("-(", "a", ")"), ("abs(", "a", ")"), ("sum by (b) (", "a", ")"), ("1 + (", "a", ")"),
    ("sum_over_time(", "a", "[5m:1m])"), ("a[", "5m", ":1m]"), ("a[(", "5m", ")]"), ("", "a", " + a"),
    ("2 ^ ", "2", ""), ("a or ", "a", ""), ("- ", "a", ""), ("a unless (", "a", ")"), ("{", "a", "}"),
    ("topk(", "1", ", a)"), ("a offset (", "5m", ")"), ("label_join(", "a", ', "b", "", "c")'),
]  # fmt: skip


def _outcome(text: str, features: frozenset[str] = FEATURES) -> str:
    """`tree` or the text of the ParseError; anything else is raised."""
    try:
        tree = parse(text, features=features)
    except ParseError as error:
        assert error.position.line >= 1  # noqa: PT017 - either outcome is right
        assert error.position.column >= 0  # noqa: PT017
        return str(error)
    assert (tree.span.start, tree.span.end) >= (0, 1)
    return "tree"


def _work(text: str) -> int:
    """Functions called, Python's and C's, while the text is parsed."""
    made = 0

    def counting(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(counting)
    try:
        _outcome(text)
    finally:
        sys.setprofile(None)
    return made


@given(text=st.one_of(token_soup(), mixed_up(expressions()), mixed_up(grown_expressions())))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_tree_or_a_parse_error(text: str) -> None:
    _outcome(text)
    _outcome(text, frozenset())


@given(
    text=st.one_of(grown_expressions(), expressions(), mixed_up(expressions()), mixed_up(grown_expressions()))
)
@settings(max_examples=200, deadline=None)
def test_what_parses_is_printed_and_read_back_as_the_same_tree(text: str) -> None:
    try:
        tree = parse(text, features=FEATURES)
    except ParseError:
        assume(False)
        raise
    assert shape(parse(to_text(tree), features=FEATURES)) == shape(tree)
    assert shape(parse(pretty(tree), features=FEATURES)) == shape(tree)


@given(
    unit=st.one_of(token_soup(), mixed_up(expressions())),
    between=st.sampled_from(["", " ", " + ", ", ", "\n"]),
)
@settings(max_examples=60, deadline=None)
def test_twice_the_text_is_at_most_twice_the_work(unit: str, between: str) -> None:
    _work("a")
    once, twice = (_work(between.join([unit] * count)) for count in (8, 16))
    assert twice <= 2.2 * once + 200


@pytest.mark.parametrize(("before", "middle", "after"), _NESTED)
def test_twice_the_depth_is_at_most_twice_the_work(before: str, middle: str, after: str) -> None:
    _work("a")
    counts = (50, 100, 1000, 2000)
    few, more, many, most = (_work(before * count + middle + after * count) for count in counts)
    assert more <= 2.2 * few + 200
    assert most <= 2.2 * many + 200


@pytest.mark.parametrize(("before", "middle", "after"), _NESTED)
def test_any_depth_is_read_or_refused(before: str, middle: str, after: str) -> None:
    for count in (_DEEPEST // 2 - 1, _DEEPEST - 2, _DEEPEST, 3000):
        text = before * count + middle + after * count
        if _outcome(text) == "tree":
            printed = to_text(parse(text, features=FEATURES))
            assert to_text(parse(printed, features=FEATURES)) == printed
            assert to_text(parse(pretty(parse(text, features=FEATURES)), features=FEATURES)) == printed
        _outcome(before * count)
        _outcome(middle + after * count)
