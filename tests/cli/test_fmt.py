"""`zseval fmt`."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from zseval.cli.main import main

RULES = "groups:\n- name: g\n  rules:\n  - record: a\n    expr: up==0   # why\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


def test_an_expression_is_printed_in_its_normal_layout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "sum(rate(x[5m]))by(job)"]) == 0
    assert capsys.readouterr().out == "sum by (job) (rate(x[5m]))\n"


def test_an_expression_is_read_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("up==0\n"))
    assert main(["fmt"]) == 0
    assert capsys.readouterr().out == "up == 0\n"


def test_check_of_an_expression_says_by_its_exit_code_whether_it_would_change() -> None:
    assert main(["fmt", "--check", "up==0"]) == 1
    assert main(["fmt", "--check", "up == 0"]) == 0


def test_an_expression_that_is_none_is_shown_with_a_caret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "sum("]) == 2
    assert capsys.readouterr().err.endswith("parse error: unclosed left parenthesis\nsum(\n    ^\n")


def test_a_rule_file_is_rewritten_in_place(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", str(rules)]) == 0
    assert rules.read_text() == RULES.replace("up==0", "up == 0")
    assert "reformatted" in capsys.readouterr().err
    assert main(["fmt", str(rules)]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_and_diff_write_nothing(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", str(rules)]) == 1
    assert main(["fmt", "--diff", str(rules)]) == 0
    assert "-    expr: up==0   # why\n+    expr: up == 0   # why\n" in capsys.readouterr().out
    assert rules.read_text() == RULES


def test_one_bad_file_does_not_keep_others_from_being_formatted(rules: Path) -> None:
    assert main(["fmt", str(rules.with_name("none.yml")), str(rules)]) == 2
    assert rules.read_text() != RULES


def test_experimental_syntax_is_laid_out_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "limitk(2,x)"]) == 0
    assert capsys.readouterr().out == "limitk(2, x)\n"
