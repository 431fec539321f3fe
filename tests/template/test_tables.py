"""The saved parse tables are those of the grammar, and the parser knows every rule."""

from __future__ import annotations

from zseval.template.build import TreeBuilder
from zseval.template.tables import GOTEMPLATE


def test_the_saved_tables_are_up_to_date() -> None:
    assert GOTEMPLATE.saved.read_text("ascii") == GOTEMPLATE.as_json(), "run python -m zseval.template.tables"


def test_every_rule_has_its_method() -> None:
    assert [name for _, _, name in GOTEMPLATE.load().rules if not hasattr(TreeBuilder, name)] == []
