"""The same data in zseval and in the real Prometheus: every expression of the list gives the same answer."""

from __future__ import annotations

import json
import math
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.differential.dataset import END_S, START_S, generate, openmetrics
from tests.peers import free_port, program, running
from zseval import TSDB, Engine

pytestmark = pytest.mark.xdist_group("prometheus-promql")

_LIST = Path(__file__).parents[1] / "fixtures" / "promql" / "differential.txt"
EXPRESSIONS = [line for line in _LIST.read_text().splitlines() if line and not line.startswith("#")]
INSTANTS = (START_S + 1803, START_S + 2103, END_S - 297)  # no subquery step on a left edge either
RANGE = (START_S + 603, END_S - 57, 90)
_RELATIVE = 1e-9


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a Prometheus that holds the data set."""
    promtool, server = program("promtool"), program("prometheus")
    home = tmp_path_factory.mktemp("prometheus")
    (home / "data.om").write_text(openmetrics(generate()))
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", "data.om", "data"],
        cwd=home, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (home / "empty.yml").write_text("global: {}\n")
    address = f"127.0.0.1:{free_port()}"
    command = [
        server, f"--config.file={home / 'empty.yml'}", f"--storage.tsdb.path={home / 'data'}",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        yield f"http://{address}"


@pytest.fixture(scope="module")
def engine() -> Engine:
    db = TSDB(retention=None)
    for series in generate():
        labels = dict(series.labels)
        for time, value in series.samples:
            db.append(labels, value, time)
    return Engine(db)


def test_the_list_is_as_long_as_promised() -> None:
    assert len(EXPRESSIONS) >= 300
    assert len(set(EXPRESSIONS)) == len(EXPRESSIONS)


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_instant_answers_agree(expr: str, prometheus: str, engine: Engine) -> None:
    for time in INSTANTS:
        theirs = ask(prometheus, "query", query=expr, time=str(time))
        ours = answer(lambda time=time: engine.instant(expr, time=float(time)).to_json())
        assert_equal(theirs, ours, ordered=expr.startswith("sort"))


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_range_answers_agree(expr: str, prometheus: str, engine: Engine) -> None:
    start, end, step = RANGE
    theirs = ask(prometheus, "query_range", query=expr, start=str(start), end=str(end), step=str(step))
    ours = answer(lambda: engine.range(expr, start=start, end=end, step=step).to_json())
    assert_equal(theirs, ours, ordered=False)


def ask(base: str, path: str, **form: str) -> dict[str, Any]:
    """Prometheus' `data`, or {"error": text}."""
    body = urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(f"{base}/api/v1/{path}", body, timeout=60) as response:
            data: dict[str, Any] = json.load(response)["data"]
    except urllib.error.HTTPError as error:
        return {"error": json.load(error)["error"]}
    return data


def answer(evaluate: Any) -> dict[str, Any]:
    from zseval import PromQLError

    try:
        result: dict[str, Any] = evaluate()
    except PromQLError as error:
        return {"error": str(error)}
    return result


def assert_equal(theirs: dict[str, Any], ours: dict[str, Any], *, ordered: bool) -> None:
    if "error" in theirs or "error" in ours:
        assert ("error" in theirs) == ("error" in ours), (theirs, ours)
        return
    assert ours["resultType"] == theirs["resultType"]
    if theirs["resultType"] in ("scalar", "string"):
        assert_points([theirs["result"]], [ours["result"]])
        return
    if ordered:
        assert [each["metric"] for each in ours["result"]] == [each["metric"] for each in theirs["result"]]
    expected, got = by_labels(theirs["result"]), by_labels(ours["result"])
    assert got.keys() == expected.keys()
    for key, points in expected.items():
        assert_points(points, got[key])


def by_labels(result: list[dict[str, Any]]) -> dict[str, list[Any]]:
    found = {
        json.dumps(each["metric"], sort_keys=True): each.get("values") or [each["value"]] for each in result
    }
    assert len(found) == len(result), "two results with the same labels"
    return found


def assert_points(expected: list[Any], got: list[Any]) -> None:
    assert [time for time, _ in got] == [time for time, _ in expected]
    for (time, theirs), (_, ours) in zip(expected, got, strict=True):
        if theirs != ours:
            assert same_number(theirs, ours), f"at {time}: Prometheus {theirs}, zseval {ours}"


def same_number(theirs: str, ours: str) -> bool:
    try:
        left, right = float(theirs), float(ours)
    except ValueError:
        return False
    return math.isclose(left, right, rel_tol=_RELATIVE, abs_tol=1e-300)
