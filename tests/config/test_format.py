"""Expressions of rule files laid out anew, with nothing else touched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.config.format import format_rules, has_comment
from zseval.config.problems import ConfigErrors
from zseval.config.rule_files import parse_rule_file
from zseval.errors import ConfigError

NONE: frozenset[str] = frozenset()
LONG = "sum by (aaaaaaaaaaaaaaa) (rate(bbbbbbbbbbbbbbbbbbbbbbbbbb[5m])) / sum(rate(cccccccccccccccccccc[5m]))"
HEAD = "groups:\n- name: g\n  rules:\n"


def _formatted(text: str) -> str:
    made = format_rules(text, "r.yml", NONE).text
    assert format_rules(made, "r.yml", NONE).text == made, "what is laid out stays as it is"
    return made


def _rule(source: str, after: str = "") -> str:
    return f"{HEAD}  - record: a\n    expr: {source}\n{after}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a+b", "a + b"),
        ("a+b   # why", "a + b   # why"),
        ("'a+b'", "'a + b'"),
        ('"a+b"', '"a + b"'),
        ("\"a{b='c'}\"", "'a{b=\"c\"}'"),
        ('"a{b=\\"c\\"}+1"', '"a{b=\\"c\\"} + 1"'),
        ("a  +\n      b", "a + b"),
        ("&x a+b", "&x a + b"),
        ("!!str a+b", "!!str a + b"),
        ("|\n       a+\n       b", "|\n       a + b"),
        ("|-  # head\n     a+b", "|-  # head\n     a + b"),
        (">-\n      a\n      +b\n", ">-\n      a + b\n"),
        ("a{b='x:y'}", 'a{b="x:y"}'),
    ],
)
def test_only_the_text_of_an_expression_changes_and_its_style_stays(before: str, after: str) -> None:
    tail = "    labels: {x:   'y'}   # kept\n\n# end"
    assert _formatted(_rule(before, tail)) == _rule(after, tail)


def test_what_is_too_long_for_a_line_becomes_a_block_below_its_key() -> None:
    assert _formatted(_rule(f"{LONG}  # why", "    labels: {}\n")) == _rule(
        "|2-  # why\n"
        "        sum by (aaaaaaaaaaaaaaa) (rate(bbbbbbbbbbbbbbbbbbbbbbbbbb[5m]))\n"
        "      /\n"
        "        sum(rate(cccccccccccccccccccc[5m]))",
        "    labels: {}\n",
    )


def test_in_braces_an_expression_stays_on_its_line() -> None:
    text = f"{HEAD}  - {{record: a, expr: '{LONG.replace(' / ', '/')}', labels: {{}}}}\n"
    assert _formatted(text) == f"{HEAD}  - {{record: a, expr: '{LONG}', labels: {{}}}}\n"


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + _rule("|\n      a+b", "    labels: {}\n").replace("\n", "\r\n")
    assert _formatted(text) == "\ufeff" + _rule("|\n      a + b", "    labels: {}\n").replace("\n", "\r\n")


def test_an_expression_with_a_comment_is_left_alone_and_named() -> None:
    text = _rule("|\n      a+b # the rest\n", "  - record: b\n    expr: c+d\n")
    made = format_rules(text, "r.yml", NONE)
    assert made.text == text.replace("c+d", "c + d")
    assert [str(position) for position in made.commented] == ["5:11"]


def test_an_alias_changes_with_its_anchor() -> None:
    text = _rule("&x a+b", "  - record: b\n    expr: *x\n")
    assert _formatted(text) == _rule("&x a + b", "  - record: b\n    expr: *x\n")


def test_an_expression_that_an_annotation_shares_is_not_changed() -> None:
    text = f"{HEAD}  - alert: a\n    expr: &x a+b\n    annotations: {{query: *x}}\n"
    with pytest.raises(ConfigError, match="another part of the file shares"):
        format_rules(text, "r.yml", NONE)


def test_a_file_that_is_no_rule_file_is_refused() -> None:
    with pytest.raises(ConfigErrors, match="unexpected end of input"):
        format_rules(_rule("a +"), "r.yml", NONE)


def test_a_hash_in_a_string_is_no_comment() -> None:
    assert not has_comment('a{b=\'#\'} + c{d="\\"#", e=`#`}')
    assert has_comment("a # b")


_STYLES = st.sampled_from(
    ["{}", "'{}'", "|\n      {}", ">-\n     {}", "|2-\n      {}", "|4\n        {}", ">+\n         {}\n"]
)
_TEXTS = st.sampled_from(
    [
        "up",
        "a+b",
        'a{b=~"c.*"}',
        "sum(a)by(b)",
        "-a",
        "a[5m:]",
        '{a!="", b="c"}',
        LONG,
        "1",
        "a or\n\n       b",
    ]
)


@settings(max_examples=80)
@given(st.lists(st.tuples(_STYLES, _TEXTS), min_size=1, max_size=5))
def test_the_groups_stay_the_same_and_a_second_time_changes_nothing(rules: list[tuple[str, str]]) -> None:
    text = HEAD + "".join(
        f"  - record: r{number}\n    expr: {style.format(expr)}  \n    # {number}\n"
        for number, (style, expr) in enumerate(rules)
    )
    try:
        before = parse_rule_file(text, "r", 1, features=NONE)
    except ConfigError:
        return  # a plain scalar cannot hold every text
    after = parse_rule_file(_formatted(text), "r", 1, features=NONE)
    assert [rule.text for rule in after[0].rules] == [rule.text for rule in before[0].rules]
