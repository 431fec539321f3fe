"""The same request to zseval and to the real Prometheus: the same status, error and shape of answer."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.peers import free_port, program, running
from tests.web.fakes import make_services
from zseval import TSDB, Engine
from zseval.model.labels import Labels
from zseval.web.app import create_app
from zseval.web.server import Server
from zseval.web.services import RuleGroupView, RuleView, TargetView

pytestmark = pytest.mark.xdist_group("prometheus-api")

RULES = """
groups:
- name: g
  interval: 10y  # a group of Prometheus begins anywhere in its interval: not while tests run
  rules:
  - {alert: Busy, expr: 'vector(1) > 0', for: 5m, labels: {severity: page}, annotations: {summary: hot}}
  - {record: 'a:b', expr: vector(1), labels: {x: y}}
"""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a Prometheus with one dead target and one group of rules."""
    home = tmp_path_factory.mktemp("prometheus")
    (home / "rules.yml").write_text(RULES)
    (home / "p.yml").write_text(
        "rule_files: [rules.yml]\n"
        "scrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"), f"--config.file={home / 'p.yml'}", f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        _wait_for_target(f"http://{address}/api/v1/targets")
        yield f"http://{address}"


def _wait_for_target(url: str) -> None:
    """Discovery hands targets over some seconds after the start."""
    for _ in range(300):
        if _ask(url, "GET", None)[1]["data"]["activeTargets"]:
            return
        time.sleep(0.1)
    pytest.fail("Prometheus has not found its target")


@pytest.fixture
async def node() -> AsyncIterator[Server]:
    db = TSDB(retention=None)
    target = TargetView(
        scrape_pool="a",
        scrape_url="http://127.0.0.1:1/metrics",
        labels=Labels({"job": "a", "instance": "127.0.0.1:1"}),
        discovered_labels=Labels({"__address__": "127.0.0.1:1"}),
    )
    rules = (
        RuleView("Busy", "vector(1) > 0", True, Labels({"severity": "page"}), state="inactive"),
        RuleView("a:b", "vector(1)", False, Labels({"x": "y"})),
    )
    services = replace(
        make_services(),
        db=db,
        engine=Engine(db),
        targets=lambda: (target,),
        scrape_pools=lambda: {"a": 0},
        rule_groups=lambda: (RuleGroupView("g", "rules.yml", 10 * 365 * 86400.0, rules),),
    )
    server = await Server.start(create_app(services), "127.0.0.1:0")
    yield server
    await server.stop()


async def both(
    node: Server, prometheus: str, path: str, method: str = "GET", body: bytes | None = None
) -> Any:
    """(status, body) of zseval and of Prometheus."""
    return [await asyncio.to_thread(_ask, url + path, method, body) for url in (node.url, prometheus)]


