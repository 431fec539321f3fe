"""The saved parse tables are those of the grammar, and the parser knows every rule."""

from __future__ import annotations

from zseval.promql.syntax.tables import build
from zseval.template import tables
from zseval.template.build import TreeBuilder


def test_the_saved_tables_are_up_to_date() -> None:
    grammar = tables.grammar_path()
    assert grammar is not None
    assert build(grammar) == tables.load(), "run python -m zseval.template.tables"
    assert tables.saved_path().read_text("ascii") == tables.as_json(grammar)


def test_every_rule_has_its_method() -> None:
    assert [name for _, _, name in tables.load().rules if not hasattr(TreeBuilder, name)] == []
