"""series, labels, label values, federation and the parts that read PromQL, with a real parser."""
# ruff: noqa: E501 - requests and error texts are clearer on one line

from __future__ import annotations

from typing import Any

import pytest

from tests.web.fakes import NOW_MS
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.tsdb.exemplars import ExemplarRing, StoredExemplar
from zseval.web.params import MAX_TIME_MS, MIN_TIME_MS

FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        # promtool query series, with its ±10,000 hours
        ("GET", "/api/v1/series?match[]=up&start=1759465266.8&end=1831465266.8", {}),
        ("GET", "/api/v1/series?match%5B%5D=up&start=1759465266.8&end=1831465266.8", {}),
        # Grafana
        ("POST", "/api/v1/series", {"data": "match[]=up&start=1759465266.8&end=1831465266.8", "headers": FORM_TYPE}),
        ("POST", "/api/v1/series?start=1759465266.8", {"data": {"match[]": "up", "end": "1831465266.8"}}),
    ],
)  # fmt: skip
async def test_series_are_asked_for_by_get_and_post(
    serve: Any, database: Any, method: str, path: str, options: dict[str, Any]
) -> None:
    api = await serve(db=database)
    data = (await api.ask(method, path, **options)).data
    assert data[0] == {"__name__": "up", "instance": "h:1", "job": "a"}
    assert database.asked == [([['__name__="up"']], 1759465266800, 1831465266800)]


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 1500])
async def test_many_series_are_made_json_some_at_a_time(serve: Any, database: Any, count: int) -> None:
    odd = "\udcff" if count == 1500 else ""  # came in as a byte that is no UTF-8
    database.found = [Labels({"__name__": "m", "i": f"{n}{odd}"}) for n in range(count)]
    api = await serve(db=database)
    printed = "?" if odd else ""
    assert (await api.get("/api/v1/series?match[]=m")).data == [
        {"__name__": "m", "i": f"{n}{printed}"} for n in range(count)
    ]


async def test_several_matchers_make_several_sets(serve: Any, database: Any) -> None:
    api = await serve(db=database)
    await api.get("/api/v1/series?match[]=up&match[]={job=~%22a.%2B%22}")
    assert database.asked == [([['__name__="up"'], ['job=~"a.+"']], MIN_TIME_MS, MAX_TIME_MS)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("series", "no match[] parameter provided"),
        (
            "series?match[]=",
            'invalid parameter "match[]": unknown position: parse error: unexpected end of input',
        ),
        (
            "series?match[]={job=~%22.*%22}",
            'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
        ),
        ("labels?match[]={job=~%22.*%22}", "match[] must contain at least one non-empty matcher"),
        ("label/U__/values", 'invalid label name: ""'),
        (
            "labels?start=x",
            'invalid parameter "start": invalid time value for \'start\': cannot parse "x" to a valid timestamp',
        ),
    ],
)
async def test_bad_selectors_and_names_are_refused(serve: Any, path: str, message: str) -> None:
    api = await serve()
    assert (await api.get(f"/api/v1/{path}")).error == (400, "bad_data", message)


async def test_label_names_and_values(serve: Any, database: Any) -> None:
    api = await serve(db=database)
    assert (await api.get("/api/v1/labels?limit=40000")).data == ["__name__", "instance", "job"]
    assert (await api.post("/api/v1/labels", data={"match[]": "up"})).data == ["__name__", "instance", "job"]
    assert (await api.get("/api/v1/label/job/values")).data == ["a", "b"]
    assert (await api.get("/api/v1/label/__name__/values?limit=0")).data == ["http.status", "up"]
    assert (await api.get("/api/v1/label/U__http_2e_x/values")).data == []
    assert database.asked[-1][0] == "http.x"


async def test_limits_of_lists_are_honoured_with_a_warning(serve: Any, database: Any) -> None:
    api = await serve(db=database)
    for path, count in (("labels", 3), ("label/job/values", 2), ("series?match[]=up", 3)):
        sign = "&" if "?" in path else "?"
        answer = await api.get(f"/api/v1/{path}{sign}limit=1")
        assert len(answer.data) == 1
        assert answer.json["warnings"] == ["results truncated due to limit"]
        answer = await api.get(f"/api/v1/{path}{sign}limit={count}")
        assert len(answer.data) == count
        assert "warnings" not in answer.json


async def test_metadata_of_targets_is_chosen_by_their_labels(serve: Any) -> None:
    api = await serve()
    assert (await api.get("/api/v1/targets/metadata?match_target={job=%22a%22}")).data == []
    status, kind, message = (await api.get("/api/v1/targets/metadata?match_target={")).error
    assert (status, kind) == (400, "bad_data")
    assert message.startswith('invalid parameter "match_target": 1:2: parse error: ')


async def test_federation_gives_the_last_samples_with_external_labels(serve: Any, database: Any) -> None:
    api = await serve(db=database, external_labels=lambda: Labels({"node": "n1", "job": "never"}))
    answer = await api.get("/federate?match[]=up&match[]={__name__=~%22u.%2B%22}")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.text == (
        "# TYPE up untyped\n"
        f'up{{instance="",job="b",node="n1"}} 0 {NOW_MS - 2000}\n'
        f'up{{instance="h:1",job="a",node="n1"}} 1 {NOW_MS - 1000}\n'
    )


