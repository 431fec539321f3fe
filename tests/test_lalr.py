"""Parse tables of a small grammar, from lark's automaton to saved data."""

from __future__ import annotations

from pathlib import Path

import pytest

from zseval import lalr
from zseval.lalr import Grammar, build

_SUM = """
start: expr -> whole
?expr: term | expr PLUS term -> add
?term: NUMBER -> number
%declare PLUS NUMBER
"""


@pytest.fixture
def grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grammar:
    (tmp_path / "grammar").mkdir()
    (tmp_path / "grammar" / "sum.lark").write_text(_SUM)
    monkeypatch.setattr(lalr, "_PACKAGE", tmp_path / "package")
    return Grammar("sum.lark", tmp_path / "sum.tables.json")


def test_saved_tables_are_loaded_as_they_were_built(grammar: Grammar) -> None:
    grammar.save()
    assert grammar.path is not None
    assert grammar.load() == build(grammar.path)


def test_tables_of_an_older_grammar_are_not_used(grammar: Grammar) -> None:
    grammar.save()
    assert grammar.path is not None
    grammar.path.write_text(_SUM.replace("add", "plus"))
    assert "plus" in {name for _, _, name in grammar.load().rules}


def test_saved_tables_serve_without_a_grammar(grammar: Grammar) -> None:
    grammar.save()
    assert grammar.path is not None
    grammar.path.unlink()
    assert {name for _, _, name in grammar.load().rules} == {"whole", "add", "number", ""}


def test_without_a_grammar_nothing_is_saved(grammar: Grammar) -> None:
    assert grammar.path is not None
    grammar.path.unlink()
    with pytest.raises(FileNotFoundError, match="this needs a checkout"):
        grammar.save()


def test_a_rule_that_hands_its_only_child_on_has_no_name(grammar: Grammar) -> None:
    assert grammar.path is not None
    assert ("expr", 1, "") in build(grammar.path).rules
