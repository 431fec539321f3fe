"""Targets, rules, alerts, status, management paths, metrics and what all responses share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.fakes import NOW_MS
from zseval.errors import ConfigError
from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata, MetricType
from zseval.promql.errors import EvaluationError
from zseval.web.services import (
    AlertmanagersView,
    AlertView,
    DroppedTargetView,
    RuleGroupView,
    RuleView,
    TargetView,
)

EVIL = "<script>alert(1)</script>"
FOO = Metadata(MetricType.GAUGE, "Foo.", "")
TARGETS = (
    TargetView(
        scrape_pool="b",
        scrape_url="http://h:1/metrics",
        labels=Labels({"job": "b", "instance": "h:1"}),
        discovered_labels=Labels({"__address__": "h:1", "job": "b"}),
        health="up",
        last_scrape_ms=1_700_000_000_500,
        last_scrape_duration_s=0.25,
        scrape_interval_ms=15_000,
        metadata={"foo": FOO, "bar_total": Metadata(MetricType.COUNTER, "Bar.", "")},
    ),
    TargetView(
        scrape_pool="a",
        scrape_url=f"http://h:2/{EVIL}",
        labels=Labels({"job": "a", "instance": "h:2"}),
        discovered_labels=Labels({"__address__": "h:2"}),
        health="down",
        last_error=f"connection refused {EVIL}",
        metadata={"foo": FOO},
    ),
)
FIRING = AlertView(
    labels=Labels({"alertname": "Down", "job": EVIL}),
    annotations=Labels({"summary": "down"}),
    state="firing",
    active_at_ms=1_700_000_000_000,
    value=1.0,
    keep_firing_since_ms=1_700_000_100_000,
)
DOWN = RuleView(
    name="Down",
    query="up == 0",
    is_alerting=True,
    labels=Labels({"severity": "page"}),
    annotations=Labels({"summary": "down"}),
    health="ok",
    state="firing",
    hold_s=300.0,
    alerts=(FIRING,),
    last_evaluation_ms=1_700_000_000_000,
    evaluation_time_s=0.001,
)
RECORD = RuleView(
    name="job:up:sum", query="sum by (job) (up)", is_alerting=False, health="err", last_error="bad"
)
GROUPS = (
    RuleGroupView("g1", "a.yml", 15.0, (DOWN, RECORD), limit=3),
    RuleGroupView("g2", "a.yml", 60.0, (RECORD,)),
    RuleGroupView("g1", "b.yml", 60.0, (DOWN,)),
)


async def test_targets_are_shown_with_all_upstream_keys(serve: Any) -> None:
    dropped = (DroppedTargetView("b", Labels({"__address__": "h:3"})),)
    api = await serve(
        targets=lambda: TARGETS, dropped_targets=lambda: dropped, scrape_pools=lambda: {"b": 3, "a": 0}
    )
    data = (await api.get("/api/v1/targets")).data
    assert [target["scrapePool"] for target in data["activeTargets"]] == ["a", "b"]
    assert data["activeTargets"][1] == {
        "discoveredLabels": {"__address__": "h:1", "job": "b"},
        "labels": {"instance": "h:1", "job": "b"},
        "scrapePool": "b",
        "scrapeUrl": "http://h:1/metrics",
        "globalUrl": "http://h:1/metrics",
        "lastError": "",
        "lastScrape": "2023-11-14T22:13:20.5Z",
        "lastScrapeDuration": 0.25,
        "health": "up",
        "scrapeInterval": "15s",
        "scrapeTimeout": "10s",
    }
    assert data["activeTargets"][0]["lastScrape"] == "0001-01-01T00:00:00Z"
    assert data["droppedTargets"] == [{"discoveredLabels": {"__address__": "h:3"}, "scrapePool": "b"}]
    assert data["droppedTargetCounts"] == {"a": 0, "b": 3}


@pytest.mark.parametrize(
    ("query", "active", "dropped"),
    [
        ("state=active", ["a", "b"], 0),
        ("state=dropped", [], 1),
        ("state=any", ["a", "b"], 1),
        ("scrapePool=b", ["b"], 1),
        ("scrapePool=a&state=ANY", ["a"], 0),
    ],
)
async def test_targets_are_filtered(serve: Any, query: str, active: list[str], dropped: int) -> None:
    gone = (DroppedTargetView("b", Labels()),)
    api = await serve(targets=lambda: TARGETS, dropped_targets=lambda: gone)
    data = (await api.get(f"/api/v1/targets?{query}")).data
    assert [target["scrapePool"] for target in data["activeTargets"]] == active
    assert len(data["droppedTargets"]) == dropped


async def test_scrape_pools_and_alertmanagers(serve: Any) -> None:
    view = AlertmanagersView(active=("http://am/api/v2/alerts",), dropped=("http://b/",))
    api = await serve(scrape_pools=lambda: {"b": 0, "a": 0}, alertmanagers=lambda: view)
    assert (await api.get("/api/v1/scrape_pools")).data == {"scrapePools": ["a", "b"]}
    assert (await api.get("/api/v1/alertmanagers")).data == {
        "activeAlertmanagers": [{"url": "http://am/api/v2/alerts"}],
        "droppedAlertmanagers": [{"url": "http://b/"}],
    }


async def test_metadata_of_all_targets_is_merged_by_family(serve: Any) -> None:
    api = await serve(targets=lambda: TARGETS)
    foo = {"type": "gauge", "help": "Foo.", "unit": ""}
    bar = {"type": "counter", "help": "Bar.", "unit": ""}
    assert (await api.get("/api/v1/metadata?limit=40000")).data == {"foo": [foo], "bar_total": [bar]}
    assert (await api.get("/api/v1/metadata?limit=1")).data == {"foo": [foo]}
    assert (await api.get("/api/v1/metadata?limit=0")).data == {}
    assert (await api.get("/api/v1/metadata?limit=-1")).data == {"foo": [foo], "bar_total": [bar]}
    assert (await api.get("/api/v1/metadata?metric=bar_total")).data == {"bar_total": [bar]}
    assert (await api.get("/api/v1/metadata?metric=none")).data == {}
    assert (await api.get("/api/v1/metadata?limit=x")).error[2] == "limit must be a number"


async def test_metadata_of_targets_names_them(serve: Any) -> None:
    api = await serve(targets=lambda: TARGETS)
    data = (await api.get("/api/v1/targets/metadata?metric=foo")).data
    assert data[0] == {
        "target": {"instance": "h:1", "job": "b"},
        "type": "gauge",
        "help": "Foo.",
        "unit": "",
    }
    assert len(data) == 2
    assert len((await api.get("/api/v1/targets/metadata")).data) == 3
    assert (await api.get("/api/v1/targets/metadata")).data[0]["metric"] == "foo"


async def test_rules_have_the_shape_grafana_reads(serve: Any) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    groups = (await api.get("/api/v1/rules")).data["groups"]
    assert [(group["name"], group["file"]) for group in groups] == [
        ("g1", "a.yml"),
        ("g2", "a.yml"),
        ("g1", "b.yml"),
    ]
    assert groups[0]["interval"] == 15
    assert groups[0]["limit"] == 3
    assert groups[0]["rules"] == [
        {
            "state": "firing",
            "name": "Down",
            "query": "up == 0",
            "duration": 300,
            "keepFiringFor": 0,
            "labels": {"severity": "page"},
            "annotations": {"summary": "down"},
            "alerts": [
                {
                    "labels": {"alertname": "Down", "job": EVIL},
                    "annotations": {"summary": "down"},
                    "state": "firing",
                    "activeAt": "2023-11-14T22:13:20Z",
                    "keepFiringSince": "2023-11-14T22:15:00Z",
                    "value": "1e+00",
                }
            ],
            "health": "ok",
            "evaluationTime": 0.001,
            "lastEvaluation": "2023-11-14T22:13:20Z",
            "type": "alerting",
        },
        {
            "name": "job:up:sum",
            "query": "sum by (job) (up)",
            "labels": {},
            "health": "err",
            "lastError": "bad",
            "evaluationTime": 0,
            "lastEvaluation": "0001-01-01T00:00:00Z",
            "type": "recording",
        },
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("type=alert", [("a.yml", "g1", ["Down"]), ("b.yml", "g1", ["Down"])]),
        ("type=record&file[]=b.yml", []),
        ("rule_name[]=Down&rule_group[]=g1&file[]=a.yml", [("a.yml", "g1", ["Down"])]),
        ("rule_group[]=g2&rule_group[]=none", [("a.yml", "g2", ["job:up:sum"])]),
    ],
)
async def test_rules_are_filtered(serve: Any, query: str, shown: Any) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    groups = (await api.get(f"/api/v1/rules?{query}")).data["groups"]
    assert [
        (group["file"], group["name"], [rule["name"] for rule in group["rules"]]) for group in groups
    ] == shown


async def test_alerts_can_be_left_out_of_rules(serve: Any) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    for text in ("true", "True", "1", "t"):
        groups = (await api.get(f"/api/v1/rules?exclude_alerts={text}")).data["groups"]
        assert groups[0]["rules"][0]["alerts"] is None


async def test_rule_groups_come_in_pages(serve: Any) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    seen, token = [], ""
    for _ in range(3):
        query = f"group_limit=1&group_next_token={token}" if token else "group_limit=1"
        data = (await api.get(f"/api/v1/rules?{query}")).data
        seen += [(group["file"], group["name"]) for group in data["groups"]]
        token = data.get("groupNextToken", "")
    assert seen == [("a.yml", "g1"), ("a.yml", "g2"), ("b.yml", "g1")]
    assert token == ""


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("type=x", 'invalid parameter "type": not supported value "x"'),
        (
            "exclude_alerts=x",
            (
                'invalid parameter "exclude_alerts": error converting exclude_alerts: '
                'strconv.ParseBool: parsing "x": invalid syntax'
            ),
        ),
        (
            "group_limit=0",
            'invalid parameter "group_limit": group_limit needs to be greater than 0',
        ),
        (
            "group_next_token=x",
            (
                'invalid parameter "group_next_token": group_limit needs to be present '
                "in order to paginate over the groups"
            ),
        ),
        (
            "group_limit=1&group_next_token=x",
            "invalid parameter \"group_next_token\": invalid group_next_token 'x'. were rule groups changed?",
        ),
    ],
)
async def test_bad_rule_filters_are_named(serve: Any, query: str, message: str) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    assert (await api.get(f"/api/v1/rules?{query}")).error == (400, "bad_data", message)


async def test_alerts_of_all_groups(serve: Any) -> None:
    api = await serve(rule_groups=lambda: GROUPS)
    alerts = (await api.get("/api/v1/alerts")).data["alerts"]
    assert [alert["labels"]["alertname"] for alert in alerts] == ["Down", "Down"]


async def test_status_paths(serve: Any) -> None:
    api = await serve(flags={"web.listen-address": "127.0.0.1:9090"})
    build = (await api.get("/api/v1/status/buildinfo")).data
    assert set(build) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert all(isinstance(value, str) for value in build.values())
    assert build["version"].startswith("3.")
    assert (await api.get("/api/v1/status/config")).data == {"yaml": "global: {}\n"}
    assert (await api.get("/api/v1/status/flags")).data == {"web.listen-address": "127.0.0.1:9090"}
    runtime = (await api.get("/api/v1/status/runtimeinfo")).data
    assert runtime["startTime"] == "1970-01-01T00:00:01Z"
    assert runtime["serverTime"] == "2023-11-14T22:13:20.123Z"
    assert (runtime["timeSeriesCount"], runtime["storageRetention"]) == (7, "15d")


async def test_tsdb_status_lists_the_largest(serve: Any) -> None:
    api = await serve()
    data = (await api.get("/api/v1/status/tsdb?limit=1")).data
    assert data["headStats"] == {
        "numSeries": 2,
        "numLabelPairs": 3,
        "chunkCount": 4,
        "minTime": 5,
        "maxTime": 6,
    }
    assert data["seriesCountByMetricName"] == [{"name": "up", "value": 2}]
    assert data["seriesCountByLabelValuePair"] == [{"name": "job=a", "value": 2}]
    assert (await api.get("/api/v1/status/tsdb?limit=0")).error[2] == "limit must be a positive number"
    assert (await api.get("/api/v1/status/tsdb?limit=10001")).error[2] == "limit must not exceed 10000"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_health_is_asked_by_get_and_head(serve: Any, method: str, path: str) -> None:
    api = await serve()
    answer = await api.ask(method, path)
    assert answer.status == 200
    assert (answer.text == "") is (method == "HEAD")


async def test_until_ready_the_api_is_unavailable_and_health_is_not(serve: Any) -> None:
    api = await serve(is_ready=lambda: False)
    assert (await api.get("/-/ready")).status == 503
    assert (await api.get("/api/v1/labels")).status == 503
    assert (await api.get("/-/healthy")).status == 200
    assert (await api.get("/metrics")).status == 200


async def test_lifecycle_is_off_by_default(serve: Any) -> None:
    api = await serve()
    for path in ("/-/reload", "/-/quit"):
        for method in ("POST", "PUT"):
            answer = await api.ask(method, path)
            assert (answer.status, answer.text) == (403, "Lifecycle API is not enabled.")
        answer = await api.get(path)
        assert (answer.status, answer.text) == (405, "Only POST or PUT requests allowed")


async def test_lifecycle_where_it_is_enabled(serve: Any) -> None:
    called = []

    async def reload() -> None:
        called.append("reload")
        if called.count("reload") > 1:
            raise ConfigError("no such key", file="p.yml")

    api = await serve(enable_lifecycle=True, reload=reload, quit=lambda: called.append("quit"))
    assert (await api.post("/-/reload")).status == 200
    answer = await api.ask("PUT", "/-/reload")
    assert (answer.status, answer.text) == (500, "failed to reload config: p.yml: no such key\n")
    answer = await api.post("/-/quit")
    assert (answer.status, answer.text) == (200, "Requesting termination... Goodbye!")
    assert called == ["reload", "reload", "quit"]


async def test_own_metrics_in_both_formats(serve: Any) -> None:
    registry = Registry()
    registry.counter("x_total", "An x.", "job").inc('a"b', by=2)
    api = await serve(registry=registry)
    answer = await api.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert '# TYPE x_total counter\nx_total{job="a\\"b"} 2\n' in answer.text
    answer = await api.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")
    assert 'prometheus_http_requests_total{code="200",handler="/metrics"} 1.0' in answer.text


async def test_the_front_page_escapes_what_targets_and_alerts_say(serve: Any) -> None:
    api = await serve(targets=lambda: TARGETS, rule_groups=lambda: GROUPS)
    answer = await api.get("/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert EVIL not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_link_of_an_alert_shows_what_its_expression_gives_now(serve: Any, engine: Any) -> None:
    engine.series = [Labels({"__name__": "up", "job": EVIL}), Labels({"__name__": "up"})]
    engine.warnings = [EVIL]
    api = await serve(engine=engine)
    answer = await api.get("/graph?g0.expr=up+%3D%3D+1&g0.tab=1")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert [(asked["expr"], asked["time_ms"]) for asked in engine.asked] == [("up == 1", NOW_MS)]
    assert "up == 1</textarea>" in answer.text
    assert "2 series" in answer.text
    assert "<tr><td>up</td><td>1</td></tr>" in answer.text
    assert EVIL not in answer.text
    assert (await api.get("/query?g0.expr=up")).status == 200


async def test_a_query_page_says_what_is_wrong_and_shows_no_more_than_it_can(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    assert "Try <a href" in (await api.get("/graph")).text
    engine.series = [Labels({"__name__": "up", "n": str(number)}) for number in range(1_001)]
    assert "the first 1,000 of them" in (await api.get("/graph?g0.expr=up")).text
    engine.series = []
    assert "Empty query result" in (await api.get("/graph?g0.expr=up")).text
    engine.error = EvaluationError(EVIL)
    answer = await api.get("/graph?g0.expr=up")
    assert answer.status == 200
    assert "<pre class=error>" in answer.text
    assert EVIL not in answer.text


async def test_unknown_paths_are_not_found_in_plain_text(serve: Any) -> None:
    api = await serve()
    for path in ("/nope", "/api/v1/nope", "/api/v1/rules/test/test"):
        answer = await api.get(path)
        assert (answer.status, answer.text) == (404, "404 page not found\n")
    assert (await api.ask("DELETE", "/api/v1/query")).status == 405


async def test_cors_allows_any_origin_by_default(serve: Any) -> None:
    api = await serve()
    headers = (await api.get("/api/v1/labels", headers={"Origin": "http://x"})).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in (await api.get("/api/v1/labels")).headers
    answer = await api.ask("OPTIONS", "/api/v1/query", headers={"Origin": "http://x"})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")


async def test_cors_allows_only_the_origins_that_match(serve: Any) -> None:
    api = await serve(cors_origin="https?://(a|b)\\.example")
    for origin, allowed in (("https://a.example", True), ("https://a.example.evil", False)):
        headers = (await api.get("/api/v1/labels", headers={"Origin": origin})).headers
        assert (headers.get("Access-Control-Allow-Origin") == origin) is allowed
