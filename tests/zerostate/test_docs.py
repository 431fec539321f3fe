"""docs/zerostate.md says what the rule file says."""

from __future__ import annotations

from pathlib import Path

from zseval.zerostate.reference import updated
from zseval.zerostate.simulator import FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "zerostate.md"


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert text == updated(text), "run: python -m zseval.zerostate.reference docs/zerostate.md"


def test_the_page_explains_every_alert() -> None:
    text = PAGE.read_text("utf-8")
    assert [alert for alert in FAULTS if text.count(f"\n**{alert}**") != 1] == []
    assert text.count("```promql\n") == len(FAULTS)
