"""Go string literals."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.labels import quote
from zseval.promql.syntax.quoting import escaped, number, quote_char, unquote


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"a"', "a"), ("'a'", "a"), ("`a\\n`", "a\\n"), ('"\\n\\t\\\\"', "\n\t\\"), ('"\\x41"', "A"),
        ('"\\101"', "A"), ('"\\u00e9"', "é"), ('"\\U0001F600"', "😀"), ('"\\xc3\\xa9"', "é"), ("'\\''", "'"),
    ],
)  # fmt: skip
def test_literals_have_the_value_go_gives_them(literal: str, value: str) -> None:
    assert unquote(literal) == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0", 0.0), ("017", 15.0), ("0_17", 15.0), ("08", 8.0), ("0x1F", 31.0), ("0X_1f", 31.0),
        ("1_000", 1000.0),
        ("1_0.5_0e1_0", 10.5e10), ("9223372036854775807", 2.0**63), ("9223372036854775808", 2.0**63),
        ("1e-400", 0.0), ("Inf", math.inf), (".5", 0.5), ("5.", 5.0),
    ],
)  # fmt: skip
def test_numbers_have_the_value_go_gives_them(literal: str, value: float) -> None:
    assert number(literal) == value


@pytest.mark.parametrize("literal", ["0x", "0xffffffffffffffff", "1__0", "0.5.5", "0_", "0x_", "0x.8"])
def test_what_only_looks_like_a_number_is_refused_in_go_words(literal: str) -> None:
    with pytest.raises(ValueError, match=f'parsing "{re.escape(literal)}": invalid syntax$'):
        number(literal)


def test_a_number_beyond_float64_is_refused() -> None:
    with pytest.raises(ValueError, match=r'^strconv\.ParseFloat: parsing "1e400": value out of range$'):
        number("1e400")


@pytest.mark.parametrize(
    ("char", "quoted"),
    [
        ("a", "'a'"),
        ("'", "'\\''"),
        ('"', "'\"'"),
        ("\n", "'\\n'"),
        ("\x00", "'\\x00'"),
        ("é", "'é'"),
        ("", "'\ufffd'"),
    ],
)
def test_characters_are_quoted_as_go_quotes_them(char: str, quoted: str) -> None:
    assert quote_char(char) == quoted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoting_and_unquoting_give_the_same_text(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("literal", "printed"),
    [
        (r'"a\xc5z"', r'"a\xc5z"'),
        (r"'\377\n'", r'"\xff\n"'),
        (r'"\xc3\xa9"', ""),
        ('"a"', ""),
        (r"`\xff`", ""),
    ],
)
def test_bytes_that_are_no_utf8_are_printed_as_go_prints_them(literal: str, printed: str) -> None:
    assert escaped(literal) == printed
