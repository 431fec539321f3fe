"""The saved parse tables are those of the grammar."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zseval.promql.syntax import tables
from zseval.promql.syntax.build import Builder
from zseval.promql.syntax.parser import MESSAGES


def test_the_saved_tables_are_up_to_date() -> None:
    grammar = tables.grammar_path()
    assert grammar is not None
    assert tables.build(grammar) == tables.load(), "run python -m zseval.promql.syntax.tables"


def test_a_changed_grammar_is_built_anew(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_digest", lambda _grammar: "another")
    assert tables.load().rules


def test_every_reduction_has_its_method_or_message() -> None:
    names = [name for _, _, name in tables.load().rules if name and name not in MESSAGES]
    assert [name for name in names if not hasattr(Builder, name)] == []


def test_parsing_a_query_does_not_load_lark() -> None:
    code = (
        "import sys; from zseval.promql.syntax.parser import parse; parse('sum(rate(a[5m]))'); "
        "sys.exit('lark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
