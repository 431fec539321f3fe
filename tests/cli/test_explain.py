"""`zseval explain`, and `zseval query --stats`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zseval.cli.main import main

RULES = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n"


@pytest.fixture
def metrics(tmp_path: Path) -> str:
    path = tmp_path / "metrics.txt"
    path.write_text('up{job="a"} 1\nup{job="b"} 1\n')
    return str(path)


def test_a_file_of_metrics_is_explained(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", 'up{job="c"}', "--file", metrics]) == 0
    assert 'no series has label job="c"; values seen: a, b' in capsys.readouterr().out


def test_json_is_printed_when_asked_for(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "up", "--file", metrics, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["root"]["series"] == 2


def test_the_expression_of_a_rule_is_explained_by_its_name(
    metrics: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    assert main(["explain", "Down", "--rules", str(rules), "--file", metrics]) == 0
    assert "value == 0 holds for none of 2 series: they are 1" in capsys.readouterr().out
    assert main(["explain", "Up", "--rules", str(rules), "--file", metrics]) == 2
    assert 'has no rule "Up"; it has Down' in capsys.readouterr().err


def test_a_query_that_fails_is_explained_and_exits_with_1(
    metrics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "up + on() up", "--file", metrics]) == 1
    assert "◀ failed: found duplicate series" in capsys.readouterr().out
    assert main(["explain", "sum(", "--file", metrics]) == 1


def test_a_node_is_asked_with_the_times_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def post(url: str, form: dict[str, str]) -> dict[str, Any]:
        asked.append((url, form))
        return {"status": "success", "data": {"text": "explained"}}

    monkeypatch.setattr("zseval.cli.explain.post", post)
    assert (
        main(["explain", "up", "--url", "http://n:1/", "--start", "10", "--end", "20", "--step", "5s"]) == 0
    )
    assert asked == [
        (
            "http://n:1/api/v1/zseval/explain",
            {"query": "up", "start": "10.0", "end": "20.0", "step": "5.0"},
        )
    ]
    assert capsys.readouterr().out == "explained\n"


def test_stats_of_a_query_go_to_standard_error(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "up", "--file", metrics, "--stats"]) == 0
    assert capsys.readouterr().err.startswith("stats: 2 samples touched, ")
    assert main(["query", "up", "--file", metrics, "--stats", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["stats"]["samples"]["totalQueryableSamples"] == 2


def test_infos_of_a_query_come_with_their_place(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "rate(up[5m])", "--file", metrics]) == 0
    assert main(["query", "quantile(2, up)", "--file", metrics]) == 0
    assert capsys.readouterr().err == (
        "warning: PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)\n"
    )
