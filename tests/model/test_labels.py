"""Labels are sorted, without empty values, and printed as Go prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.labels import (
    Labels,
    is_legacy_label_name,
    is_legacy_metric_name,
    is_valid_name,
    quote,
)
from zseval.promql.syntax.quoting import unquote

_NAMES = st.text(min_size=1, max_size=6)
_PAIRS = st.dictionaries(_NAMES, st.text(max_size=6), max_size=6)


@given(_PAIRS)
def test_labels_are_sorted_by_name_and_have_no_empty_values(pairs: dict[str, str]) -> None:
    labels = Labels(pairs)
    assert labels.pairs == tuple(sorted((name, value) for name, value in pairs.items() if value))
    assert labels == Labels(list(pairs.items())[::-1])
    assert hash(labels) == hash(Labels(labels.to_dict()))


@given(_PAIRS, _PAIRS)
def test_merged_labels_override_and_an_empty_value_removes(
    base: dict[str, str], other: dict[str, str]
) -> None:
    assert Labels(base).merged(other) == Labels({**base, **other})
    assert Labels(base).merged(Labels(other)) == Labels({**base, **Labels(other).to_dict()})


@given(_PAIRS, st.lists(_NAMES, max_size=3))
def test_only_and_without_split_the_labels(pairs: dict[str, str], names: list[str]) -> None:
    labels = Labels(pairs)
    kept, rest = labels.only(*names), labels.without(*names)
    assert kept.merged(rest) == labels
    assert len(kept) + len(rest) == len(labels)
    assert all(name in names for name, _ in kept)


@given(_PAIRS, _PAIRS)
def test_the_order_is_that_of_names_and_values_in_utf8(left: dict[str, str], right: dict[str, str]) -> None:
    def encoded(labels: Labels) -> list[tuple[bytes, bytes]]:
        return [(name.encode(), value.encode()) for name, value in labels]

    a, b = Labels(left), Labels(right)
    assert (a < b) is (encoded(a) < encoded(b))


def test_an_absent_label_reads_as_the_empty_string_but_is_no_key() -> None:
    labels = Labels({"__name__": "up", "job": "a", "gone": ""})
    assert (labels.name, labels.get("gone"), labels.get("gone", "x")) == ("up", "", "x")
    assert "gone" not in labels
    assert labels["job"] == "a"
    with pytest.raises(KeyError):
        labels["gone"]


def test_labels_print_with_quoted_names_where_a_name_needs_quotes() -> None:
    assert str(Labels({"__name__": "up", "job": 'a"b', "my.label": "x\ny"})) == (
        r'{__name__="up", job="a\"b", "my.label"="x\ny"}'
    )
    assert str(Labels()) == "{}"


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("plain é 世界 😀", '"plain é 世界 😀"'),
        ('say "hi"\\', r'"say \"hi\"\\"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1f\x7f", r'"\x00\x1f\x7f"'),
        ("\x80\x9f", r'"\u0080\u009f"'),
        ("a\xa0b\xadc", r'"a\u00a0b\u00adc"'),
        ("\u200b\u2028\u3000\ufeff", r'"\u200b\u2028\u3000\ufeff"'),
        ("\ufffd", '"\ufffd"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("\ue000", r'"\ue000"'),
        ("\udcff", r'"\xff"'),
        ("'`", '"\'`"'),
    ],
)
def test_a_string_is_quoted_as_go_quotes_it(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@given(st.text())
def test_the_query_language_reads_a_quoted_string_back(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("name", "metric", "label", "valid"),
    [
        ("up", True, True, True),
        ("_0", True, True, True),
        ("a:b", True, False, True),
        (":", True, False, True),
        ("0a", False, False, True),
        ("up\n", False, False, True),
        ("é", False, False, True),
        ("my.metric", False, False, True),
        ("٣", False, False, True),
        ("", False, False, False),
        ("a\udcff", False, False, False),
    ],
)
def test_names_are_legacy_or_utf8_or_nothing(name: str, metric: bool, label: bool, valid: bool) -> None:
    assert (is_legacy_metric_name(name), is_legacy_label_name(name), is_valid_name(name)) == (
        metric,
        label,
        valid,
    )
