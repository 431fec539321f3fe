"""Tree to text: Prometheus' normal form, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import pretty, to_text

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "promql"
_LINES = [line for line in (_FIXTURES / "printed.txt").read_text().splitlines() if line and line[0] != "#"]


@pytest.mark.parametrize(("query", "printed"), list(zip(_LINES[::2], _LINES[1::2], strict=True)))
def test_a_query_is_printed_in_normal_form(query: str, printed: str) -> None:
    assert to_text(parse(query)) == printed


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ('"\\xff"', '"\\xff"'),
        ("a offset --1m + 2m", "a offset (1m + 2m)"),
        ("a offset (1m) + 2m", "a offset (1m) + 2m"),
        ("a[1001ms:]", "a[1s1ms:]"),
        ("1001ms + 1001ms", "1s1ms + 1s1ms"),
    ],
)
def test_what_upstream_could_not_read_back_is_printed_so_that_it_can_be(query: str, printed: str) -> None:
    assert to_text(parse(query)) == printed
    assert to_text(parse(printed)) == printed


def test_the_width_of_a_line_is_counted_in_bytes() -> None:
    assert "\n" not in pretty(parse(f'sum(a{{b="{"x" * 80}"}})'))
    assert "\n" in pretty(parse(f'sum(a{{b="{"é" * 60}"}})'))


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