def _ask(url: str, method: str, body: bytes | None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode()


ERRORS = """
query
query?query=
query?query=up+%2B
query?query=up{
query?query=up&time=x
query?query=up&time=2015-06-03
query?query=up&timeout=x
query?query=up&timeout=5x
query?query=sum(1)
query?query=nope(up)
query?query=label_replace(up,+%22a%22,+%22b%22,+%22c%22,+%22(%22)
query_range?query=up
query_range?query=up&start=0
query_range?query=up&start=0&end=1
query_range?query=up&start=0&end=1&step=x
query_range?query=up&start=0&end=1&step=0
query_range?query=up&start=0&end=1&step=-1
query_range?query=up&start=2&end=1&step=1
query_range?query=up&start=0&end=100000&step=1
query_exemplars?query=up&start=2&end=1
query_exemplars?query=up{
query_exemplars?query=up&start=x
series
series?match[]=
series?match[]=up{
series?match[]={job=~%22.*%22}
series?match[]=up&start=x
series?match[]=up&end=x
labels?match[]=up{
labels?match[]={}
labels?start=x
label/job/values?end=x
label/job/values?match[]={job!=%22a%22}
metadata?limit=x
targets/metadata?limit=x
targets/metadata?match_target=up{
rules?type=x
format_query?query=up{
nope
""".split()  # noqa: SIM905 - a list of requests, one a line


CHANGED_SINCE = {
    "Invalid time value": "invalid time value",
    "1:1: parse error: no expression found": "unknown position: parse error: no expression found",
    '"match[]": 1:1: parse error: unexpected end': '"match[]": unknown position: parse error: unexpected end',
}
"""What 2.42 says otherwise than 3.x: an empty text has no position, a message begins in lower case."""


@pytest.mark.parametrize("path", ERRORS)
async def test_bad_requests_fail_alike(node: Server, prometheus: str, path: str) -> None:
    ours, theirs = await both(node, prometheus, f"/api/v1/{path}")
    assert theirs[0] >= 400
    if isinstance(theirs[1], dict):
        for older, newer in CHANGED_SINCE.items():
            theirs[1]["error"] = theirs[1]["error"].replace(older, newer)
    assert ours == theirs


@pytest.mark.parametrize("query", ["up[5m]", "%22x%22"])
async def test_a_query_that_has_no_range_fails_alike(node: Server, prometheus: str, query: str) -> None:
    ours, theirs = await both(node, prometheus, f"/api/v1/query_range?query={query}&start=0&end=1&step=1")
    theirs[1]["error"] = 'invalid parameter "query": ' + theirs[1]["error"]  # named since 3.0
    assert ours == theirs


ANSWERS = """
query?query=1%2B1&time=4
query?query=vector(1)&time=4.5
query?query=%22x%22&time=1970-01-01T00:00:04.123Z
query?query=up&time=4
query?query=1e21&time=0
query?query=-Inf&time=-1
query_range?query=1&start=0&end=3&step=1.5
query_range?query=vector(time())&start=0.25&end=10&step=5s
query_exemplars?query=test&start=1795465266000&end=1795465276000
labels?end=1
label/job/values?end=1
series?match[]=nothing&start=0&end=1
alerts
format_query?query=sum(rate(up[5m]))by(job)
metadata
metadata?limit=0
targets/metadata
alertmanagers
targets?state=dropped
status/walreplay
""".split()  # noqa: SIM905


@pytest.mark.parametrize("path", ANSWERS)
async def test_requests_without_data_are_answered_alike(node: Server, prometheus: str, path: str) -> None:
    ours, theirs = await both(node, prometheus, f"/api/v1/{path}")
    assert theirs[0] == 200
    # 2.42 does not know droppedTargetCounts
    for answer in (ours[1], theirs[1]):
        if isinstance(answer["data"], dict):
            answer["data"].pop("droppedTargetCounts", None)
    assert ours == theirs


NEW_SINCE_242 = {"serverTime", "hostname", "timeSeriesCount", "droppedTargetCounts", "GOMEMLIMIT"}


@pytest.mark.parametrize(
    "path",
    ["targets", "rules", "status/buildinfo", "status/config", "status/runtimeinfo", "status/tsdb"],
)
async def test_answers_have_the_same_keys(node: Server, prometheus: str, path: str) -> None:
    ours, theirs = await both(node, prometheus, f"/api/v1/{path}")
    assert ours[0] == theirs[0] == 200
    assert keys(ours[1]) - NEW_SINCE_242 == keys(theirs[1])


NOT_LOOKED_INTO = frozenset(
    {
        "labels", "annotations", "discoveredLabels", "droppedTargetCounts", "alerts",
        "seriesCountByMetricName",
        "labelValueCountByLabelName", "memoryInBytesByLabelName", "seriesCountByLabelValuePair",
    }
)  # fmt: skip
"""Labels, and lists whose filling depends on what Prometheus got round to scrape and evaluate meanwhile."""


def keys(value: Any) -> set[str]:
    """Every key anywhere in a JSON value, but for what is not looked into."""
    if isinstance(value, dict):
        below = {key for name, each in value.items() if name not in NOT_LOOKED_INTO for key in keys(each)}
        return set(value) | below
    return {key for each in value for key in keys(each)} if isinstance(value, list) else set()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/-/reload"),
        ("PUT", "/-/quit"),
        ("GET", "/-/reload"),
        ("GET", "/-/quit"),
        ("HEAD", "/-/ready"),
        ("HEAD", "/-/healthy"),
        ("GET", "/federate"),
        ("GET", "/federate?match[]=up{"),
        ("DELETE", "/api/v1/query"),
        ("OPTIONS", "/api/v1/query"),
    ],
)
async def test_management_paths_answer_alike(node: Server, prometheus: str, method: str, path: str) -> None:
    ours, theirs = await both(node, prometheus, path, method)
    assert ours[0] == theirs[0]
    if ours[0] in (403, 400):
        assert ours[1].strip() == theirs[1].strip()
