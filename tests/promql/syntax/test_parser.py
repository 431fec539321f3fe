"""Text to tree: what is accepted, what is refused and in which words, in bounded time."""

from __future__ import annotations

import sys
from pathlib import Path

import promql_parser
import pytest
from hypothesis import given, settings

from tests.strategies import expressions
from zseval.model.matcher import MatchType
from zseval.promql.errors import ParseError
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Cardinality,
    MatrixSelector,
    NumberLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
    walk,
)
from zseval.promql.syntax.parser import parse, parse_series_selector

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "promql"
ALL = frozenset(
    {"promql-experimental-functions", "promql-extended-range-selectors", "promql-binop-fill-modifiers"}
)


def pairs(name: str) -> list[tuple[str, str]]:
    """Lines of a fixture, two by two; `\\n` outside of strings is a line break."""
    lines = [line for line in (_FIXTURES / name).read_text().splitlines() if line and line[0] != "#"]
    return list(zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize(("query", "error"), pairs("errors.txt"))
def test_a_mistake_is_named_in_prometheus_words_and_place(query: str, error: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query.replace("\\n", "\n"))
    assert str(caught.value) == error


@pytest.mark.parametrize(("query", "error"), pairs("errors_experimental.txt"))
def test_a_mistake_in_experimental_syntax_is_named_too(query: str, error: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query, features=ALL)
    assert str(caught.value) == error


def test_no_text_is_no_expression() -> None:
    with pytest.raises(ParseError, match="1:1: parse error: no expression found in input"):
        parse("  # only a comment")
    with pytest.raises(ParseError, match="unknown position: parse error: no expression found in input"):
        parse("")


def test_of_two_mistakes_a_wrong_token_comes_before_a_wrong_type() -> None:
    with pytest.raises(ParseError, match=r"1:13: parse error: unexpected end of input"):
        parse("rate(foo) + ")


def test_columns_are_counted_in_bytes() -> None:
    with pytest.raises(ParseError) as caught:
        parse('a{b="é"}\n+ {c="日本"} $')
    assert str(caught.value) == "2:16: parse error: unexpected character: '$'"
    assert (caught.value.position.line, caught.value.position.column) == (2, 16)


@pytest.mark.parametrize("query", ["info(a, {})", 'info(a, {b=~".*"})', "info(a)"])
def test_the_labels_of_info_may_match_everything(query: str) -> None:
    parse(query, features=ALL)


def test_an_offset_in_parentheses_goes_on() -> None:
    tree = parse("a offset (5m) + 1m")
    assert isinstance(tree, VectorSelector)
    assert not isinstance(tree.offset, int)


@pytest.mark.parametrize(
    "word",
    [
        "sum", "limitk", "by", "without", "offset", "and", "or", "unless", "start", "end", "step", "range",
        "max_of", "fill", "fill_left", "anchored", "smoothed",
    ],
)  # fmt: skip
def test_a_word_of_the_language_can_be_a_metric(word: str) -> None:
    tree = parse(f"{word} + {word}")
    assert isinstance(tree, BinaryExpr)
    assert [side.name for side in (tree.lhs, tree.rhs) if isinstance(side, VectorSelector)] == [word] * 2


def test_a_duration_is_cut_to_milliseconds_and_rounded_as_in_go() -> None:
    tree = parse("a[1.0009] offset -0.0019 @ 0.0005")
    assert isinstance(tree, MatrixSelector)
    assert (tree.range, tree.selector.offset, tree.selector.at) == (1000, -1, 1)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("1_000", 1000.0),
        ("0x1F", 31.0),
        ("010", 8.0),
        ("08", 8.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5m", 300.0),
    ],
)
def test_numbers_are_read_as_go_reads_them(query: str, value: float) -> None:
    number = parse(query)
    assert isinstance(number, NumberLiteral)
    assert number.value == value


def test_a_sign_binds_looser_than_a_power_and_tighter_than_a_product() -> None:
    power = parse("-a ^ 2")
    assert isinstance(power, UnaryExpr)
    product = parse("-a * b")
    assert isinstance(product, BinaryExpr)
    assert isinstance(product.lhs, UnaryExpr)


def test_powers_group_to_the_right_and_differences_to_the_left() -> None:
    power, difference = parse("a ^ b ^ c"), parse("a - b - c")
    assert isinstance(power, BinaryExpr)
    assert isinstance(power.rhs, BinaryExpr)
    assert isinstance(difference, BinaryExpr)
    assert isinstance(difference.lhs, BinaryExpr)


def test_and_binds_tighter_than_or() -> None:
    tree = parse("a or b and c")
    assert isinstance(tree, BinaryExpr)
    assert tree.op == "or"


