"""The saved parse tables are those of the grammar."""

from __future__ import annotations

import subprocess
import sys

from zseval.promql.syntax.build import Builder
from zseval.promql.syntax.parser import MESSAGES
from zseval.promql.syntax.tables import PROMQL


def test_the_saved_tables_are_up_to_date() -> None:
    assert PROMQL.saved.read_text("ascii") == PROMQL.as_json(), "run python -m zseval.promql.syntax.tables"


def test_every_reduction_has_its_method_or_message() -> None:
    names = [name for _, _, name in PROMQL.load().rules if name and name not in MESSAGES]
    assert [name for name in names if not hasattr(Builder, name)] == []


def test_parsing_a_query_does_not_load_lark() -> None:
    code = (
        "import sys; from zseval.promql.syntax.parser import parse; parse('sum(rate(a[5m]))'); "
        "sys.exit('lark' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
