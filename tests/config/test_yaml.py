"""YAML nodes: what they hold and where they stand."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zseval.config.problems import Problem
from zseval.config.yaml import Mapping, Node, Scalar, Series, parse_yaml
from zseval.errors import Position


def scalar(text: str, key: str = "k") -> Scalar:
    node = parse_yaml(text)
    assert isinstance(node, Mapping)
    value = node.items[key]
    assert isinstance(value, Scalar)
    return value


@pytest.mark.parametrize("text", ["on", "012", "12:30:45", "1_000", "yes", "1e3", "2020-01-01"])
def test_scalars_stay_the_text_they_are(text: str) -> None:
    assert scalar(f"k: {text}").value == text


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL", "!!null x"])
def test_null_is_told_from_text(text: str) -> None:
    assert scalar(f"k: {text}").is_null
    assert not scalar("k: 'null'").is_null
    assert not scalar('k: ""').is_null
    assert not scalar('k: !!str ""').is_null


def test_an_empty_document_is_null() -> None:
    for text in ("", "# nothing\n", "---\n", "\ufeff"):
        node = parse_yaml(text)
        assert isinstance(node, Scalar)
        assert node.is_null


def test_nodes_know_their_line_and_column() -> None:
    node = parse_yaml("a: 1\nb:\n  - x\n  - y: é\n")
    assert isinstance(node, Mapping)
    assert node.position_of("b") == Position(2, 1)
    items = node.items["b"]
    assert isinstance(items, Series)
    assert [item.position for item in items.items] == [Position(3, 5), Position(4, 5)]


def test_a_duplicate_key_is_an_error_at_the_second() -> None:
    with pytest.raises(Problem, match='mapping key "a" already defined at line 1') as caught:
        parse_yaml("a: 1\nb: 2\na: 3\n")
    assert caught.value.position == Position(3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "not valid YAML"),
        ("a: [", "not valid YAML"),
        ("\ta: 1", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a: \ud800", "not valid UTF-8"),
        ("a: *b", "unknown anchor"),
        ("a: &a [*a]", "contains itself"),
        ("{[1]: 2}", "a mapping key must be a scalar"),
        ("<<: 1", "map merge requires"),
        ("a: !!binary 'x'", "invalid base64"),
        ("a: !!binary '/w=='", "not valid UTF-8"),
        ("[" * 100_000, "nested more than"),
    ],
)
def test_bad_documents_are_problems_with_a_place(text: str, message: str) -> None:
    with pytest.raises(Problem, match=message) as caught:
        parse_yaml(text)
    assert caught.value.position is not None


def test_merge_keys_give_what_the_mapping_has_not() -> None:
    node = parse_yaml("base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nk:\n  <<: [*b, *m]\n  x: own\n")
    assert isinstance(node, Mapping)
    merged = node.items["k"]
    assert isinstance(merged, Mapping)
    assert {name: value.value for name, value in merged.items.items() if isinstance(value, Scalar)} == {
        "x": "own",
        "y": "2",
        "z": "4",
    }


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert scalar('k: {"<<": 1}\nv: 2', "v").value == "2"


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(Problem, match="excessive aliasing"):
        parse_yaml("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "needle", "line", "column"),
    [
        ("k: up == bad", "bad", 1, 10),
        ("k: 'it''s bad'", "bad", 1, 11),
        ('k: "a \\"q\\" \\x41 bad"', "bad", 1, 18),
        ('k: "line\\n  bad"', "bad", 1, 13),
        ("k: |\n  sum(\n    bad\n  )\n", "bad", 3, 5),
        ("k: |2-  # note\n   sum(\n    bad)\n", "bad", 3, 5),
        ("k: >-\n  sum(up)\n\n  by (bad)\n", "bad", 4, 7),
        ("k: sum(up)\n  by (bad)\n", "bad", 2, 7),
        ("k: &anchor up + bad", "bad", 1, 17),
        ('k: "folded\n   bad"', "bad", 2, 4),
        ('k: "esc\\\n   bad"', "bad", 2, 4),
    ],
)
def test_a_character_of_a_value_is_found_in_the_file(text: str, needle: str, line: int, column: int) -> None:
    value = scalar(text)
    assert value.position_of(value.value.index(needle)) == Position(line, column)


def test_the_end_of_a_value_is_after_its_last_character() -> None:
    value = scalar("k: |\n  sum(\n    up\n")
    assert value.position_of(len(value.value)) == Position(3, 7)
    assert scalar("k: ''").position_of(0) == Position(1, 4)


WORDS = st.lists(st.text(st.sampled_from("ab'\"\\{}:#é"), min_size=1, max_size=6), min_size=1, max_size=6)


@given(WORDS, st.sampled_from([None, "'", '"', "|", ">"]), st.sampled_from([" ", "\n", "\n\n", "\t"]))
def test_positions_lead_back_to_the_character(words: list[str], style: str | None, gap: str) -> None:
    value = gap.join(words)
    text = yaml.dump({"k": value}, default_style=style, allow_unicode=True, width=20)
    node = scalar(text) if style is None else _only(parse_yaml(text))
    assert node.value == value
    lines = text.split("\n")
    for index, char in enumerate(value):
        if not char.isspace():
            at = node.position_of(index)
            found = lines[at.line - 1][at.column - 1]
            assert found in (char, "\\")  # an escape stands for its character


def _only(node: Node) -> Scalar:
    assert isinstance(node, Mapping)
    (value,) = node.items.values()
    assert isinstance(value, Scalar)
    return value


@given(st.text(max_size=60) | st.text(st.sampled_from("a:- &*[]{}|>'\"\n#!<,?~0"), max_size=60))
def test_any_text_is_a_node_or_a_problem(text: str) -> None:
    try:
        node: object = parse_yaml(text)
    except Problem as problem:
        node = problem
    assert (
        node.position is not None
        if isinstance(node, Problem)
        else isinstance(node, Scalar | Series | Mapping)
    )


@pytest.mark.parametrize("rest", ["---\nb: 2\n", "--- }\n", "...\n}"])
def test_what_follows_the_first_document_is_not_read_and_the_log_says_so(
    rest: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = parse_yaml(f"a: 1\n{rest}", "f.yml")
    assert isinstance(root, Mapping)
    assert list(root.items) == ["a"]
    assert caplog.messages == ["f.yml: more than one YAML document, only the first is read"]


@pytest.mark.parametrize("text", ["a: 1", "---\na: 1\n...\n", "", "# a\n"])
def test_one_document_needs_no_word(text: str, caplog: pytest.LogCaptureFixture) -> None:
    parse_yaml(text)
    assert not caplog.messages
