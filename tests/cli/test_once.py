"""`--once` when something other than a target goes wrong, and `for`, which nobody waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import free_port
from zseval.cli.main import main
from zseval.node.node import Node

RULES = """
groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, for: 10m, labels: {severity: critical}, annotations: {summary: gone}}
  - {record: bad, expr: 'sum by (x) (up) + on () (up or label_replace(up, "y", "z", "", ""))'}
"""


def once(tmp_path: Path, rules: str = RULES) -> list[str]:
    file = tmp_path / "rules.yml"
    file.write_text(rules)
    return [str(file), "--target", f"127.0.0.1:{free_port()}", "--once"]


def test_an_alert_whose_condition_holds_counts_whatever_its_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(once(tmp_path)) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "critical  Down  0  gone"
    assert out.splitlines()[-1] == "0 of 1 targets up, 7 series, 2 rules, 1 alerts"
    assert "is down" in err


def test_a_rule_that_fails_is_2_and_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(once(tmp_path, RULES.replace("up == 0", "up > 5"))) == 2
    assert "rule failed: bad: found duplicate series" in capsys.readouterr().err


def test_an_error_of_our_own_is_not_taken_for_an_alert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_node: Node) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(Node, "once", broken)
    assert main(once(tmp_path)) == 2
    assert "RuntimeError: ours" in capsys.readouterr().err
