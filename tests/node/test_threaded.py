"""A node in a thread of its own, used by code that knows no event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import prometheus_client
import pytest

import zseval
from zseval import NodeOptions, ThreadedNode
from zseval.errors import ConfigError, PromQLError, ZsevalError
from zseval.node.snapshot import Transition

RULES = "groups: [{name: g, interval: 100ms, rules: [{alert: High, expr: m > 1}]}]"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    return file


def quiet(**changes: object) -> NodeOptions:
    return NodeOptions(**{"listen": "", **changes})  # type: ignore[arg-type]  # options by name


def test_it_is_a_public_name() -> None:
    assert zseval.ThreadedNode is ThreadedNode
    assert {"ThreadedNode", "NodeOptions"} <= set(zseval.__all__)


def test_a_program_without_a_loop_scrapes_alerts_and_queries(rules: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("m", "A gauge.", registry=registry)
    gauge.set(7)
    seen: list[Transition] = []
    with ThreadedNode(quiet(rule_files=(str(rules),)), on_transition=seen.append) as node:
        node.add_source("app", registry, 100)
        until(lambda: [each.after for each in seen] == ["firing"])
        assert node.query("m").samples()[0][1] == 7
        assert [row.name for row in node.snapshot().alerts] == ["High"]
        now = time.time()
        assert node.query_range("m", now - 1, now, 1.0).to_json()["resultType"] == "matrix"
        gauge.set(0)
        until(lambda: [each.after for each in seen] == ["firing", "resolved"])
        assert {target.health for target in node.snapshot().targets} == {"up"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("zseval node")]


def test_a_source_may_be_added_before_the_start(rules: Path) -> None:
    node = ThreadedNode(quiet())
    node.add_source("app", lambda: "m 3\n", 100)
    with node:
        until(lambda: node.query("m").samples() != [])


def test_it_serves_its_api_meanwhile() -> None:
    with (
        ThreadedNode(quiet(listen="127.0.0.1:0")) as node,
        urlopen(f"http://{node.address}/-/ready", timeout=60) as response,
    ):
        assert response.status == 200


def test_many_threads_may_ask_at_once(rules: Path) -> None:
    answers: list[float] = []
    with ThreadedNode(quiet()) as node:
        node.db.append({"__name__": "m"}, 5.0, time.time())

        def ask() -> None:
            for _ in range(20):
                answers.append(node.query("m").samples()[0][1])
                node.snapshot()

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [5.0] * 100


def test_a_reload_that_fails_says_why_in_the_thread_that_asked(rules: Path) -> None:
    with ThreadedNode(quiet(rule_files=(str(rules),))) as node:
        rules.write_text("groups: [{name: g, rules: [{alert: High, expr: m >}]}]")
        with pytest.raises(ConfigError, match=r"rules\.yml"):
            node.reload()
        rules.write_text("groups: []")
        node.reload()
        assert node.snapshot().rules == 0


def test_errors_of_queries_are_the_callers() -> None:
    with ThreadedNode(quiet()) as node, pytest.raises(PromQLError):
        node.query("sum(")


def test_a_start_that_fails_raises_where_it_was_asked_for_and_leaves_no_thread() -> None:
    with ThreadedNode(quiet(listen="127.0.0.1:0")) as node:
        second = ThreadedNode(quiet(listen=node.address))
        with pytest.raises(ConfigError, match="cannot listen"):
            second.start()
        second.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("zseval node")]


def test_it_runs_once_and_answers_queries_after_its_end() -> None:
    node = ThreadedNode(quiet())
    with node:
        node.db.append({"__name__": "m"}, 5.0, time.time())
    assert node.query("m").samples()[0][1] == 5.0
    with pytest.raises(ZsevalError, match="does not run"):
        node.snapshot()
    with pytest.raises(ZsevalError, match="once"):
        node.start()
    node.stop()


def test_a_callback_that_asks_the_node_is_told_instead_of_waiting_for_itself(rules: Path) -> None:
    problems: list[str] = []

    def ask(_transition: Transition) -> None:
        try:
            node.snapshot()
        except ZsevalError as error:
            problems.append(str(error))

    node = ThreadedNode(quiet(rule_files=(str(rules),)), on_transition=ask)
    node.add_source("app", lambda: "m 3\n", 100)
    with node:
        until(lambda: bool(problems))
    assert "callbacks" in problems[0]
