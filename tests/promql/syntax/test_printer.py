"""Tree to text: Prometheus' normal form, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from tests.strategies import expressions
from zseval.promql.errors import ParseError
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import pretty, to_text

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "promql"
_LINES = [line for line in (_FIXTURES / "printed.txt").read_text().splitlines() if line and line[0] != "#"]


@pytest.mark.parametrize(("query", "printed"), list(zip(_LINES[::2], _LINES[1::2], strict=True)))
def test_a_query_is_printed_in_normal_form(query: str, printed: str) -> None:
    assert to_text(parse(query)) == printed


@given(expressions())
@settings(max_examples=200, deadline=None)
def test_printing_and_parsing_give_the_same_tree(text: str) -> None:
    try:
        tree = parse(text)
    except ParseError:
        assume(False)
        raise
    printed = to_text(tree)
    assert to_text(parse(printed)) == printed
    assert to_text(parse(pretty(tree))) == printed


def test_a_short_query_stays_on_its_line() -> None:
    assert pretty(parse("sum( rate( a[5m] ) )")) == "sum(rate(a[5m]))"


def test_a_long_query_is_laid_out() -> None:
    query = (
        'sum by (code) (rate(http_requests_total{job="api-server-of-some-length"}[5m])) '
        '/ on () group_left () sum(rate(http_requests_total{job="api-server-of-some-length"}[5m]))'
    )
    assert pretty(parse(query)) == (
        '  sum by (code) (rate(http_requests_total{job="api-server-of-some-length"}[5m]))\n'
        "/ on () group_left ()\n"
        '  sum(rate(http_requests_total{job="api-server-of-some-length"}[5m]))'
    )
