"""An alert knows its name and when it is over."""

from __future__ import annotations

import pytest

from zseval.model.alert import Alert
from zseval.model.labels import Labels


def _alert(ends_at_ms: int = 0) -> Alert:
    return Alert(
        Labels({"alertname": "Down", "job": "a"}), Labels(), starts_at_ms=1_000, ends_at_ms=ends_at_ms
    )


def test_an_alert_is_named_by_its_alertname_label() -> None:
    assert _alert().name == "Down"
    assert Alert(Labels(), Labels(), starts_at_ms=0).name == ""


@pytest.mark.parametrize(
    ("ends_at_ms", "now_ms", "resolved"), [(0, 9_999, False), (5_000, 4_999, False), (5_000, 5_000, True)]
)
def test_an_alert_is_resolved_from_its_end_on_and_never_without_one(
    ends_at_ms: int, now_ms: int, resolved: bool
) -> None:
    assert _alert(ends_at_ms).is_resolved_at(now_ms) is resolved


def test_alerts_are_values() -> None:
    assert _alert() == _alert()
    assert len({_alert(), _alert(), _alert(5_000)}) == 2