async def test_federation_leaves_out_stale_and_old_series(serve: Any, database: Any) -> None:
    database.values[0] = STALE_NAN
    api = await serve(db=database)
    answer = await api.get("/federate?match[]={job=%22a%22}")
    assert (answer.status, answer.text) == (200, "")


async def test_federation_without_a_selector_is_empty_and_with_a_bad_one_an_error(serve: Any) -> None:
    api = await serve()
    assert (await api.get("/federate")).text == ""
    answer = await api.get("/federate?match[]=up{")
    assert answer.status == 400
    assert "parse error" in answer.text


async def test_there_are_no_exemplars_where_none_are_kept(serve: Any) -> None:
    api = await serve()
    # Grafana asks in milliseconds
    path = "/api/v1/query_exemplars?query=test&start=1795465266000&end=1795465276000"
    assert (await api.get(path)).data == []
    assert (await api.post("/api/v1/query_exemplars", data={"query": "up"})).data == []
    assert (await api.get("/api/v1/query_exemplars?query=up{")).status == 400


async def test_exemplars_are_found_by_the_selectors_of_a_query(serve: Any) -> None:
    ring = ExemplarRing()
    for job, time_ms in (("a", 1_600_000_000_000), ("b", 1_600_000_015_500), ("c", 1_600_000_020_000)):
        series = Labels({"__name__": "x_total", "job": job})
        ring.add(series, StoredExemplar(Labels({"trace_id": job}), 6.0, time_ms))
    api = await serve(exemplars=ring)
    query = 'rate(x_total{job="a"}[5m]) / sum(x_total{job=~"b|z"})'
    path = "/api/v1/query_exemplars"
    assert (await api.get(path, params={"query": query})).data == [
        {
            "seriesLabels": {"__name__": "x_total", "job": "a"},
            "exemplars": [{"labels": {"trace_id": "a"}, "value": "6", "timestamp": 1600000000}],
        },
        {
            "seriesLabels": {"__name__": "x_total", "job": "b"},
            "exemplars": [{"labels": {"trace_id": "b"}, "value": "6", "timestamp": 1600000015.5}],
        },
    ]
    narrow = {"query": "x_total", "start": "1600000016", "end": "1600000020"}
    (only,) = (await api.get(path, params=narrow)).data
    assert only["seriesLabels"]["job"] == "c"
    assert (await api.get(path, params={"query": "1"})).data == []
    assert (await api.get(f"{path}?query=x_total&start=1795465266000&end=1795465276000")).data == []


async def test_queries_are_formatted(serve: Any) -> None:
    api = await serve()
    assert (await api.get("/api/v1/format_query?query=sum(rate(up[5m]))by(job)")).data == (
        "sum by (job) (rate(up[5m]))"
    )
    status, kind, message = (await api.post("/api/v1/format_query", data={"query": "up{"})).error
    assert (status, kind) == (400, "bad_data")
    assert message.startswith('invalid parameter "query": 1:4: parse error: ')


async def test_queries_are_parsed_to_upstreams_tree(serve: Any) -> None:
    api = await serve()
    query = "sum by (job) (rate(up{job!='a'}[5m] offset 1m)) / on (job) group_left (x) foo @ 5 > bool 2"
    tree = (await api.post("/api/v1/parse_query", data={"query": query})).data
    assert (tree["type"], tree["op"], tree["bool"], tree["matching"]) == ("binaryExpr", ">", True, None)
    assert tree["rhs"] == {"type": "numberLiteral", "val": "2"}
    division = tree["lhs"]
    assert division["matching"] == {
        "card": "many-to-one",
        "labels": ["job"],
        "on": True,
        "include": ["x"],
        "fillValues": {"lhs": None, "rhs": None},
    }
    assert (division["rhs"]["timestamp"], division["rhs"]["startOrEnd"]) == (5000, None)
    total = division["lhs"]
    assert (total["type"], total["op"], total["grouping"], total["without"], total["param"]) == (
        "aggregation",
        "sum",
        ["job"],
        False,
        None,
    )
    call = total["expr"]
    assert call["func"] == {
        "name": "rate",
        "argTypes": ["matrix"],
        "variadic": 0,
        "returnType": "vector",
    }
    assert call["args"] == [
        {
            "type": "matrixSelector",
            "name": "up",
            "range": 300_000,
            "rangeExpr": None,
            "offset": 60_000,
            "offsetExpr": None,
            "matchers": [
                {"name": "job", "value": "a", "type": "!="},
                {"name": "__name__", "value": "up", "type": "="},
            ],
            "timestamp": None,
            "startOrEnd": None,
            "anchored": False,
            "smoothed": False,
        }
    ]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("-up", {"type": "unaryExpr", "op": "-"}),
        ("(up)", {"type": "parenExpr"}),
        ('"x"', {"type": "stringLiteral", "val": "x"}),
        ("up[5m:1m] @ end()", {"type": "subquery", "range": 300_000, "step": 60_000, "startOrEnd": "end"}),
        ("topk(3, up)", {"type": "aggregation", "param": {"type": "numberLiteral", "val": "3"}}),
    ],
)
async def test_every_kind_of_node_is_translated(serve: Any, query: str, part: dict[str, Any]) -> None:
    api = await serve()
    tree = (await api.post("/api/v1/parse_query", data={"query": query})).data
    assert part.items() <= tree.items()
