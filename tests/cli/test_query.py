"""`zseval query`: on a file of metrics, on standard input, and over HTTP."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import free_port
from zseval import NodeOptions, ThreadedNode
from zseval.cli.main import main

PAGE = """\
# TYPE requests_total counter
requests_total{path="/",code="200"} 7
requests_total{path="/",code="500"} 2
temperature_celsius 21.5
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    file = tmp_path / "metrics.txt"
    file.write_text(PAGE)
    return str(file)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedNode(NodeOptions(listen="127.0.0.1:0")) as node:
        for second in range(0, 601, 15):
            node.db.append({"__name__": "steps_total", "job": "a"}, float(second), 1_000.0 + second)
        yield f"http://{node.address}"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_file_answers_as_promtool_prints_it(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", 'requests_total{code="500"}', "--file", page, "--time", "1000"]) == 0
    assert lines(capsys) == ['requests_total{code="500", path="/"} => 2 @[1000]']


def test_an_expression_without_a_name_or_labels_prints_the_empty_set(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", "sum(requests_total)", "--file", page, "--time", "1000"]) == 0
    assert lines(capsys) == ["{} => 9 @[1000]"]


def test_scalars_and_strings_have_forms_of_their_own(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "1 + 1", "--file", page, "--time", "5"]) == 0
    assert main(["query", '"text"', "--file", page, "--time", "5"]) == 0
    assert lines(capsys) == ["scalar: 2 @[5]", "text"]


def test_json_is_the_apis_data(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "temperature_celsius", "--file", page, "--time", "5", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "temperature_celsius"}, "value": [5, "21.5"]}],
    }


def test_openmetrics_is_recognised_by_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "metrics.txt"
    file.write_text("# TYPE m counter\nm_total 3\nm_created 1\n# EOF\n")
    assert main(["query", "m_total", "--file", str(file), "--time", "5"]) == 0
    assert lines(capsys) == ["m_total => 3 @[5]"]


def test_standard_input_is_a_file_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Input:
        buffer = io.BytesIO(b"m 4\n")

    monkeypatch.setattr(sys, "stdin", Input())
    assert main(["query", "m", "--file", "-"]) == 0
    assert lines(capsys)[0].startswith("m => 4 @[")


def test_an_empty_answer_is_an_answer(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "nothing_here", "--file", page]) == 0
    assert capsys.readouterr().err == ""


def test_a_wrong_expression_is_1_with_its_place(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "sum(", "--file", page]) == 1
    error = capsys.readouterr().err
    assert error.startswith("query error: ")
    assert "1:5" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "none.txt"], "none.txt: No such file or directory"),
        (["--file", "PAGE", "--start", "now-1h"], "a metrics file holds one moment"),
        (["--url", "nonsense"], "is not an http(s) URL"),
        (["--url", f"http://127.0.0.1:{free_port()}"], "cannot ask http://127.0.0.1:"),
        (["--file", "PAGE", "--time", "noon"], "is no time"),
        (["--file", "PAGE", "--time", "now-soon"], "soon"),
        (["--start", "now-1h", "--step", "wide"], "--step"),
        (["--end", "now"], "needs --start"),
    ],
)
def test_what_cannot_be_asked_is_2_and_says_why(
    arguments: list[str], message: str, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [page if argument == "PAGE" else argument for argument in arguments]
    assert main(["query", "up", *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_page_that_is_none_is_2_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "metrics.txt"
    file.write_text("m 1\nm{a= 2\n")
    assert main(["query", "m", "--file", str(file)]) == 2
    assert "2" in capsys.readouterr().err


def test_a_server_answers_an_instant_query(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "max_over_time(steps_total[2m])", "--url", f"{url}/", "--time", "1600"]) == 0
    assert lines(capsys) == ['{job="a"} => 600 @[1600]']


def test_a_server_answers_a_range_query(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--url", url, "--start", "1300", "--end", "1970-01-01T00:22:00Z", "--step", "10s"]
    assert main(["query", "steps_total", *arguments]) == 0
    assert lines(capsys) == [
        'steps_total{job="a"} =>',
        "300 @[1300]",
        "300 @[1310]",
        "315 @[1320]",
    ]


def test_relative_times_are_relative_to_now(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "time()", "--url", url, "--time", "now-1h"]) == 0
    (line,) = lines(capsys)
    assert abs(float(line.split()[1]) - (time.time() - 3_600)) < 60


def test_errors_and_warnings_of_a_server_are_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "sum(", "--url", url]) == 1
    assert "parse error" in capsys.readouterr().err
    assert main(["query", "quantile(7, steps_total)", "--url", url, "--time", "1600"]) == 0
    assert "warning: " in capsys.readouterr().err


def test_a_server_that_is_no_prometheus_is_told_apart(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(["query", "up", "--url", f"{url}/metrics"]) == 2
    assert "did not answer in JSON" in capsys.readouterr().err
