"""Programs made for Prometheus work against zseval unchanged: promtool, prometheus-api-client, vmalert."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.peers import free_port, program, running
from tests.web.fakes import make_services
from zseval import TSDB, Engine
from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.web.app import create_app
from zseval.web.server import Server

ROWS = 60
NOW_S = int(time.time())  # vmalert asks about the present, whatever the server's clock says
START_S = NOW_S - 15 * (ROWS - 1)


@pytest.fixture
async def node() -> AsyncIterator[Server]:
    """An API over a real store and engine that hold a quarter of an hour of three series."""
    db = TSDB(retention=None)
    for row in range(ROWS):
        at = START_S + 15 * row
        db.append({"__name__": "up", "job": "a", "instance": "h:1"}, 1.0, at)
        db.append({"__name__": "up", "job": "b", "instance": "h:2"}, float(row % 2), at)
        db.append({"__name__": "requests_total", "job": "a"}, 30.0 * row, at)
    registry = Registry()
    registry.counter("zseval_things_total", "Things.", "kind").inc("x", by=3)
    services = replace(
        make_services(),
        db=db,
        engine=Engine(db),
        registry=registry,
        external_labels=lambda: Labels({"node": "n"}),
        now_ms=lambda: NOW_S * 1000,
    )
    server = await Server.start(create_app(services), "127.0.0.1:0")
    yield server
    await server.stop()


async def promtool(*args: str, stdin: bytes = b"") -> str:
    """What promtool prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        program("promtool"),
        *args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 120)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_promtool_query_instant(node: Server) -> None:
    out = await promtool("query", "instant", f"--time={NOW_S}", "-o", "json", node.url, "up")
    assert sorted((each["metric"]["job"], each["value"]) for each in json.loads(out)) == [
        ("a", [NOW_S, "1"]),
        ("b", [NOW_S, "1"]),
    ]


async def test_promtool_query_range(node: Server) -> None:
    args = (f"--start={START_S + 300}", f"--end={NOW_S}", "--step=60s", "-o", "json")
    out = await promtool("query", "range", *args, node.url, "sum(rate(requests_total[5m]))")
    (series,) = json.loads(out)
    assert series["metric"] == {}
    assert [float(value) for _, value in series["values"]] == pytest.approx([2.0] * len(series["values"]))
    assert [at for at, _ in series["values"]] == list(range(START_S + 300, NOW_S + 1, 60))


async def test_promtool_query_series(node: Server) -> None:
    out = await promtool("query", "series", "--match=up", "--match=requests_total", "-o", "json", node.url)
    assert sorted(each["__name__"] for each in json.loads(out)) == ["requests_total", "up", "up"]


async def test_promtool_query_labels(node: Server) -> None:
    assert json.loads(await promtool("query", "labels", "-o", "json", node.url, "job")) == ["a", "b"]


async def test_promtool_reports_the_errors_of_a_query(node: Server) -> None:
    process = await asyncio.create_subprocess_exec(
        program("promtool"), "query", "instant", node.url, "up +", stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 1
    assert "bad_data" in err.decode()
    assert "parse error: unexpected end of input" in err.decode()


async def test_promtool_finds_nothing_wrong_with_the_metrics_page(node: Server) -> None:
    page = await asyncio.to_thread(_fetch, f"{node.url}/metrics")
    assert b"zseval_things_total" in page
    await promtool("check", "metrics", stdin=page)


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        body: bytes = answer.read()
    return body


async def test_prometheus_api_client(node: Server) -> None:
    await asyncio.to_thread(_use_api_client, node.url)


def _use_api_client(url: str) -> None:
    from prometheus_api_client import PrometheusConnect

    client: Any = PrometheusConnect(url=url, disable_ssl=True)
    assert client.check_prometheus_connection()
    assert client.all_metrics() == ["requests_total", "up"]
    assert client.get_label_names() == ["__name__", "instance", "job"]
    assert client.get_label_values("job") == ["a", "b"]
    assert client.get_series(START, END, {"match[]": "up"})[0]["__name__"] == "up"
    (value,) = client.custom_query("requests_total", params={"time": NOW_S})
    assert value == {"metric": {"__name__": "requests_total", "job": "a"}, "value": [NOW_S, "1770"]}
    (series,) = client.custom_query_range("requests_total", START, END, "15")
    assert len(series["values"]) == ROWS
    ranged = client.get_metric_range_data("up", {"job": "b"}, START, END)
    assert len(ranged[0]["values"]) == ROWS - 1  # `up[…]` is left-open since version 3
    assert client.get_targets()["activeTargets"] == []
    assert client.get_metric_aggregation("requests_total", ["max"], START, END, "15") == {"max": 1770.0}


START = dt.datetime.fromtimestamp(START_S, dt.UTC).replace(tzinfo=None)
END = dt.datetime.fromtimestamp(NOW_S, dt.UTC).replace(tzinfo=None)

VMALERT_RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: Busy
        expr: sum(rate(requests_total[5m])) > 1
        labels: {severity: page}
"""


async def test_vmalert_evaluates_its_rules_on_zseval(node: Server, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(VMALERT_RULES, encoding="utf-8")
    port = free_port()
    command = [
        program("vmalert"),
        f"-datasource.url={node.url}",
        f"-rule={tmp_path / 'rules.yml'}",
        f"-notifier.url={node.url}",  # which has no /api/v2/alerts; vmalert logs that and goes on
        f"-httpListenAddr=127.0.0.1:{port}",
    ]
    assert await asyncio.to_thread(_vmalert_alerts, command, tmp_path / "log", port) == {"Busy"}


def _vmalert_alerts(command: list[str], log: Path, port: int) -> set[str]:
    """Names of the alerts that vmalert holds, once it has any; empty after ten seconds without."""
    with running(command, log, f"http://127.0.0.1:{port}/health"):
        for _ in range(100):
            alerts = json.loads(_fetch(f"http://127.0.0.1:{port}/api/v1/alerts"))["data"]["alerts"]
            if alerts:
                return {alert["name"] for alert in alerts}
            time.sleep(0.1)
    return set()