def test_an_offset_ends_where_an_expression_goes_on() -> None:
    tree = parse("a offset 5m + b")
    assert isinstance(tree, BinaryExpr)
    assert isinstance(tree.lhs, VectorSelector)
    assert tree.lhs.offset == 300_000


def test_matching_and_grouping_are_kept() -> None:
    tree = parse("a / on (x, y) group_left (z) b")
    assert isinstance(tree, BinaryExpr)
    assert tree.matching is not None
    assert tree.matching.cardinality is Cardinality.MANY_TO_ONE
    assert (tree.matching.on, tree.matching.labels, tree.matching.include) == (True, ("x", "y"), ("z",))


def test_set_operators_match_many_to_many() -> None:
    tree = parse("a unless ignoring (x) b")
    assert isinstance(tree, BinaryExpr)
    assert tree.matching is not None
    assert tree.matching.cardinality is Cardinality.MANY_TO_MANY


def test_keywords_are_names_where_they_can_be() -> None:
    tree = parse('sum by (by, offset) (bottomk{on="1"})')
    assert isinstance(tree, AggregateExpr)
    assert tree.grouping == ("by", "offset")


def test_range_and_subquery_hold_their_times() -> None:
    matrix, subquery = parse("a[90s] offset 1m @ 3"), parse("a[1h:5m]")
    assert isinstance(matrix, MatrixSelector)
    assert (matrix.range, matrix.selector.offset, matrix.selector.at) == (90_000, 60_000, 3_000)
    assert isinstance(subquery, SubqueryExpr)
    assert (subquery.range, subquery.step) == (3_600_000, 300_000)


def test_spans_are_the_text_of_the_nodes() -> None:
    text = "sum by (a) (rate(foo{b='c'}[5m])) / 2"
    found = {text[node.span.start : node.span.end] for node in walk(parse(text))}
    assert found == {
        text, "2", "sum by (a) (rate(foo{b='c'}[5m]))", "rate(foo{b='c'}[5m])", "foo{b='c'}[5m]",
        "foo{b='c'}",
    }  # fmt: skip


def test_features_switch_experimental_syntax_on() -> None:
    for query in ("mad_over_time(a[5m])", "limitk(1, a)", "a[5m] smoothed", "a + fill_left (0) b", "info(a)"):
        parse(query, features=ALL)


def test_a_bare_selector_gives_its_matchers() -> None:
    matchers = parse_series_selector('up{job=~"a|b"}')
    assert [(each.type, each.name) for each in matchers] == [
        (MatchType.REGEX, "job"),
        (MatchType.EQUAL, "__name__"),
    ]


@pytest.mark.parametrize("text", ["up[5m]", "sum(up)", "up offset 5m", ""])
def test_anything_but_a_bare_selector_is_refused_as_one(text: str) -> None:
    with pytest.raises(ParseError):
        parse_series_selector(text)


def test_the_position_of_an_error_counts_lines() -> None:
    with pytest.raises(ParseError) as caught:
        parse("sum(\n  a +\n  )")
    assert (caught.value.position.line, caught.value.position.column) == (3, 3)


@given(expressions())
@settings(max_examples=150, deadline=None)
def test_what_the_strategy_writes_is_parsed_as_another_parser_does(text: str) -> None:
    try:
        parse(text)
        ours = True
    except ParseError:
        ours = False
    if "step()" in text or "2 *" in text or '{"' in text or '"my label"' in text:
        return  # newer than the other parser
    try:
        promql_parser.parse(text)
        theirs = True
    except ValueError:
        theirs = False
    if theirs:
        assert ours


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "a" + ")" * 5000,
        "-" * 5000 + "a",
        "a" + " + a" * 50_000,
        "1" + " ^ 1" * 5000,
        "abs(" * 3000 + "a" + ")" * 3000,
        "a[" + "(" * 3000 + "5m * 2" + ")" * 3000 + " + step()" * 3000 + "]",
        "a[" + "-" * 3000 + "step()]",
    ],
)
def test_depth_is_limited_with_a_clear_error(text: str) -> None:
    with pytest.raises(ParseError, match="nested more than 240 levels deep"):
        parse(text)


def test_work_grows_with_the_length_of_the_text_only() -> None:
    def calls(count: int) -> int:
        """Python functions called while a selector with so many matchers is parsed."""
        text = 'a{b="c",' + ",".join(f'l{n}=~"v{n}"' for n in range(count)) + "}"
        made = 0

        def counting(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event == "call"

        sys.setprofile(counting)
        try:
            parse(text)
        finally:
            sys.setprofile(None)
        return made

    calls(10)
    assert calls(2000) < 20 * calls(200)  # ten times the text; were it quadratic, 100
