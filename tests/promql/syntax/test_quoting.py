"""Go string literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.labels import quote
from zseval.promql.syntax.quoting import unquote


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"a"', "a"), ("'a'", "a"), ("`a\\n`", "a\\n"), ('"\\n\\t\\\\"', "\n\t\\"), ('"\\x41"', "A"),
        ('"\\101"', "A"), ('"\\u00e9"', "é"), ('"\\U0001F600"', "😀"), ('"\\xc3\\xa9"', "é"), ("'\\''", "'"),
    ],
)  # fmt: skip
def test_literals_have_the_value_go_gives_them(literal: str, value: str) -> None:
    assert unquote(literal) == value


@pytest.mark.parametrize("literal", ['"\\q"', '"\\x4"', '"\\ud800"', '"\\U00110000"', '"\\400"', "'\\\"'"])
def test_bad_escapes_are_refused(literal: str) -> None:
    with pytest.raises(ValueError, match="escape sequence"):
        unquote(literal)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoting_and_unquoting_give_the_same_text(text: str) -> None:
    assert unquote(quote(text)) == text
